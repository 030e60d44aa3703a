"""How many parameters a model has and how many multiplications it takes."""

import math
from dataclasses import dataclass

import keras
import numpy as np

from zoo.analysis._graph import as_functional, check_is_model, run
from zoo.layers import GroupConv2D, TableConv2D, UntiedBias
from zoo.layers.classic.weight_normalized_conv_1d import WeightNormalizedConv1D
from zoo.layers.scale.base import ScaleLayer

TRANSPOSED = (
    keras.layers.Conv1DTranspose,
    keras.layers.Conv2DTranspose,
    keras.layers.Conv3DTranspose,
)
CONVOLUTIONS = (
    keras.layers.Conv1D,
    keras.layers.Conv2D,
    keras.layers.Conv3D,
    keras.layers.DepthwiseConv1D,
    keras.layers.DepthwiseConv2D,
)
# Operations of keras.ops that multiply matrices; what they cost is not counted here.
PRODUCTS = {"Conv", "Dot", "Einsum", "Inner", "Matmul", "Outer", "Tensordot", "Vdot"}
SEPARABLE = (keras.layers.SeparableConv1D, keras.layers.SeparableConv2D)


@dataclass(frozen=True)
class CountRow:
    """One layer.

    Args:
        layer: its name.
        kind: its class.
        output_shape: with None for the batch.
        trainable, non_trainable: numbers of parameters.
        multiply_adds: for one input; None if a size is open or the layer is of a kind
            that is not known here.
    """

    layer: str
    kind: str
    output_shape: tuple
    trainable: int
    non_trainable: int
    multiply_adds: int | None

    @property
    def parameters(self):
        return self.trainable + self.non_trainable


@dataclass(frozen=True)
class CountReport:
    """What `count` found; print it for a table."""

    name: str
    rows: tuple

    @property
    def trainable(self):
        return sum(row.trainable for row in self.rows)

    @property
    def non_trainable(self):
        return sum(row.non_trainable for row in self.rows)

    @property
    def parameters(self):
        return self.trainable + self.non_trainable

    @property
    def multiply_adds(self):
        """The sum, or None if that of a layer is not known."""
        counts = [row.multiply_adds for row in self.rows]
        return None if None in counts else sum(counts)

    def __str__(self):
        header = ("layer", "kind", "output", "parameters", "multiply-adds")
        lines = [_line(*header)]
        for row in self.rows:
            shape = "x".join(str(size) for size in row.output_shape[1:])
            lines.append(
                _line(row.layer, row.kind, shape, row.parameters, row.multiply_adds)
            )
        lines.append(_line(self.name, "", "", self.parameters, self.multiply_adds))
        lines.append(f"trainable {self.trainable:,}, other {self.non_trainable:,}")
        return "\n".join(lines)


def count(model):
    """Counts parameters and multiply-adds, layer by layer.

    A multiply-add is one multiplication by a weight of a convolution or a dense
    layer, added up; normalisation, pooling and activations are not counted. A group
    convolution counts what its expanded form costs, `|G|` times its stored filter at
    each position.

    Args:
        model: a functional or sequential Keras model, built.

    Returns:
        A `CountReport` with `rows`, `trainable`, `non_trainable`, `parameters` and
        `multiply_adds`.

    Raises:
        ValueError: for a subclassed or unbuilt model.

    Example:

    >>> import zoo
    >>> count(zoo.z2cnn()).trainable
    21750
    """
    check_is_model(model)
    functional = as_functional(model)
    if functional is None:
        raise ValueError(
            f"{model.name} has no graph to walk through. Expected a functional or "
            f"sequential model, built."
        )
    rows, seen = [], set()

    def call(operation, *args, **kwargs):
        output = operation.compute_output_spec(*args, **kwargs)
        # A shared layer has its weights once and its multiplications at each call.
        weights = [] if id(operation) in seen else getattr(operation, "weights", [])
        seen.add(id(operation))
        trainable = sum(_size(weight) for weight in weights if weight.trainable)
        rows.append(
            CountRow(
                layer=operation.name,
                kind=type(operation).__name__,
                output_shape=tuple(getattr(output, "shape", ())),
                trainable=trainable,
                non_trainable=sum(_size(weight) for weight in weights) - trainable,
                multiply_adds=_multiply_adds(operation, args, output),
            )
        )
        return output

    run(functional, functional.inputs, call)
    return CountReport(model.name, tuple(rows))


def _multiply_adds(operation, inputs, output):
    """For one input; None where that can't be said."""
    if isinstance(operation, GroupConv2D):
        return _product(*output.shape[1:4], _size(operation.kernel))
    if isinstance(operation, (TableConv2D, ScaleLayer)):
        return _product(*output.shape[1:3], _size(operation.kernel))
    if isinstance(operation, WeightNormalizedConv1D):
        return _product(output.shape[1], _size(operation.kernel))
    if isinstance(operation, UntiedBias):
        return 0
    if isinstance(operation, TRANSPOSED):
        positions = _positions(operation, inputs[0])
        return _product(*positions, _size(operation.kernel))
    if isinstance(operation, CONVOLUTIONS):
        return _product(*_positions(operation, output), _size(operation.kernel))
    if isinstance(operation, SEPARABLE):
        kernels = _size(operation.depthwise_kernel) + _size(operation.pointwise_kernel)
        return _product(*_positions(operation, output), kernels)
    if isinstance(operation, keras.layers.Dense):
        return _product(*output.shape[1:], operation.kernel.shape[0])
    is_matrix = [len(weight.shape) > 1 for weight in getattr(operation, "weights", [])]
    if any(is_matrix) or type(operation).__name__ in PRODUCTS:
        return None
    return 0


def _positions(layer, tensor):
    if layer.data_format == "channels_first":
        return tensor.shape[2:]
    return tensor.shape[1:-1]


def _product(*sizes):
    return None if None in sizes else math.prod(sizes)


def _size(weight):
    return int(np.prod(weight.shape))


def _line(layer, kind, shape, parameters, multiply_adds):
    numbers = [
        f"{value:,}" if isinstance(value, int) else str(value or "?")
        for value in (parameters, multiply_adds)
    ]
    return f"{layer:<28} {kind:<28} {shape:<20} {numbers[0]:>14} {numbers[1]:>16}"
