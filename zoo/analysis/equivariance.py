"""How exactly the output of a model rotates with its input, measured."""

import contextlib
import dataclasses
import math
from dataclasses import dataclass

import numpy as np

from zoo.analysis._drawn_weights import described, replacing, untied_weights
from zoo.analysis._graph import as_functional, check_is_model, operations_of
from zoo.analysis._outputs import (
    FLOAT64_TOLERANCE,
    TOLERANCES,
    has_float64,
    in_float64,
    lowest_precision,
    outputs_of,
    said,
    table,
    unchanged_state,
    without_last_activation,
    worst,
)
from zoo.analysis.translation import TranslationReport, translation_report
from zoo.layers.group.groups import Group, get_group


@dataclass(frozen=True)
class EquivarianceRow:
    """The error of one layer's output.

    Args:
        layer: its name.
        kind: its class.
        output_shape: with None for the batch.
        errors: one number per element of the group; infinite where the output gets
            another shape, NaN where the group has no action on it, or where it is
            constant, which tells nothing.
    """

    layer: str
    kind: str
    output_shape: tuple
    errors: tuple

    @property
    def error(self):
        """The worst over the elements, or NaN if there is none."""
        return worst(self.errors)


@dataclass(frozen=True)
class EquivarianceReport:
    """What `equivariance_report` found.

    Args:
        group: name of the group whose elements were tried.
        elements: their names.
        dtype: the lowest precision in which a layer with weights computes.
        rows: an `EquivarianceRow` for each layer.
        output: the `EquivarianceRow` of the model's output, on logits.
        float64_error: the error of the output with every layer computing in float64,
            on the same weights; None where that was not needed.
        drawn: paths of the weights that were drawn at random for the measurement. They
            are constant now, and have an axis of positions or orientations: training
            makes of an exact model what was measured here.
        translation: the `TranslationReport` of the same model, or None for one whose
            layers can't be followed.
    """

    group: str
    elements: tuple
    dtype: str
    rows: tuple
    output: EquivarianceRow
    float64_error: float | None = None
    drawn: tuple = ()
    translation: TranslationReport | None = None

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
        in_float64 = self.float64_error
        return in_float64 is not None and in_float64 < FLOAT64_TOLERANCE

    def __str__(self):
        verdict = "exactly" if self.exact else "NOT"
        in_float64 = ""
        if self.float64_error is not None:
            in_float64 = f"; {self.float64_error:.1e} in float64"
        cells = [("layer", "kind", "output", "error")]
        for row in (*self.rows, self.output):
            shape = "x".join(str(size) for size in row.output_shape[1:])
            cells.append((row.layer, row.kind, shape, said(row.error)))
        lines = [
            f"{verdict} equivariant under {self.group}: error {self.output_error:.1e} "
            f"({self.dtype}{in_float64})",
            *described(self.drawn),
            *table(*cells),
        ]
        if self.translation is not None:
            lines += ["", str(self.translation)]
        return "\n".join(lines)


