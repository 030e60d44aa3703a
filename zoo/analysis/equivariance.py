"""How exactly a model turns with its input, measured."""

import dataclasses
import math
from contextlib import contextmanager
from dataclasses import dataclass

import keras
import numpy as np

from zoo.analysis._graph import (
    as_functional,
    check_is_model,
    ends_in_probabilities,
    last_operation,
    operations_of,
    run,
)
from zoo.layers._orientations import orientations_of
from zoo.layers.groups import get_group

# What rounding leaves in a net of up to about ten layers. Half precision leaves so much
# that only the look in float64 tells.
TOLERANCES = {"float64": 1e-12, "float32": 1e-5, "float16": 0.0, "bfloat16": 0.0}
FLOAT64_TOLERANCE = 1e-9


class NotFiniteError(ValueError):
    """A model whose outputs are NaN or infinite has no equivariance error."""


@dataclass(frozen=True)
class EquivarianceRow:
    """The error of one layer's output.

    Args:
        layer: its name.
        kind: its class.
        output_shape: with None for the batch.
        errors: one number an element of the group; NaN where the group has no action
            on this output, or the output is constant and says nothing.
    """

    layer: str
    kind: str
    output_shape: tuple
    errors: tuple

    @property
    def error(self):
        """The worst over the elements, or NaN if there is none."""
        known = [error for error in self.errors if not math.isnan(error)]
        return max(known) if known else math.nan


@dataclass(frozen=True)
class EquivarianceReport:
    """What `equivariance_report` found.

    Args:
        group: name of the group whose elements were tried.
        elements: their names.
        dtype: the lowest precision in which a layer with weights computes.
        rows: an `EquivarianceRow` a layer.
        output: the `EquivarianceRow` of the model's output, on logits.
        float64_error: the error of the output with every layer computing in float64,
            on the same weights; None where that was not needed.
    """

    group: str
    elements: tuple
    dtype: str
    rows: tuple
    output: EquivarianceRow
    float64_error: float | None = None

    @property
    def output_error(self):
        """The error of the model's output, the worst over the group."""
        return self.output.error

    @property
    def tolerance(self):
        """What counts as exact in this precision."""
        return TOLERANCES[self.dtype]

    @property
    def exact(self):
        """Whether all that the output differs by is rounding.

        It is where the error is within the tolerance of the precision. Deep nets, wide
        layers and half precision round more than that: then the same net in float64
        decides.
        """
        if self.output_error < self.tolerance:
            return True
        return (self.float64_error or math.inf) < FLOAT64_TOLERANCE

    def __str__(self):
        verdict = "exactly" if self.exact else "NOT"
        in_float64 = ""
        if self.float64_error is not None:
            in_float64 = f"; {self.float64_error:.1e} in float64"
        lines = [
            f"{verdict} equivariant under {self.group}: error {self.output_error:.1e} "
            f"({self.dtype}{in_float64})",
            f"{'layer':<28} {'kind':<28} {'output':<28} {'error':>8}",
        ]
        for row in (*self.rows, self.output):
            shape = "x".join(str(size) for size in row.output_shape[1:])
            lines.append(
                f"{row.layer:<28} {row.kind:<28} {shape:<28} {row.error:>8.1e}"
            )
        return "\n".join(lines)


def equivariance_report(model, group=None, batch_size=8, seed=0, input_shape=None):
    """Measures, on noise, how exactly a model turns with its input.

    For every element g of the group, and for the output of every layer f,

        error(g) = max |f(g x) - g f(x)| / std(f(x))

    where x is standard normal noise. A 5-D map moves in position and orientation, a
    4-D one in position, a vector does not move. A last softmax or sigmoid is left
    out: it would hide differences that the logits show.

    Args:
        model: a Keras model with one image input. Of a subclassed model only the
            output is measured.
        group: name of the group to try; None for the model's own (the one that all
            of its group layers share), or `"D4"` for a model without group layers.
        batch_size: int, number of noise images.
        seed: int, of the noise.
        input_shape: `(height, width, channels)` of the noise, for a model that leaves
            it open or is subclassed.

    Returns:
        An `EquivarianceReport`; print it for a table.

    Raises:
        ValueError: for a model that does not take one batch of images, an unknown
            group, an open or not square size, or an output that is not finite.

    Example:

    >>> import zoo
    >>> equivariance_report(zoo.p4cnn()).exact
    True
    >>> equivariance_report(zoo.z2cnn(), group="C4").output_error > 0.05
    True
    """
    check_is_model(model)
    if not isinstance(batch_size, int) or batch_size < 1:
        raise ValueError(
            f"`batch_size` must be a positive integer. Received: {batch_size!r}"
        )
    group = get_group(group or own_group(model))
    shape = _image_shape(model, group, input_shape)
    noise = np.random.default_rng(seed).standard_normal((batch_size, *shape))
    with _without_last_activation(model):
        rows = _measure(model, group, noise)
        report = EquivarianceReport(
            group=group.name,
            elements=tuple(_element_name(group, g) for g in range(group.order)),
            dtype=_lowest_precision(model),
            rows=tuple(rows[:-1]),
            output=dataclasses.replace(rows[-1], layer="(output)", kind="logits"),
        )
        if report.exact or not _has_float64():
            return report
        with _in_float64(model):
            output = _measure(model, group, noise)[-1]
    return dataclasses.replace(report, float64_error=output.error)


def own_group(model):
    """Name of the group that all group layers of a model share; D4 without any."""
    functional = as_functional(model)
    layers = (
        model._flatten_layers() if functional is None else operations_of(functional)
    )
    names = {layer.group for layer in layers if hasattr(layer, "group")} - {"C1"}
    if not names:
        return "D4"
    common = [
        name
        for name in names
        if all(name in get_group(other).subgroup_names for other in names)
    ]
    if not common:
        raise ValueError(
            f"The layers of {model.name} have different groups: "
            f"{', '.join(sorted(names))}. Say which one to measure, as group=..."
        )
    return common[0]


