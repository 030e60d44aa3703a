import warnings
import zipfile
from pathlib import Path

import h5py

from zoo._torch_weights import load_torch_weights

PRETRAINED = Path(__file__).parent / "pretrained"
TORCH_SUFFIXES = (".pth", ".pt")


def load_weights(model, weights, card, torch_names=None):
    """Loads what the `weights=` of a builder names into its model.

    Args:
        model: the built model.
        weights: None, a name on the card, or the path of a `.keras` or
            `.weights.h5` file, or of a torch state dict (`.pth`, `.pt`).
        card: the builder's `ModelCard`.
        torch_names: for a model that takes a torch state dict: the name there of
            every layer that has weights.

    Raises:
        ValueError: if it is none of these, or the file does not fit the model.
    """
    if weights is None:
        return
    path = PRETRAINED / card.weights[weights] if weights in card.weights else weights
    suffixes = (".keras", ".weights.h5", *(TORCH_SUFFIXES if torch_names else ()))
    if not str(path).endswith(suffixes) or not Path(path).is_file():
        names = ", ".join(repr(name) for name in card.weights) or "no name as yet"
        raise ValueError(
            f"`weights` of {card.name} must be None, a name on its card ({names}), or "
            f"the path of a {', '.join(suffixes[:-1])} or {suffixes[-1]} file. "
            f"Received: weights={weights!r}"
        )
    if str(path).endswith(TORCH_SUFFIXES):
        load_torch_weights(model, path, torch_names, card.name)
        return
    unfit = (
        f"The weights in {path} do not fit {card.name} with input shape "
        f"{model.input_shape[1:]} and output shape {model.output_shape[1:]}: "
    )
    differences = _first_differences(model, path)
    if differences:
        raise ValueError(unfit + differences)
    try:
        with warnings.catch_warnings():
            # Keras's alarm at a file that holds more than the model, such as its top.
            warnings.filterwarnings("ignore", message="Skipping nested container")
            model.load_weights(path)
    except Exception as error:  # Keras raises whatever its reader meets
        raise ValueError(f"{unfit}{error}") from error


def _first_differences(model, path, at_most=3):
    """Which layers and shapes differ between a model and a file, in words."""
    try:
        stored = _stored_shapes(path)
    except (OSError, KeyError, zipfile.BadZipFile):
        return "it can't be read as a weights file of Keras"
    found = []
    for layer in model.layers:
        expected = [tuple(weight.shape) for weight in layer.weights]
        received = stored.get(layer.name, [])
        if received != expected:
            found.append(
                f"layer {layer.name!r} expects {expected}, the file has "
                f"{received or 'none of that name'}"
            )
    more = f"; and {len(found) - at_most} more layers" if len(found) > at_most else ""
    return "; ".join(found[:at_most]) + more


def _stored_shapes(path):
    """Shapes of the weights in a file of Keras, by name of the layer."""
    shapes = {}

    def collect(_, group):
        # Keras writes a layer's name beside its variables "0", "1", ...
        if isinstance(group, h5py.Group) and "name" in group.attrs:
            shapes[group.attrs["name"]] = [
                group[key].shape for key in sorted(group, key=int)
            ]

    if str(path).endswith(".keras"):
        with zipfile.ZipFile(path) as archive:
            with archive.open("model.weights.h5") as file, h5py.File(file) as weights:
                weights.visititems(collect)
    else:
        with h5py.File(path) as weights:
            weights.visititems(collect)
    return shapes
