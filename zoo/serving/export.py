import re
from pathlib import Path

import numpy as np
import tensorflow as tf

from zoo._files import replace_file
from zoo._registry import card_by_model_name
from zoo.serving._places import check_place, check_version, new_version
from zoo.serving._saved_model import write_saved_model
from zoo.serving._writers import (
    check_calibration,
    write_keras,
    write_litert,
    write_onnx,
    write_openvino,
)
from zoo.serving.formats import find_format
from zoo.serving.plain import functional_form, plain_model
from zoo.serving.run_exported import run_exported

# Of examples at a time, in the comparison.
BATCHES = (1, 3, 8)
# A model that computes in half precision is written in float32, and differs by that.
HALF_PRECISION = {"bfloat16": 5e-2, "float16": 1e-2}
# As Keras calls inputs that were given no name.
NO_NAME = re.compile(r"(keras_tensor|input_layer|input)(_\d+)?")


def export(
    model,
    path,
    format="saved_model",
    card=None,
    version=None,
    overwrite=False,
    calibration=None,
    input_name=None,
):
    """Writes a model for inference, runs what was written, and compares.

    | `format`        | what stands at `path` | runs in                             |
    | --------------- | --------------------- | ----------------------------------- |
    | `"saved_model"` | `path/1/`             | TensorFlow Serving, MLServer, ...   |
    | `"openvino"`    | `path/1/`             | OpenVINO and its model server       |
    | `"onnx"`        | the file `path`       | ONNX Runtime and most other engines |
    | `"litert"`      | the file `path`       | LiteRT: phones, small devices       |
    | `"keras"`       | the file `path`       | Keras, of any backend               |

    None of them needs this package, a custom operation or XLA. Input and output keep
    their names (`image`, `probabilities`), and any number of examples is taken at a
    time. Before it is written, the model is said in stock layers (`to_plain`). In a
    SavedModel a group convolution that is faster in the spectrum of its group (see
    `GroupConv2D`) stays there, with its filter transformed once and for all.

    A SavedModel also takes encoded files: its signature `serve_bytes` decodes PNG,
    JPEG, GIF, BMP or WebP (`image_bytes`), or WAV (`waveform_bytes`), applies the
    card's `preprocess_input`, and adds the class's name where the card has labels.
    Images are rotated as their EXIF data say and resized to the model's size; animated
    and transparent ones are refused, and more than 2 ** 26 pixels; a sound is cut into
    clips and the outputs averaged. With it come warm-up requests for TensorFlow Serving
    and settings for MLServer.

    Every version is written beside its place, run in another process that never
    imports this package, compared with `model.predict`, and only then renamed: a
    reader, or a process killed in between, never meets half of one.

    Args:
        model: a functional or sequential Keras model with one input, which has a name,
            and one output.
        path: a folder that holds versions, or a file: see above.
        format: see above.
        card: the `ModelCard` that says how raw input is normalised; None for that of
            the registered model of the same name, if there is one, without its labels:
            the model's classes may be others.
        version: int of a versioned format; None for one more than the last. A version
            is never replaced.
        overwrite: bool. Replace a file that stands at `path`.
        calibration: of `"litert"` only: an array of at least 100 typical inputs, as
            the model takes them. Weights and activations are then kept in 8 bits, and
            inputs and outputs stay float. The comparison with the model is left to
            you: what 8 bits cost depends on the data.
        input_name: for a model whose input was given no name.

    Returns:
        The `Path` of the version's folder or of the file.

    Raises:
        ValueError: for an unknown format, one whose packages are not installed, a model
            that has no graph or no names, a place that holds something else or can't be
            written, or outputs that differ from the model's. What stood at `path`
            stays.

    Example:

    >>> import tempfile, zoo
    >>> folder = export(zoo.p4cnn(), tempfile.mkdtemp() + "/p4cnn")
    >>> folder.name
    '1'
    >>> served = tf.saved_model.load(folder).signatures["serving_default"]
    >>> served(image=tf.zeros((2, 28, 28, 1)))["probabilities"].shape
    TensorShape([2, 10])
    """
    path, _ = export_and_compare(
        model, path, format, card, version, overwrite, calibration, input_name
    )
    return path


