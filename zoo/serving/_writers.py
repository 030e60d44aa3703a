"""One function for each format: writes a model of stock layers."""

import contextlib
import io
import logging
import tempfile
import warnings
from pathlib import Path

import numpy as np
import tensorflow as tf

from zoo.serving._saved_model import (
    arrays_endpoint,
    input_specification,
    write_saved_model,
)

CALIBRATION_EXAMPLES = 100  # the least that tell the ranges of activations


def write_keras(model, path):
    model.save(path)


def write_onnx(model, path):
    """By tf2onnx, which names inputs and outputs as the function's signature does."""
    with _few_words():
        import tf2onnx
        from keras.src.export.tf2onnx_lib import patch_tf2onnx

        patch_tf2onnx()  # tf2onnx 1.17 asks for names that NumPy 2 has not
        tf2onnx.convert.from_function(
            arrays_endpoint(model),
            [input_specification(model)],
            opset=17,
            output_path=str(path),
        )


def write_openvino(model, folder):
    """As the OpenVINO model server finds it: `model.xml` and `model.bin`."""
    import openvino

    with _as_saved_model(model) as saved:
        converted = openvino.convert_model(saved)
    folder.mkdir()
    openvino.save_model(converted, folder / "model.xml", compress_to_fp16=False)


def write_litert(model, path, calibration=None):
    """With calibration, weights and activations in 8 bits, between float ends."""
    with _as_saved_model(model) as saved, _few_words():
        converter = tf.lite.TFLiteConverter.from_saved_model(
            str(saved), signature_keys=["serving_default"]
        )
        if calibration is not None:
            converter.optimizations = [tf.lite.Optimize.DEFAULT]
            converter.representative_dataset = _one_by_one(model, calibration)
        content = converter.convert()
    Path(path).write_bytes(content)


def check_calibration(model, calibration):
    """Refuses what can't tell the ranges of a model's activations.

    Raises:
        ValueError: for another shape, too few examples, or values that are not finite.
    """
    values = np.asarray(calibration)
    shape = model.input_shape[1:]
    fits = values.ndim == len(shape) + 1 and all(
        size in (None, found)
        for size, found in zip(shape, values.shape[1:], strict=True)
    )
    if not fits or len(values) < CALIBRATION_EXAMPLES:
        raise ValueError(
            f"`calibration` must be an array of at least {CALIBRATION_EXAMPLES} inputs "
            f"of shape {shape}, normalised. Received: shape={values.shape}"
        )
    if not np.isfinite(values).all():
        raise ValueError("`calibration` holds values that are NaN or infinite.")
    return values


def _one_by_one(model, calibration):
    (symbol,) = model.inputs

    def examples():
        for example in calibration:
            yield {symbol.name: example[np.newaxis].astype(symbol.dtype)}

    return examples


@contextlib.contextmanager
def _as_saved_model(model):
    with tempfile.TemporaryDirectory() as folder:
        saved = Path(folder, "saved_model")
        write_saved_model(model, saved)
        yield saved


@contextlib.contextmanager
def _few_words():
    """Converters talk a lot; what they raise still comes through."""
    loggers = [logging.getLogger(name) for name in ("tf2onnx", "tensorflow", "absl")]
    levels = [logger.level for logger in loggers]
    for logger in loggers:
        logger.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings(), contextlib.redirect_stdout(io.StringIO()):
            warnings.simplefilter("ignore")
            yield
    finally:
        for logger, level in zip(loggers, levels, strict=True):
            logger.setLevel(level)
