import os
import subprocess
import sys
import tempfile
from pathlib import Path

import keras
import numpy as np
import tensorflow as tf

from zoo._files import check_can_be_made, is_empty, replace_folder
from zoo.analysis._graph import as_functional, check_is_model


def export(model, path, card=None, overwrite=False):
    """Writes a model as a SavedModel that needs neither this package nor Keras.

    Its signature `serving_default` takes an array by the name of the model's input,
    `image`, any number at a time, and returns the outputs by theirs, `probabilities`.
    They equal `model.predict`.

    Args:
        model: a Keras model with one input and one output.
        path: of the folder to write.
        card: the `ModelCard` to lay into it, as `assets.extra/card.json`.
        overwrite: bool. Replace a SavedModel that stands there.

    Raises:
        ValueError: if something stands at `path` already, it can't be written, or the
            model has several inputs or outputs.

    Example:

    >>> import tempfile, zoo
    >>> path = tempfile.mkdtemp() + "/p4cnn"
    >>> export(zoo.p4cnn(), path)
    >>> served = tf.saved_model.load(path).signatures["serving_default"]
    >>> served(image=tf.zeros((2, 28, 28, 1)))["probabilities"].shape
    TensorShape([2, 10])
    """
    check_place(path, overwrite)
    check_is_model(model)
    functional = as_functional(model)
    if functional is None:
        raise ValueError(
            f"{model.name} is subclassed or not built: its input has no name. "
            f"Expected a functional or sequential model, built."
        )
    model = functional
    if len(model.inputs) != 1 or len(model.outputs) != 1:
        raise ValueError(
            f"Expected a model with one input and one output. Received: {model.name} "
            f"with {len(model.inputs)} and {len(model.outputs)}."
        )
    (symbol,), (output_name,) = model.inputs, model.output_names
    shape = (None, *symbol.shape[1:])
    specification = tf.TensorSpec(shape, symbol.dtype, name=symbol.name)
    archive = keras.export.ExportArchive()
    predict = archive.track_and_add_endpoint("predict", model, [specification])

    # The specification names the signature's input, the dictionary its output.
    @tf.function(input_signature=[specification])
    def serve(inputs):
        return {output_name: predict(inputs)}

    archive.add_endpoint("serving_default", serve)
    with replace_folder(path) as beside:
        archive.write_out(beside, verbose=False)
        if card is not None:
            extra = beside / "assets.extra"
            extra.mkdir()
            (extra / "card.json").write_text(card.to_json() + "\n")


_RELOAD = """
import sys
import numpy
import tensorflow

folder, images, outputs = sys.argv[1:]
model = tensorflow.saved_model.load(folder)
serve = model.signatures["serving_default"]
(name,) = serve.structured_input_signature[1]
images = tensorflow.constant(numpy.load(images))
found = serve(**{name: images})
numpy.savez(outputs, **{name: value.numpy() for name, value in found.items()})
if "zoo" in sys.modules:
    sys.exit("this package was imported")
"""


def run_saved_model(path, images):
    """Runs a SavedModel in another process, which knows only TensorFlow.

    It is the proof that an export stands by itself.

    Args:
        path: of the SavedModel.
        images: array of inputs, of the model's dtype.

    Returns:
        A dictionary of arrays, by the names of the outputs.

    Raises:
        ValueError: if the other process fails, or had to import this package.

    Example:

    >>> import tempfile, zoo
    >>> model, path = zoo.p4cnn(), tempfile.mkdtemp() + "/p4cnn"
    >>> export(model, path)
    >>> images = np.ones((2, 28, 28, 1), "float32")
    >>> outputs = run_saved_model(path, images)["probabilities"]
    >>> bool(np.allclose(outputs, model.predict(images, verbose=0), atol=1e-6))
    True
    """
    with tempfile.TemporaryDirectory() as folder:
        given, returned = Path(folder, "images.npy"), Path(folder, "outputs.npz")
        np.save(given, images)
        done = subprocess.run(
            [sys.executable, "-I", "-c", _RELOAD, str(path), str(given), str(returned)],
            env={**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3"},
            capture_output=True,
            text=True,
        )
        if done.returncode:
            reason = (done.stderr.strip().splitlines() or ["no message"])[-1]
            raise ValueError(
                f"The SavedModel at {path} does not run in another process: {reason}. "
                f"Expected a folder that `zoo.export` wrote."
            )
        with np.load(returned) as arrays:
            return dict(arrays)


def check_place(path, overwrite=False):
    """Refuses a place where `export` must not write, and touches nothing.

    Args:
        path: of the folder to write.
        overwrite: bool. A SavedModel may stand there.

    Raises:
        ValueError: if something else stands there, or it can't be written.

    Example:

    >>> import tempfile
    >>> check_place(tempfile.mkdtemp() + "/p4cnn")
    """
    path = Path(path)
    check_can_be_made(path)
    is_saved_model = (path / "saved_model.pb").is_file()
    if not is_empty(path) and not (overwrite and is_saved_model):
        raise ValueError(
            f"{path} exists already. Choose another place, or an empty folder."
        )