@dataclass(frozen=True)
class _Output:
    """What one layer made of the noise, and what its orientation axis runs over."""

    layer: str
    kind: str
    values: np.ndarray
    orientations: tuple | None


def _image_shape(model, group, asked):
    inputs = getattr(model, "inputs", None)
    if inputs and (len(inputs) != 1 or len(inputs[0].shape) != 4):
        raise ValueError(
            "Expected a model with one input (batch, height, width, channels). "
            f"Received: {[tuple(tensor.shape) for tensor in inputs]}"
        )
    own = inputs[0].shape[1:] if inputs else (None, None, None)
    asked = own if asked is None else tuple(asked)
    if len(asked) != 3 or any(
        size is not None and size != wanted
        for size, wanted in zip(own, asked, strict=True)
    ):
        raise ValueError(
            f"{model.name} takes images (height, width, channels) = {tuple(own)}. "
            f"Received: input_shape={asked}"
        )
    if None in asked:
        raise ValueError(
            f"{model.name} leaves the shape of its images open: {tuple(own)}. Say at "
            f"which to measure, as input_shape=(height, width, channels)."
        )
    if group.has_quarter_turns and asked[0] != asked[1]:
        raise ValueError(
            f"Quarter turns are measured on square images. Received: {asked[0]} x "
            f"{asked[1]}. Use group='C2' or 'D2', or a square model."
        )
    return asked


def _measure(model, group, noise):
    """One `EquivarianceRow` a layer, and last that of the output."""
    reference = _outputs(model, noise)
    errors = [[] for _ in reference]
    for element in range(group.order):
        moved = _outputs(model, group.act_on_images(element, noise))
        for collected, before, after in zip(errors, reference, moved, strict=True):
            collected.append(_error(group, element, before, after))
    return [
        EquivarianceRow(
            output.layer, output.kind, (None, *output.values.shape[1:]), tuple(found)
        )
        for output, found in zip(reference, errors, strict=True)
    ]


def _outputs(model, images):
    """What every layer makes of the images, and last the model itself."""
    found = []

    def record(layer, kind, value, orientations):
        values = keras.ops.convert_to_numpy(keras.ops.cast(value, "float64"))
        if not np.isfinite(values).all():
            raise NotFiniteError(
                f"The output of layer {layer!r} is not finite on standard normal noise."
            )
        found.append(_Output(layer, kind, values, orientations))

    def call(operation, *args, **kwargs):
        if operation is squashing:
            return args[0]
        outputs = operation(*args, **kwargs)
        if keras.ops.is_tensor(outputs):
            symbolic = operation.output
            record(
                operation.name,
                type(operation).__name__,
                outputs,
                orientations_of(symbolic),
            )
        return outputs

    functional = as_functional(model)
    dtype = model.dtype_policy.compute_dtype
    images = keras.ops.convert_to_tensor(np.ascontiguousarray(images), dtype=dtype)
    if functional is None:
        record(model.name, type(model).__name__, model(images, training=False), None)
        return found
    squashing = last_operation(functional)
    if not ends_in_probabilities(squashing):
        squashing = None
    output = run(functional, images, call)
    symbolic = functional.outputs[0]
    output = keras.tree.flatten(output)[0]
    record(model.name, "Functional", output, orientations_of(symbolic))
    return found


def _error(group, element, before, after):
    expected = _move(group, element, before)
    spread = before.values.std()
    if expected is None or spread == 0:
        return math.nan
    return float(np.abs(after.values - expected).max() / spread)


def _move(group, element, output):
    """g f(x), or None where the group has no action on such an output."""
    values, rank = output.values, output.values.ndim
    if rank == 2:
        return values
    if rank == 4:
        return group.act_on_images(element, values)
    if rank != 5 or output.orientations is None:
        return None
    producer, subgroup = get_group(output.orientations[0]), output.orientations[1]
    if group.name not in producer.subgroup_names:
        return None
    own_element = producer.subgroup_elements(group.name)[element]
    moved = group.act_on_grid(element, values, axes=(1, 2))
    permutation = producer.coset_permutation(own_element, subgroup)
    return np.take(moved, permutation, axis=3)


@contextmanager
def _without_last_activation(model):
    """Makes a last layer linear that ends in a softmax or sigmoid.

    Softmax as a layer or operation of its own is skipped in `_outputs`.
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
def _in_float64(model):
    """Lets every layer compute in float64; the weights are cast, not changed."""
    layers = list(model._flatten_layers())
    policies = [layer.dtype_policy for layer in layers]
    for layer in layers:
        layer.dtype_policy = _ComputeInFloat64()
    try:
        yield
    finally:
        for layer, policy in zip(layers, policies, strict=True):
            layer.dtype_policy = policy


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


def _has_float64():
    """JAX computes in float64 only when it was started so."""
    one = keras.ops.convert_to_tensor(1.0, dtype="float64")
    return keras.backend.standardize_dtype(one.dtype) == "float64"


def _lowest_precision(model):
    order = list(TOLERANCES)
    dtypes = [
        layer.compute_dtype
        for layer in model._flatten_layers(include_self=False)
        if layer.weights and layer.compute_dtype in order
    ]
    return max(dtypes, key=order.index, default="float32")


def _element_name(group, element):
    flips, turns = group.flips_and_turns(element)
    turn = f"{turns * 360 // group.rotations}°"
    return f"flip, {turn}" if flips else turn
