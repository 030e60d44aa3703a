"""What a convolution saves: its parameters beside those of a dense layer."""

import math
from dataclasses import dataclass

import keras

from zoo.analysis._graph import as_functional, operations_of
from zoo.layers import GroupConv2D, TableConv2D, WeightNormalizedConv1D

CONVOLUTIONS = (
    keras.layers.Conv1D,
    keras.layers.Conv2D,
    keras.layers.Conv3D,
    GroupConv2D,
    TableConv2D,
    WeightNormalizedConv1D,
)


@dataclass(frozen=True)
class ComparisonRow:
    """A dense and a convolutional way from the same inputs to the same outputs.

    Args:
        what: what is compared, or the name of the model's layer.
        inputs, outputs: shapes without the batch.
        dense: weights and biases where every output sees every input.
        convolution: those of the convolution.
    """

    what: str
    inputs: tuple
    outputs: tuple
    dense: int
    convolution: int

    @property
    def times(self):
        """How many parameters the dense layer has for one of the convolution."""
        return self.dense / self.convolution


def compare(model=None):
    """Counts what dense layers would need in place of convolutions.

    Nothing of it is allocated: a dense layer has a weight for every pair of an input
    and an output and a bias for every output, a convolution has its filters.

    Args:
        model: a functional or sequential Keras model, built, or None.

    Returns:
        A tuple of `ComparisonRow`. Without a model: one neuron on a whole full-HD image
        beside a 3 x 3 filter that gives one feature, grey and in colour, and a layer of
        64 features for every pixel. With one: a row for each of its convolutions.

    Raises:
        ValueError: for a subclassed or unbuilt model, one without convolutions, or
            open sizes.

    Example:

    >>> row = compare()[0]
    >>> row.dense, row.convolution  # each with its bias
    (2073601, 10)
    >>> import zoo
    >>> row = compare(zoo.lenet5())[0]
    >>> row.what, row.dense, row.convolution
    ('C1', 4821600, 156)
    """
    if model is None:
        return (
            _full_hd("one neuron, grey image", channels=1, neurons=1),
            _full_hd("one neuron, colour image", channels=3, neurons=1),
            _full_hd("64 features a pixel", channels=3, filters=64),
        )
    functional = as_functional(model)
    if functional is None:
        raise ValueError(
            f"{model.name} has no graph to walk through. Expected a functional or "
            f"sequential model, built."
        )
    rows = tuple(
        _row_of(layer)
        for layer in operations_of(functional)
        if isinstance(layer, CONVOLUTIONS)
    )
    if not rows:
        raise ValueError(f"{model.name} has no convolution to compare.")
    return rows


def _full_hd(what, channels, filters=1, neurons=None):
    """A 3 x 3 convolution with so many filters on 1920 x 1080 pixels."""
    inputs = (1080, 1920, channels)
    outputs = (1080, 1920, filters) if neurons is None else (neurons,)
    convolution = (3 * 3 * channels + 1) * filters
    return ComparisonRow(what, inputs, outputs, _dense(inputs, outputs), convolution)


def _row_of(layer):
    inputs, outputs = tuple(layer.input.shape[1:]), tuple(layer.output.shape[1:])
    if None in inputs + outputs:
        raise ValueError(
            f"The sizes of layer {layer.name} are open: input {inputs}, output "
            f"{outputs}. Build the model with a fixed input shape."
        )
    return ComparisonRow(
        layer.name, inputs, outputs, _dense(inputs, outputs), layer.count_params()
    )


def _dense(inputs, outputs):
    return (math.prod(inputs) + 1) * math.prod(outputs)
