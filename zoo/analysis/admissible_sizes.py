"""At which input sizes a model is exactly equivariant."""

import dataclasses

import keras

from zoo.analysis._graph import as_functional, operations_of, run

PLANAR_CONVOLUTIONS = (
    keras.layers.Conv2D,
    keras.layers.Conv2DTranspose,
    keras.layers.DepthwiseConv2D,
    keras.layers.SeparableConv2D,
)
PLANAR_POOLINGS = (keras.layers.MaxPooling2D, keras.layers.AveragePooling2D)


def admissible_sizes(model, low, high):
    """Lists the input sizes at which a model is exactly equivariant.

    Every window that moves by more than one pixel must fit its input without a
    remainder, (size + padding - kernel) mod strides == 0, all the way through the net.
    Nothing is computed on images: the sizes are followed through the layers.

    Args:
        model: a functional or sequential Keras model on images. Its own input size
            does not matter.
        low, high: ints, the smallest and the largest height (= width) to try.

    Returns:
        A list of ints. Empty for a net that is equivariant at no size, such as one
        of plain convolutions.

    Raises:
        ValueError: for a subclassed model or a range that is none.

    Example:

    >>> import zoo
    >>> admissible_sizes(zoo.p4cnn(), 24, 36)
    [28, 30, 32, 34, 36]
    """
    if not (isinstance(low, int) and isinstance(high, int) and 1 <= low <= high):
        raise ValueError(
            f"Expected whole numbers with 1 <= low <= high. "
            f"Received: low={low!r}, high={high!r}"
        )
    functional = as_functional(model)
    if functional is None:
        raise ValueError(
            f"{model.name} is a subclassed model: its layers can't be followed. "
            f"Expected a functional or sequential model, built."
        )
    if any(_never_exact(operation) for operation in operations_of(functional)):
        return []
    return [size for size in range(low, high + 1) if _is_exact(functional, size)]


def _is_exact(model, size):
    channels = model.inputs[0].shape[-1]
    image = keras.KerasTensor((None, size, size, channels), model.inputs[0].dtype)
    try:
        run(model, image, _checked_output_spec)
    except ValueError:
        return False
    return True


def _checked_output_spec(operation, inputs, *args, **kwargs):
    if hasattr(operation, "window"):
        strict = dataclasses.replace(operation.window, strict=True)
        strict.output_size(*inputs.shape[1:3])
    elif isinstance(operation, (*PLANAR_POOLINGS, keras.layers.Conv2D)):
        _check_planar(operation, inputs.shape)
    return operation.compute_output_spec(inputs, *args, **kwargs)


def _check_planar(layer, shape):
    """The same condition for a stock layer, with Keras's own padding."""
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


def _never_exact(operation):
    """Layers that fix a direction on the grid, whatever the size."""
    if isinstance(operation, PLANAR_CONVOLUTIONS):
        return max(operation.kernel_size) > 1
    if isinstance(operation, keras.layers.Flatten):
        return len(operation.input.shape) > 2
    return False
