"""How exactly a model turns with its input, measured."""

import dataclasses
import math
from contextlib import contextmanager
from dataclasses import dataclass

import keras
import numpy as np

from zoo.analysis._graph import as_functional, operations_of, run
from zoo.layers._orientations import orientations_of
from zoo.layers.groups import get_group

TOLERANCES = {"float64": 1e-12, "float32": 1e-5, "float16": 1e-1, "bfloat16": 1e-1}


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
        dtype: in which the model computes.
        rows: an `EquivarianceRow` a layer.
        output: the `EquivarianceRow` of the model's output, on logits.
    """

    group: str
    elements: tuple
    dtype: str
    rows: tuple
    output: EquivarianceRow

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
        """Whether the output's error is within the rounding of this precision."""
        return self.output_error < self.tolerance

    def __str__(self):
        verdict = "exactly" if self.exact else "NOT"
        lines = [
            f"{verdict} equivariant under {self.group}: error {self.output_error:.1e} "
            f"({self.dtype}, exact below {self.tolerance:.0e})",
            f"{'layer':<28} {'kind':<28} {'output':<28} {'error':>8}",
        ]
        for row in (*self.rows, self.output):
            shape = "x".join(str(size) for size in row.output_shape[1:])
            lines.append(
                f"{row.layer:<28} {row.kind:<28} {shape:<28} {row.error:>8.1e}"
            )
        return "\n".join(lines)


def equivariance_report(model, group=None, batch_size=8, seed=0, size=None):
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
        size: int, height and width where the model leaves them open.

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
    group = get_group(group or _own_group(model))
    noise = _noise(model, group, batch_size, seed, size)
    with _logits(model):
        reference = _outputs(model, noise)
        errors = [[] for _ in reference]
        for element in range(group.order):
            moved = _outputs(model, group.act_on_images(element, noise).copy())
            for collected, before, after in zip(errors, reference, moved, strict=True):
                collected.append(_error(group, element, before, after))
    rows = [
        EquivarianceRow(
            output.layer, output.kind, (None, *output.values.shape[1:]), tuple(found)
        )
        for output, found in zip(reference, errors, strict=True)
    ]
    return EquivarianceReport(
        group=group.name,
        elements=tuple(_element_name(group, g) for g in range(group.order)),
        dtype=keras.backend.standardize_dtype(model.compute_dtype),
        rows=tuple(rows[:-1]),
        output=dataclasses.replace(rows[-1], layer="(output)", kind="logits"),
    )


@dataclass(frozen=True)
class _Output:
    """What one layer made of the noise, and what its orientation axis runs over."""

    layer: str
    kind: str
    values: np.ndarray
    orientations: tuple | None


def _own_group(model):
    functional = as_functional(model)
    layers = [] if functional is None else operations_of(functional)
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


def _noise(model, group, batch_size, seed, size):
    inputs = getattr(model, "inputs", None)
    if not inputs:
        raise ValueError(
            f"{model.name} has no known input shape. Build it, or call it once, first."
        )
    if len(inputs) != 1 or len(inputs[0].shape) != 4:
        raise ValueError(
            "Expected a model with one input (batch, height, width, channels). "
            f"Received: {[tuple(tensor.shape) for tensor in inputs]}"
        )
    height, width, channels = inputs[0].shape[1:]
    height, width = height or size, width or size
    if height is None:
        raise ValueError(
            f"{model.name} leaves height and width open. Say at which size to measure, "
            f"as size=..."
        )
    if group.has_quarter_turns and height != width:
        raise ValueError(
            f"Quarter turns are measured on square images. Received: {height} x {width}"
            f". Use group='C2' or 'D2', or a square model."
        )
    rng = np.random.default_rng(seed)
    noise = rng.standard_normal((batch_size, height, width, channels))
    return noise.astype(inputs[0].dtype)


def _outputs(model, images):
    """What every layer makes of the images, and last the model itself."""
    found = []

    def record(layer, kind, value, orientations):
        values = keras.ops.convert_to_numpy(keras.ops.cast(value, "float64"))
        if not np.isfinite(values).all():
            raise ValueError(
                f"The output of layer {layer!r} is not finite on standard normal noise."
            )
        found.append(_Output(layer, kind, values, orientations))

    def call(operation, *args, **kwargs):
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
    images = keras.ops.convert_to_tensor(images)
    if functional is None:
        record(model.name, type(model).__name__, model(images, training=False), None)
    else:
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
def _logits(model):
    """Leaves a last softmax or sigmoid out."""
    last = _last_operation(model)
    squashing = (keras.activations.softmax, keras.activations.sigmoid)
    activation = getattr(last, "activation", None)
    if activation not in squashing:
        yield
        return
    last.activation = keras.activations.linear
    try:
        yield
    finally:
        last.activation = activation


def _last_operation(model):
    functional = as_functional(model)
    if functional is None:
        return None
    operation = functional.outputs[0]._keras_history.operation
    if isinstance(operation, keras.Model):
        return _last_operation(operation)
    return operation


def _element_name(group, element):
    flips, turns = group.flips_and_turns(element)
    turn = f"{turns * 360 // group.rotations}°"
    return f"flip, {turn}" if flips else turn
