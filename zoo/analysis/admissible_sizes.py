"""At which input sizes a model is exactly equivariant."""

import dataclasses
from numbers import Integral

import keras

from zoo.analysis._graph import as_functional, check_is_model, operations_of, run
from zoo.analysis.equivariance import equivariance_report, own_group
from zoo.layers._window import Window
from zoo.layers.groups import get_group

PLANAR_CONVOLUTIONS = (
    keras.layers.Conv2D,
    keras.layers.Conv2DTranspose,
    keras.layers.DepthwiseConv2D,
    keras.layers.SeparableConv2D,
)
PLANAR_POOLINGS = (keras.layers.MaxPooling2D, keras.layers.AveragePooling2D)
# Layers of Keras that leave position and orientation alone, or treat them all alike.
HARMLESS = (
    keras.layers.Activation,
    keras.layers.Add,
    keras.layers.Average,
    keras.layers.BatchNormalization,
    keras.layers.Concatenate,
    keras.layers.Dense,
    keras.layers.Dropout,
    keras.layers.GlobalAveragePooling2D,
    keras.layers.GlobalMaxPooling2D,
    keras.layers.Identity,
    keras.layers.LayerNormalization,
    keras.layers.LeakyReLU,
    keras.layers.Maximum,
    keras.layers.Multiply,
    keras.layers.ReLU,
    keras.layers.Rescaling,
    keras.layers.Softmax,
    keras.layers.SpatialDropout2D,
    keras.layers.Subtract,
)


def admissible_sizes(model, low, high):
    """Lists the input sizes at which a model is exactly equivariant to its group.

    Every window that moves by more than one pixel must fit its input without a
    remainder, (size + padding - kernel) mod strides == 0, all the way through the net.
    The sizes are followed through the layers. Where a model has operations of other
    kinds than group layers and the usual ones of Keras, each size that passes is also
    measured, on noise.

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
    operations = list(operations_of(functional))
    if any(_never_exact(operation) for operation in operations):
        return []
    group = get_group(own_group(functional))
    sizes = [size for size in range(low, high + 1) if _fits(functional, group, size)]
    if all(_is_known(operation) for operation in operations):
        return sizes
    return [size for size in sizes if _is_measured_exact(functional, group, size)]


def _fits(model, group, size):
    """Whether all windows fit an image of this size."""

    def call(operation, *args, **kwargs):
        if isinstance(getattr(operation, "window", None), Window):
            window = dataclasses.replace(operation.window, group=group, strict=True)
            window.output_size(*args[0].shape[1:3])
        elif isinstance(operation, (*PLANAR_POOLINGS, *PLANAR_CONVOLUTIONS)):
            _check_planar(operation, args[0].shape)
        elif isinstance(operation, keras.layers.Flatten):
            _check_flatten(args[0].shape)
        return operation.compute_output_spec(*args, **kwargs)

    channels = model.inputs[0].shape[-1]
    image = keras.KerasTensor((None, size, size, channels), model.inputs[0].dtype)
    try:
        run(model, image, call)
    except ValueError:
        return False
    return True


def _check_planar(layer, shape):
    """The condition on a window for a stock layer, with Keras's own padding."""
    window = getattr(layer, "pool_size", None) or layer.kernel_size
    for length, extent, stride in zip(shape[1:3], window, layer.strides, strict=True):
        if layer.padding == "same":
            # Keras pads what is missing to the last window; an odd lot goes behind.
            missing = max((-(-length // stride) - 1) * stride + extent - length, 0)
            remainder = missing % 2
        else:
            remainder = (length - extent) % stride
        if remainder or (layer.padding == "valid" and length < extent):
            raise ValueError(f"{layer.name} is not exact at {length}.")


def _check_flatten(shape):
    """Flattened positions or orientations no longer move as such."""
    if any(size != 1 for size in shape[1:-1]):
        raise ValueError(f"Flatten takes {shape} apart.")


def _never_exact(operation):
    """A plain convolution fixes a direction on the grid, at every size."""
    return isinstance(operation, PLANAR_CONVOLUTIONS) and max(operation.kernel_size) > 1


def _is_known(operation):
    return (
        type(operation).__module__.startswith("zoo.layers")
        or type(operation) in HARMLESS
        or isinstance(
            operation, (*PLANAR_POOLINGS, *PLANAR_CONVOLUTIONS, keras.layers.Flatten)
        )
    )


def _is_measured_exact(model, group, size):
    """Rebuilds the model for this size with the same layers, and measures it."""
    channels = model.inputs[0].shape[-1]
    image = keras.Input((size, size, channels), dtype=model.inputs[0].dtype)
    try:
        inputs = keras.tree.map_structure(lambda _: image, model.input)
        resized = keras.models.clone_model(model, input_tensors=inputs)
        report = equivariance_report(resized, group=group.name, batch_size=1)
    except (ValueError, TypeError):
        return False
    return report.exact
