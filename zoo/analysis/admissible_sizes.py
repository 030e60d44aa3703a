"""At which input sizes a model is exactly equivariant."""

import dataclasses
import random
import warnings
from numbers import Integral

import keras

from zoo.analysis._graph import as_functional, check_is_model, run
from zoo.analysis._known_layers import PLANAR_CONVOLUTIONS, is_known, is_planar
from zoo.analysis.equivariance import measured_on, own_group
from zoo.layers.group.groups import get_group
from zoo.layers.group.window import Window


def admissible_sizes(model, low, high):
    """Lists the input sizes at which a model is exactly equivariant to its group.

    Every window that moves by more than one pixel must fit its input without a
    remainder, (size + padding - kernel) mod strides == 0, all the way through the net.
    The sizes are followed through the layers. Group layers, and the usual ones of Keras
    where they treat all positions and orientations alike (a normalization along the
    channels, an activation of Keras's own, a convolution of one pixel), are known to
    keep what fits exact. Where a model has anything else, each size that fits is also
    measured, on noise, as `zoo.equivariance_report` does.

    Args:
        model: a functional or sequential Keras model on images. Its own input size
            does not matter, unless it has operations that must be measured.
        low, high: ints, the smallest and the largest height (= width) to try.

    Returns:
        A list of ints. Empty for a net that is equivariant at no size, such as one
        of plain convolutions.

    Raises:
        ValueError: for a subclassed model, one that does not take one batch of images,
            or a range that is none.

    Example:

    >>> import zoo
    >>> admissible_sizes(zoo.p4cnn(), 24, 36)
    [28, 30, 32, 34, 36]
    """
    check_is_model(model)
    if not (isinstance(low, Integral) and isinstance(high, Integral)) or not (
        1 <= low <= high
    ):
        raise ValueError(
            f"Expected whole numbers with 1 <= low <= high. "
            f"Received: low={low!r}, high={high!r}"
        )
    functional = as_functional(model)
    if functional is None:
        raise ValueError(
            f"{model.name} is subclassed or not built: its layers can't be followed. "
            f"Expected a functional or sequential model, built."
        )
    shapes = [tuple(tensor.shape) for tensor in functional.inputs]
    if len(shapes) != 1 or len(shapes[0]) != 4:
        raise ValueError(
            "Expected a model with one input (batch, height, width, channels). "
            f"Received: {shapes}"
        )
    group = get_group(own_group(functional))
    return [size for size in range(low, high + 1) if _is_exact(functional, group, size)]


def _is_exact(model, group, size):
    """Whether all windows fit images of a size, and whatever is not known is exact."""
    unknown = []

    def call(operation, *args, **kwargs):
        inputs = args[0] if args else None
        if isinstance(getattr(operation, "window", None), Window):
            window = dataclasses.replace(operation.window, group=group, strict=True)
            window.output_size(*inputs.shape[1:3])
        if type(operation) in PLANAR_CONVOLUTIONS:
            _check_kernel(operation, group, inputs.shape)
        if not is_known(operation, inputs) or not _has_group(operation, group):
            unknown.append(operation)
        elif is_planar(operation):
            _check_planar(operation, group, inputs.shape)
        elif type(operation) is keras.layers.Flatten:
            _check_flatten(inputs.shape)
        return operation.compute_output_spec(*args, **kwargs)

    channels = model.inputs[0].shape[-1]
    image = keras.KerasTensor((None, size, size, channels), model.inputs[0].dtype)
    try:
        run(model, image, call)
    except Exception:  # whatever the layers and the backend raise where it does not fit
        return False
    return not unknown or _is_measured_exact(model, group, size)


def _has_group(operation, group):
    """Whether a layer is no group layer, or one of a group that has this one in it."""
    own = getattr(operation, "group", None)
    return own is None or group.name in get_group(own).subgroup_names


def _reversed_axes(group):
    """The axes that a group reverses: the left-right flip of D1 the width alone."""
    return (1,) if group.name == "D1" else (0, 1)


def _check_kernel(layer, group, shape):
    """A plain kernel fixes a direction on the grid, at every size but one pixel."""
    if any(layer.kernel_size[i] > 1 < shape[1 + i] for i in _reversed_axes(group)):
        raise ValueError(f"{layer.name} fixes a direction on the grid.")


def _check_planar(layer, group, shape):
    """The condition on a window for a stock layer, with Keras's own padding."""
    window = getattr(layer, "pool_size", None) or layer.kernel_size
    if group.has_quarter_turns and len({*zip(window, layer.strides, strict=True)}) > 1:
        raise ValueError(f"{layer.name} has another window along height than width.")
    for axis in _reversed_axes(group):
        length, extent, stride = shape[1 + axis], window[axis], layer.strides[axis]
        if layer.padding == "same":
            # Keras pads what is missing to the last window, an odd pixel behind, and
            # leaves what lies beyond it.
            missing = (-(-length // stride) - 1) * stride + extent - length
            remainder = missing % 2 if missing > 0 else missing
        else:
            remainder = (length - extent) % stride
        if remainder or (layer.padding == "valid" and length < extent):
            raise ValueError(f"{layer.name} is not exact at {length}.")


def _check_flatten(shape):
    """Flattened positions or orientations no longer move as such."""
    if any(size != 1 for size in shape[1:-1]):
        raise ValueError(f"Flatten takes {shape} apart.")


def _is_measured_exact(model, group, size):
    """Measures the model, rebuilt for this size with its weights where they fit."""
    channels = model.inputs[0].shape[-1]
    image = keras.Input((size, size, channels), dtype=model.inputs[0].dtype)
    state = random.getstate()  # of Keras's initializers
    try:
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", ".*includes a `lambda`")
            inputs = keras.tree.map_structure(lambda _: image, model.input)
            resized = keras.models.clone_model(model, input_tensors=inputs)
        for old, new in zip(model.weights, resized.weights, strict=True):
            if old.shape == new.shape:
                new.assign(old)
            else:
                new.trainable = True  # also where it was frozen: it starts anew
    except Exception:
        resized = model  # a lambda is not rebuilt, but may take any size
    finally:
        random.setstate(state)
    try:
        return measured_on((2, size, size, channels), resized, group).exact
    except Exception:  # whatever the layers and the backend raise where it does not fit
        return False