def equivariance_report(model, group=None, batch_size=8, seed=0, input_shape=None):
    """Measures, on noise, how exactly the output of a model rotates with its input.

    For every element g of the group, and for the output of every layer f,

        error(g) = max |f(g x) - g f(x)| / std(f(x))

    where x is standard normal noise. A 5-D map moves in position and orientation, a
    4-D one in position, a vector does not move. A last softmax or sigmoid is skipped:
    it would hide differences that the logits show.

    Weights that are constant, as untrained ones often are, and that have an axis of
    positions or orientations are drawn at random for the measurement and named in the
    report: training will set them apart. The model itself is not changed.

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
        An `EquivarianceReport`; print it for a table. Its `translation` is what
        `zoo.translation_report` measures, on at most two of the images.

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
    report = group_report(model, group, batch_size, seed, input_shape)
    if as_functional(model) is None:
        return report
    shifts = translation_report(model, min(batch_size, 2), seed, input_shape)
    return dataclasses.replace(report, translation=shifts)


def group_report(model, group=None, batch_size=8, seed=0, input_shape=None):
    """An `EquivarianceReport` of the group alone, without translation.

    Its arguments and errors are those of `equivariance_report`.
    """
    check_is_model(model)
    if not isinstance(batch_size, int) or batch_size < 1:
        raise ValueError(
            f"`batch_size` must be a positive integer. Received: {batch_size!r}"
        )
    group = get_group(group or own_group(model))
    shape = _image_shape(model, group, input_shape)
    return measured_on((batch_size, *shape), model, group, seed)


def measured_on(shape, model, group, seed=0):
    """An `EquivarianceReport` of a group, on noise of a shape that nothing checks.

    Args:
        shape: `(batch, height, width, channels)`, also another than the model's own.
        model: a Keras model.
        group: a `Group`.
        seed: int, of the noise.
    """
    noise = np.random.default_rng(seed).standard_normal(shape)
    motions = [_Element(group, index) for index in range(group.order)]
    with contextlib.ExitStack() as stack:
        stack.enter_context(unchanged_state(model))
        stack.enter_context(without_last_activation(model))
        drawn = untied_weights(model, noise[:2], _generators(group, motions), seed)
        stack.enter_context(replacing(drawn))
        rows = _measure(model, motions, noise)
        report = EquivarianceReport(
            group=group.name,
            elements=tuple(map(str, motions)),
            dtype=lowest_precision(model),
            rows=tuple(rows[:-1]),
            output=dataclasses.replace(rows[-1], layer="(output)", kind="logits"),
            drawn=tuple(weight.path for weight, _ in drawn),
        )
        if report.exact or math.isinf(report.output_error) or not has_float64():
            return report
        try:
            with in_float64(model):
                output = _measure(model, motions, noise)[-1]
        except Exception:  # not all operations of a backend take float64
            return report
    return dataclasses.replace(report, float64_error=output.error)


def _generators(group, motions):
    """What all motions are made of, one turn and one flip, and the half turn."""
    half = group.rotations // 2
    indices = {1 % group.rotations, half, group.rotations * group.has_flips} - {0}
    return [motions[index] for index in sorted(indices)]


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


@dataclass(frozen=True)
class _Element:
    """One element of the group, as a motion of images and feature maps."""

    group: Group
    index: int

    def move(self, images):
        return self.group.act_on_images(self.index, images)

    def error(self, before, after, values=None):
        """How far the output after the motion is from the moved one before it."""
        values = values or (before.values, after.values)
        expected = self._moved(before, values[0])
        return math.nan if expected is None else before.error(values[1], expected)

    def _moved(self, output, values):
        """g f(x), or None where the group has no action on such an output."""
        if values.ndim == 2:
            return values
        if values.ndim == 4:
            return self.group.act_on_images(self.index, values)
        if values.ndim != 5 or output.orientations is None:
            return None
        producer, subgroup = get_group(output.orientations[0]), output.orientations[1]
        if self.group.name not in producer.subgroup_names:
            return None
        element = producer.subgroup_elements(self.group.name)[self.index]
        moved = self.group.act_on_grid(self.index, values, axes=(1, 2))
        permutation = producer.coset_permutation(element, subgroup)
        if values.shape[3] == 1:  # pooled by something that is no group layer
            return moved
        if values.shape[3] != len(permutation):
            return None
        return np.take(moved, permutation, axis=3)

    def __str__(self):
        flips, turns = self.group.flips_and_turns(self.index)
        angle = f"{turns * 360 // self.group.rotations}°"
        return f"flip, {angle}" if flips else angle


def _measure(model, motions, noise):
    """An `EquivarianceRow` for each layer, and last that of the output."""
    before = outputs_of(model, noise)
    errors = [[] for _ in before]
    for motion in motions:
        moved = outputs_of(model, motion.move(noise))
        for collected, one, other in zip(errors, before, moved, strict=True):
            collected.append(motion.error(one, other))
    return [
        EquivarianceRow(
            output.layer, output.kind, (None, *output.values.shape[1:]), tuple(found)
        )
        for output, found in zip(before, errors, strict=True)
    ]