def export_and_compare(
    model,
    path,
    format="saved_model",
    card=None,
    version=None,
    overwrite=False,
    calibration=None,
    input_name=None,
):
    """As `export`, and says how far what was written is from the model.

    Returns:
        The `Path`, and the largest difference of an output on noise; None of 8 bits.
    """
    kind = find_format(format)
    path = Path(path)
    check_place(path, kind, overwrite)
    check_version(version)
    _refuse_for_format(kind, version, calibration)
    model = functional_form(model)
    plain = plain_model(
        model,
        _input_name(model, input_name),
        with_spectra=format == "saved_model",
    )
    if calibration is not None:
        calibration = check_calibration(model, calibration)
    card = _fitting_card(model, card)
    inputs = _noise(model, card)
    expected = [np.asarray(model.predict_on_batch(batch)) for batch in inputs]

    def write(beside, number=None):
        if format == "saved_model":
            write_saved_model(plain, beside, card, path.absolute().name, number)
        elif format == "litert":
            write_litert(plain, beside, calibration)
        else:
            writers = {
                "keras": write_keras,
                "onnx": write_onnx,
                "openvino": write_openvino,
            }
            writers[format](plain, beside)

    difference = None

    def check(beside):
        nonlocal difference
        outputs = run_exported(beside, inputs, format)
        if calibration is None:
            bound = max(kind.bound, _half_precision(model))
            difference = _compare(outputs, expected, plain, bound)

    try:
        if kind.is_versioned:
            path = new_version(path, version, kind, write, check)
        else:
            with replace_file(path) as beside:
                write(beside)
                check(beside)
        return path, difference
    except tf.errors.OpError as error:  # such as a full disk
        raise ValueError(f"{path} can't be written: {error.message}") from error


def _refuse_for_format(kind, version, calibration):
    if version is not None and not kind.is_versioned:
        raise ValueError(
            f"`version` is for folders of versions. Received: version={version!r} with "
            f"format={kind.name!r}, which is one file."
        )
    if calibration is not None and kind.name != "litert":
        raise ValueError(
            f"`calibration` is for format='litert'. Received: format={kind.name!r}"
        )


def _input_name(model, input_name):
    if len(model.inputs) != 1 or len(model.outputs) != 1:
        raise ValueError(
            f"Expected a model with one input and one output. Received: {model.name} "
            f"with {len(model.inputs)} and {len(model.outputs)}."
        )
    if input_name is not None:
        return input_name
    name = model.inputs[0].name
    if NO_NAME.fullmatch(name):
        raise ValueError(
            f"The input of {model.name} has no name of its own, but clients send it by "
            f"name. Give one: input_name='image', or keras.Input(..., name='image')."
        )
    return name


def _fitting_card(model, card):
    """The card given, or that of the registered model whose input this one's is."""
    if card is None:
        card = card_by_model_name(model.name)
        if card is not None and card.input_name != model.inputs[0].name:
            return None
    return card


def _noise(model, card):
    """Batches of standard normal noise, at a size that the model takes."""
    (symbol,) = model.inputs
    known = (None,) * len(symbol.shape[1:]) if card is None else card.input_shape
    shape = [
        size or usual or 64 for size, usual in zip(symbol.shape[1:], known, strict=True)
    ]
    noise = np.random.default_rng(0).standard_normal((max(BATCHES), *shape))
    if "int" in symbol.dtype:
        noise = 100 * np.abs(noise)
    return [noise[:size].astype(symbol.dtype) for size in BATCHES]


def _half_precision(model):
    types = {getattr(layer, "compute_dtype", None) for layer in model.layers}
    return max((HALF_PRECISION.get(kind, 0.0) for kind in types), default=0.0)


def _compare(outputs, expected, model, bound):
    """The largest difference; ValueError if it is more than a part of the largest."""
    (name,) = model.output_names
    differences = []
    for found, wanted in zip(outputs, expected, strict=True):
        if list(found) != [name]:
            raise ValueError(
                f"What was written returns {', '.join(found)}, the model {name}. "
                f"Nothing was put in place."
            )
        largest = np.abs(wanted).max()
        differences.append(np.abs(found[name].astype(wanted.dtype) - wanted).max())
        if not differences[-1] <= bound * largest:  # also if it is no number
            raise ValueError(
                f"What was written does not equal {model.name}: on noise, a batch of "
                f"{len(wanted)}, outputs differ by {differences[-1] / largest:.1e} of "
                f"the largest. "
                f"Expected at most {bound:.0e}. Nothing was put in place."
            )
    return float(max(differences))
