"""Weights from a torch state dict."""

import zipfile

import keras
import numpy as np

from zoo._torch_file import read_state_dict

PARTS = ("weight", "bias")
NORMALIZATION_PARTS = ("weight", "bias", "running_mean", "running_var")


def load_torch_weights(model, path, names, model_name):
    """Loads a torch state dict into a functional Keras model of the same net.

    torch stores a convolution as (filters, channels, height, width), in one dimension
    without the width or with a width of 1, and a dense layer as (units, inputs). It
    flattens a map with the channels first, Keras with the channels last, so the inputs
    of the dense layer behind a `Flatten` change places.

    Args:
        model: a functional Keras model of `Conv1D`, `Conv2D`, `Dense` and
            `BatchNormalization` layers.
        path: of a file that `torch.save(module.state_dict(), path)` wrote.
        names: dict, from the names of the net's layers to torch's. A model without
            the top takes what it has of them.
        model_name: for messages.

    Raises:
        ValueError: if the file is no state dict (or one from before torch 1.6, and
            torch is missing), or a layer is missing, unknown, or of another shape.
    """
    state = {
        name: value
        for name, value in _read(path, model_name).items()
        if not name.endswith(".num_batches_tracked")  # Keras has no such count
    }
    layers = [layer for layer in model.layers if layer.weights]
    places = {layer.name: _places(layer, names[layer.name]) for layer in layers}
    missing = {place for group in places.values() for place in group} - set(state)
    unknown = {n for n in state if n.rpartition(".")[0] not in names.values()}
    if missing or unknown:
        raise ValueError(
            f"{path} does not hold the weights of {model_name}. "
            f"Missing: {_some(missing)}. Not part of the net: {_some(unknown)}."
        )
    values = []
    for layer in layers:
        kernel, *others = (state[place] for place in places[layer.name])
        values.append([_to_keras(layer, kernel), *others])
        received = [value.shape for value in values[-1]]
        shapes = [tuple(weight.shape) for weight in layer.weights]
        if received != shapes:
            raise ValueError(
                f"The weights in {path} do not fit {model_name}: layer {layer.name!r} "
                f"expects {shapes}, in the file {names[layer.name]!r} has, in Keras's "
                f"order, {received}."
            )
    # Only now, so that a file that does not fit changes nothing.
    for layer, value in zip(layers, values, strict=True):
        layer.set_weights(value)


def _read(path, model_name):
    try:
        if zipfile.is_zipfile(path):
            return read_state_dict(path)
        import torch
    except ImportError as error:
        raise ValueError(
            f"Reading {path} takes torch, which is not installed: the file is no zip "
            f"archive, as torch has written since 2020. Install it (`pip install "
            f"torch`), load once, and keep model.save_weights(...) of it."
        ) from error
    except Exception as error:  # a broken archive raises whatever its reader meets
        raise _unreadable(path, model_name, error) from error
    try:
        # weights_only: a pickle could otherwise run code of whoever wrote it.
        state = torch.load(path, map_location="cpu", weights_only=True)
        return {name: tensor.detach().numpy() for name, tensor in state.items()}
    except Exception as error:  # torch raises whatever its reader meets
        raise _unreadable(path, model_name, error) from error


def _unreadable(path, model_name, error):
    return ValueError(
        f"{path} can't be read as a state dict for {model_name}. Expected a file "
        f"that torch.save(module.state_dict(), path) wrote. Received: "
        f"{type(error).__name__}: {error}"
    )


def _to_keras(layer, weight):
    """A kernel in Keras's order of axes."""
    if isinstance(layer, keras.layers.BatchNormalization):
        return weight
    if isinstance(layer, keras.layers.Conv1D):
        return (weight[..., 0] if weight.shape[3:] == (1,) else weight).T
    if weight.ndim == 4:
        return weight.transpose(2, 3, 1, 0)
    weight = weight.T
    source = layer.input._keras_history.operation
    while isinstance(source, keras.layers.Dropout):
        source = source.input._keras_history.operation
    if isinstance(source, keras.layers.Flatten):
        height, width, channels = source.input.shape[1:]
        if weight.shape[0] == height * width * channels:
            maps = weight.reshape(channels, height, width, -1)
            weight = np.moveaxis(maps, 0, 2).reshape(weight.shape)
    return weight


def _places(layer, module):
    """Where the weights of a layer stand in the file, in Keras's order."""
    is_normalization = isinstance(layer, keras.layers.BatchNormalization)
    parts = NORMALIZATION_PARTS if is_normalization else PARTS
    return [f"{module}.{part}" for part in parts]


def _some(names, at_most=4):
    names = sorted(names)
    more = ", ..." if len(names) > at_most else ""
    return ", ".join(names[:at_most]) + more if names else "nothing"
