"""A SavedModel with named inputs and outputs, for arrays and for encoded files."""

import json
import shutil
from pathlib import Path

import keras
import tensorflow as tf

from zoo.serving._encoded_files import encoded_files
from zoo.serving._warmup import write_warmup

MLSERVER_RUNTIME = Path(__file__).with_name("mlserver_runtime.py")


def write_saved_model(model, folder, card=None, name=None, version=None):
    """Writes a model, and all that servers look for beside it.

    Args:
        model: a functional model of stock layers with one named input and output.
        folder: to write.
        card: a `ModelCard`, or None: then arrays are taken only.
        name: that servers shall call the model by; None to write nothing of servers.
        version: its number, for MLServer; others read it from the folder.
    """
    specification = input_specification(model)
    archive = keras.export.ExportArchive()
    archive.track(model)
    archive.add_endpoint("serving_default", arrays_endpoint(model))
    encoded = None if card is None else encoded_files(model, card)
    if encoded is not None:
        archive.add_endpoint("serve_bytes", encoded.endpoint)
    archive.write_out(str(folder), verbose=False)
    if name is None:
        return
    extra = folder / "assets.extra"
    extra.mkdir()
    signatures = {"serving_default": {specification.name: _example(specification)}}
    if encoded is not None:
        signatures["serve_bytes"] = {encoded.input_name: encoded.example}
    write_warmup(extra / "tf_serving_warmup_requests", name, signatures)
    if card is not None:
        (extra / "card.json").write_text(card.to_json() + "\n")
        if card.labels:
            (extra / "labels.txt").write_text("\n".join(card.labels) + "\n")
    _write_mlserver_settings(model, folder, name, version, specification, encoded)


def input_specification(model):
    """The `tf.TensorSpec` of the input, for any number of examples."""
    (symbol,) = model.inputs
    return tf.TensorSpec((None, *symbol.shape[1:]), symbol.dtype, name=symbol.name)


def arrays_endpoint(model):
    """A `tf.function` from the array to a dictionary of the named output."""
    (output_name,) = model.output_names

    # The specification names the signature's input, the dictionary its output.
    @tf.function(input_signature=[input_specification(model)])
    def serve(inputs):
        return {output_name: model(inputs, training=False)}

    return serve


def _example(specification):
    return tf.zeros([1] + [size or 64 for size in specification.shape[1:]])


def _write_mlserver_settings(model, folder, name, version, specification, encoded):
    """What MLServer needs to serve this folder: its settings, and how to run it."""
    shutil.copyfile(MLSERVER_RUNTIME, folder / "saved_model_runtime.py")
    inputs = [_tensor(specification.name, model.input_shape, specification.dtype)]
    if encoded is not None:
        inputs.append({"name": encoded.input_name, "datatype": "BYTES", "shape": [-1]})
    (output_name,) = model.output_names
    settings = {
        "name": name,
        "implementation": "saved_model_runtime.SavedModelRuntime",
        "platform": "tensorflow_savedmodel",
        "inputs": inputs,
        "outputs": [_tensor(output_name, model.output_shape, model.outputs[0].dtype)],
        "parameters": {"uri": ".", "version": str(version)},
    }
    text = json.dumps(settings, indent=2)
    (folder / "model-settings.json").write_text(text + "\n")


def _tensor(name, shape, dtype):
    dtype = tf.as_dtype(dtype)
    kind = "FP" if dtype.is_floating else "UINT" if dtype.is_unsigned else "INT"
    return {
        "name": name,
        "datatype": f"{kind}{8 * dtype.size}",
        "shape": [-1 if size is None else size for size in shape],
    }
