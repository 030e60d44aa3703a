"""Layers that are known to treat all positions and orientations alike.

Everything is known by its exact class and its arguments: a subclass may do anything.
"""

import keras

from zoo.analysis._graph import works_along_channels
from zoo.layers import GroupDropout, LocalResponseNormalization
from zoo.layers.classic.scaled_tanh import scaled_tanh
from zoo.layers.group.base import GroupLayer
from zoo.layers.group.orientations import orientations_of

PLANAR_CONVOLUTIONS = (
    keras.layers.Conv2D,
    keras.layers.Conv2DTranspose,
    keras.layers.DepthwiseConv2D,
    keras.layers.SeparableConv2D,
)
# Of one pixel they are exact where their strides fit. A transposed one pads as well.
KNOWN_CONVOLUTIONS = (
    keras.layers.Conv2D,
    keras.layers.DepthwiseConv2D,
    keras.layers.SeparableConv2D,
)
PLANAR_POOLINGS = (keras.layers.MaxPooling2D, keras.layers.AveragePooling2D)
GLOBAL_POOLINGS = (
    keras.layers.GlobalAveragePooling2D,
    keras.layers.GlobalMaxPooling2D,
)
ELEMENTWISE = (
    keras.layers.Activation,
    keras.layers.Dropout,
    keras.layers.ELU,
    keras.layers.GaussianDropout,
    keras.layers.GaussianNoise,
    GroupDropout,
    keras.layers.Identity,
    keras.layers.LeakyReLU,
    keras.layers.ReLU,
    keras.layers.SpatialDropout2D,
)
# These have an `axis`, or several.
ALONG_AXES = (
    keras.layers.BatchNormalization,
    keras.layers.Concatenate,
    keras.layers.LayerNormalization,
    keras.layers.Softmax,
)
WITHOUT_CONDITIONS = (
    *ELEMENTWISE,
    *PLANAR_POOLINGS,
    *GLOBAL_POOLINGS,
    keras.layers.Dense,
    keras.layers.Flatten,
    LocalResponseNormalization,
)
WITH_KERNELS = (
    *PLANAR_CONVOLUTIONS,
    keras.layers.Conv1D,
    keras.layers.Conv3D,
    keras.layers.Dense,
    keras.layers.SeparableConv1D,
)
MERGES = (
    keras.layers.Add,
    keras.layers.Average,
    keras.layers.Maximum,
    keras.layers.Minimum,
    keras.layers.Multiply,
    keras.layers.Subtract,
)


def is_planar(operation):
    """Whether it is a known stock convolution or pooling in two dimensions."""
    return type(operation) in (*KNOWN_CONVOLUTIONS, *PLANAR_POOLINGS)


def is_known(operation, inputs):
    """Whether it is exact at every size that its window fits, one of stock layers too.

    Args:
        operation: a Keras layer or operation.
        inputs: what it is called with, a tensor or a list of them.
    """
    kind = type(operation)
    if not _is_known_activation(getattr(operation, "activation", None)):
        return False
    if getattr(operation, "data_format", None) == "channels_first":
        return False
    tensors = keras.tree.flatten(inputs)
    if kind in ALONG_AXES:
        return works_along_channels(operation, tensors[0]) and (
            len(tensors) == 1 or _orientations_agree(operation)
        )
    if kind in MERGES:
        alike = len({tuple(tensor.shape) for tensor in tensors}) == 1
        return alike and _orientations_agree(operation)
    if kind is keras.layers.Rescaling:
        constants = (operation.scale, operation.offset)
        return all(len(keras.ops.shape(constant)) <= 1 for constant in constants)
    if isinstance(operation, GroupLayer):
        return kind.__module__.startswith("zoo.layers.")
    if kind in KNOWN_CONVOLUTIONS:
        return max(operation.kernel_size) == 1
    return kind in WITHOUT_CONDITIONS


def may_be_untied(operation, inputs, weight):
    """Whether a weight of an operation could tell positions or orientations apart.

    Of the known layers a kernel can: a planar one by what it does on the grid, that of
    a dense layer by what was flattened before.
    """
    if type(operation) in WITH_KERNELS:
        return weight.name != "bias"
    return not is_known(operation, inputs)


def _orientations_agree(operation):
    """Whether the maps that are merged are known to be maps of one group."""
    try:
        orientations_of(operation.output)
    except ValueError:
        return False
    return True


def _is_known_activation(activation):
    """Keras's own work on each number, or along the channels."""
    if activation is None or activation is scaled_tanh:
        return True
    name = getattr(activation, "__name__", "")
    return getattr(keras.activations, name, None) is activation
