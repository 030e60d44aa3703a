"""What every layer of a model makes of some inputs, for what compares two of them."""

import math
import warnings
from contextlib import contextmanager
from dataclasses import dataclass

import keras
import numpy as np

from zoo.analysis._graph import (
    as_functional,
    ends_in_probabilities,
    last_operation,
    run,
    works_along_channels,
)
from zoo.layers.group.orientations import orientations_of

# What rounding leaves in a net of up to about ten layers. Half precision leaves so much
# that only the look in float64 tells.
TOLERANCES = {"float64": 1e-12, "float32": 1e-5, "float16": 0.0, "bfloat16": 0.0}
FLOAT64_TOLERANCE = 1e-9
# Outputs that differ by less between two inputs, in standard deviations, may differ by
# rounding alone: ten times what counts as exact.
RESOLUTIONS = {"float64": 1e-8}
RESOLUTION = 1e-4


class NotFiniteError(ValueError):
    """A model whose outputs are NaN or infinite has no equivariance error."""


@dataclass(frozen=True)
class Output:
    """The output of one layer.

    Args:
        layer: its name.
        kind: its class.
        values: float64 array.
        orientations: `(group, subgroup)` that the orientation axis runs over, or None.
        call: the `Call` that made it, or None for the output of the model.
        index: its number among the outputs of the model.
        resolution: what two inputs must make of it, in standard deviations, to tell
            more than rounding.
    """

    layer: str
    kind: str
    values: np.ndarray
    orientations: tuple | None = None
    call: object = None
    index: int = 0
    resolution: float = RESOLUTION

    def error(self, found, expected):
        """The largest difference, in standard deviations of what is expected.

        Returns:
            Infinity for another shape; NaN for nothing, or for what is the same for
            all inputs of a batch: any error would be hidden in it.
        """
        if found.shape != expected.shape:
            return math.inf
        std = expected.std() if expected.size else 0
        varies = len(expected) < 2 or np.ptp(expected, axis=0).max(initial=0)
        if std == 0 or varies <= self.resolution * std:
            return math.nan
        return float(np.abs(found - expected).max() / std)


@dataclass(frozen=True)
class Call:
    """One operation, called with some inputs.

    Args:
        operation: a Keras layer, operation or subclassed model.
        args, kwargs: what it was called with.
        value: what it returned.
    """

    operation: object
    args: tuple
    kwargs: dict
    value: object

    def again(self):
        """The output with the weights that the operation has now, float64."""
        return to_float64(self.operation(*self.args, **self.kwargs))


def outputs_of(model, inputs):
    """An `Output` for every layer of a model, and last that of the model itself.

    A last softmax along the channels, or sigmoid, that is an operation of its own is
    skipped.

    Raises:
        NotFiniteError: for an output that is not finite.
    """
    found = []

    def record(layer, kind, value, orientations, call=None):
        values = to_float64(value)
        if not np.isfinite(values).all():
            raise NotFiniteError(
                f"The output of layer {layer!r} is not finite on standard normal noise."
            )
        dtype = keras.backend.standardize_dtype(value.dtype)
        resolution = RESOLUTIONS.get(dtype, RESOLUTION)
        index = len(found)
        found.append(Output(layer, kind, values, orientations, call, index, resolution))

    def call(operation, *args, **kwargs):
        if operation is squashing:
            return args[0]
        value = operation(*args, **kwargs)
        if keras.ops.is_tensor(value):
            record(
                operation.name,
                type(operation).__name__,
                value,
                orientations_of(operation.output),
                Call(operation, args, kwargs, value),
            )
        return value

    inputs = as_input(model, inputs)
    functional = as_functional(model)
    if functional is None:
        value = model(inputs, training=False)
        whole = Call(model, (inputs,), {"training": False}, value)
        record(model.name, type(model).__name__, value, None, whole)
        return found
    squashing = last_operation(functional)
    if not (
        ends_in_probabilities(squashing)
        and works_along_channels(squashing, functional.outputs[0])
        and len(squashing._inbound_nodes) == 1  # it may be a gate elsewhere
    ):
        squashing = None
    value = keras.tree.flatten(run(functional, inputs, call))[0]
    record(model.name, "Functional", value, orientations_of(functional.outputs[0]))
    return found


def as_input(model, inputs):
    """Inputs as a tensor in the precision of a model; a tensor of it stays itself."""
    dtype = model.dtype_policy.compute_dtype
    if keras.ops.is_tensor(inputs):
        return keras.ops.convert_to_tensor(inputs, dtype=dtype)
    return keras.ops.convert_to_tensor(np.ascontiguousarray(inputs), dtype=dtype)


def to_float64(tensor):
    """A tensor of any backend and precision as a float64 array."""
    return np.asarray(keras.ops.convert_to_numpy(tensor)).astype("float64")


def table(*rows):
    """Rows of strings under each other, the columns as wide as they must be."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return [
        "  ".join(
            cell.ljust(width) for cell, width in zip(row, widths, strict=True)
        ).rstrip()
        for row in rows
    ]


def said(error):
    """An error as a table says it; "-" for NaN."""
    return "-" if math.isnan(error) else f"{error:.1e}"


def worst(errors):
    """The largest error that is not NaN, or NaN if there is none."""
    known = [error for error in errors if not math.isnan(error)]
    return max(known) if known else math.nan


@contextmanager
def without_last_activation(model):
    """Makes a last layer linear that ends in a softmax or sigmoid.

    Softmax as a layer or operation of its own is skipped in `outputs_of`.
    """
    last = None if as_functional(model) is None else last_operation(model)
    activation = getattr(last, "activation", None)
    if activation is None or not ends_in_probabilities(last):
        yield
        return
    last.activation = keras.activations.linear
    try:
        yield
    finally:
        last.activation = activation


@contextmanager
def unchanged_state(model):
    """Puts back what running a model changes: moving statistics, random seeds."""
    states = [(v, keras.ops.convert_to_numpy(v)) for v in model.non_trainable_variables]
    try:
        yield
    finally:
        for variable, values in states:
            variable.assign(values)


@contextmanager
def in_float64(model):
    """Lets every layer compute in float64; the weights are cast, not changed."""
    layers = list(model._flatten_layers())
    # The setter would write into a `DTypePolicyMap`, which is the user's.
    policies = [layer._dtype_policy for layer in layers]
    try:
        for layer in layers:
            layer._dtype_policy = _ComputeInFloat64()
        yield
    finally:
        for layer, policy in zip(layers, policies, strict=True):
            layer._dtype_policy = policy


class _ComputeInFloat64(keras.DTypePolicy):
    """Casts weights, whatever they are stored in, to float64 where they are used."""

    def __init__(self):
        super().__init__("float64")

    @property
    def compute_dtype(self):
        return "float64"

    @property
    def variable_dtype(self):
        return "float32"


def has_float64():
    """JAX computes in float64 only when it was started so."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        one = keras.ops.convert_to_tensor(1.0, dtype="float64")
    return keras.backend.standardize_dtype(one.dtype) == "float64"


def lowest_precision(model):
    """The lowest precision in which a layer with weights computes."""
    order = list(TOLERANCES)
    dtypes = [
        layer.compute_dtype
        for layer in model._flatten_layers(include_self=False)
        if layer.weights and layer.compute_dtype in order
    ]
    return max(dtypes, key=order.index, default="float32")
