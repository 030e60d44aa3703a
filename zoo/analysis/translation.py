"""How exactly the output of a model moves when its input is shifted, measured."""

import dataclasses
import itertools
import math
from dataclasses import dataclass

import keras
import numpy as np

from zoo.analysis._drawn_weights import described, replacing, untied_weights
from zoo.analysis._graph import as_functional, check_is_model
from zoo.analysis._outputs import (
    as_input,
    outputs_of,
    said,
    table,
    unchanged_state,
    without_last_activation,
)
from zoo.analysis._shift_fields import input_axes, output_axes


@dataclass(frozen=True)
class TranslationRow:
    """What shifts of the input do to the output of one layer.

    Args:
        layer: its name.
        kind: its class.
        output_shape: with None for the batch.
        stride: for each axis of positions, the smallest shift of the input, in pixels
            or samples, that can move the output by whole positions; None where that is
            not known.
        border: for each axis, how many positions at its beginning and at its end see
            padding or what lies beyond the border of the input; None where all do, or
            that is not known.
        circular: the error where the input moves by `stride` and what leaves it on one
            side comes in on the other. All positions are compared, so that it shows
            what borders do.
        inside: the error where zeros come in. Positions of the border, and those that
            see the zeros, are ignored: it shows what else is not equivariant.
        one_pixel: the error where the input moves by a single pixel or sample, against
            the nearest whole number of positions: it shows what strides and pooling do.

    Errors are NaN where they are not known: where no position is inside, or the output
    is constant. A vector has no positions: it is expected to stay as it is, and the
    shifts are circular.
    """

    layer: str
    kind: str
    output_shape: tuple
    stride: tuple | None
    border: tuple | None
    circular: float
    inside: float
    one_pixel: float


@dataclass(frozen=True)
class TranslationReport:
    """What `translation_report` found.

    Args:
        rows: a `TranslationRow` for each layer.
        output: that of the model's output, on logits.
        drawn: paths of the weights that were drawn at random for the measurement: they
            are constant now, and training makes each position another.
    """

    rows: tuple
    output: TranslationRow
    drawn: tuple = ()

    def cells(self):
        """The table of the report: a tuple of strings for each row, headings first."""
        rows = [("layer", "stride", "circular", "inside", "border", "one pixel")]
        for row in (*self.rows, self.output):
            border = " ".join(f"{one}+{other}" for one, other in row.border or ())
            rows.append(
                (
                    row.layer,
                    " ".join(map(str, row.stride or "?")),
                    said(row.circular),
                    said(row.inside),
                    border or "-",
                    said(row.one_pixel),
                )
            )
        return rows

    def __str__(self):
        lines = [
            "shifted by the stride, circularly, or with zeros inside the border; "
            "and by one pixel",
            *described(self.drawn),
            *table(*self.cells()),
        ]
        return "\n".join(lines)


def translation_report(model, batch_size=2, seed=0, input_shape=None):
    """Measures, on noise, how exactly the output of a model moves with its input.

    Convolution is equivariant to translation: where the input moves, the output moves
    with it. Padding and borders break that near the border; strides and pooling leave
    only the shifts by whole strides; a dense layer on positions, or a bias of its own
    for each of them, ends it. For the output of every layer f that moves by one
    position while the input moves by its stride s,

        error = max |f(S_s x) - S_1 f(x)| / std(f(x))

    where S_s shifts by s along every axis and x is standard normal noise. A last
    softmax or sigmoid is skipped.

    Args:
        model: a functional or sequential Keras model with one input `(batch, samples,
            channels)`, `(batch, height, width, channels)`, or of three axes of
            positions, channels last.
        batch_size: int, number of noise inputs.
        seed: int, of the noise.
        input_shape: shape of one input, for a model that leaves it open.

    Returns:
        A `TranslationReport`; print it for a table.

    Raises:
        ValueError: for a model that is subclassed or takes other inputs, an open size,
            or an output that is not finite.

    Reference: the errors by one pixel are those of Azulay and Weiss, Why do deep
    convolutional networks generalize so poorly to small image transformations?, JMLR
    20, 2019.

    Example:

    >>> import zoo
    >>> report = translation_report(zoo.z2cnn())
    >>> rows = {row.layer: row for row in report.rows}
    >>> rows["conv_1"].inside < 1e-5 < 0.05 < rows["conv_1"].circular
    True
    """
    check_is_model(model)
    if not isinstance(batch_size, int) or batch_size < 1:
        raise ValueError(
            f"`batch_size` must be a positive integer. Received: {batch_size!r}"
        )
    shape = _shape(model, input_shape)
    noise = np.random.default_rng(seed).standard_normal((batch_size, *shape))
    with unchanged_state(model), without_last_activation(model):
        axes = _axes_of(model, noise[:1])
        pixel = (1,) * (len(shape) - 1)
        amounts = {_amount(own) for own in axes if own is not None} | {pixel}
        shifts = [
            _Shift(amount, circular, axes)
            for amount in sorted(amounts)
            for circular in (True, False)
        ]
        # The largest shift is one by whole positions in most of the layers.
        drawn = untied_weights(model, noise, shifts[-2:], seed)
        with replacing(drawn):
            before = outputs_of(model, noise)
            errors = [{} for _ in before]
            by_pixel = [math.nan for _ in before]
            for shift in shifts:
                # One shift at a time: all outputs of a large net take much memory.
                for number, after in enumerate(outputs_of(model, shift.move(noise))):
                    error = shift.error(before[number], after)
                    errors[number][shift.amount, shift.circular] = error
                    if shift.amount == pixel and not shift.circular:
                        by_pixel[number] = _one_pixel_error(
                            before[number], axes[number], after.values
                        )
    rows = []
    for number, output in enumerate(before):
        own, found = axes[number], errors[number]
        rows.append(
            TranslationRow(
                output.layer,
                output.kind,
                (None, *output.values.shape[1:]),
                own and tuple(axis.shift for axis in own),
                own and _border(own, output.values),
                found.get((_amount(own), True), math.nan),
                found.get((_amount(own), False), math.nan),
                found[pixel, True]
                if own and _is_vector(own, output.values)
                else by_pixel[number],
            )
        )
    output = dataclasses.replace(rows[-1], layer="(output)", kind="logits")
    paths = tuple(weight.path for weight, _ in drawn)
    return TranslationReport(tuple(rows[:-1]), output, paths)


@dataclass(frozen=True)
class _Shift:
    """A shift of the input along every axis, as a motion of it and of feature maps.

    Args:
        amount: pixels or samples for each axis.
        circular: whether what leaves the input comes in again, else zeros do.
        axes: the axes of every output of the model, by its index.
    """

    amount: tuple
    circular: bool
    axes: list

    def move(self, inputs):
        numbers = tuple(range(1, 1 + len(self.amount)))
        moved = np.roll(inputs, self.amount, axis=numbers)
        if not self.circular:
            for number, amount in zip(numbers, self.amount, strict=True):
                np.moveaxis(moved, number, 0)[:amount] = 0
        return moved

    def error(self, before, after, values=None):
        """How far the output after the shift is from the shifted one before it."""
        one, other = values or (before.values, after.values)
        axes = self.axes[before.index]
        if axes is None:
            return math.nan
        if _is_vector(axes, one):
            return before.error(other, one) if self.circular else math.nan
        steps = [axis.positions(a) for axis, a in zip(axes, self.amount, strict=True)]
        if any(step.denominator > 1 for step in steps):
            return math.nan
        steps = [int(step) for step in steps]
        if self.circular:
            numbers = tuple(range(1, 1 + len(axes)))
            return before.error(other, np.roll(one, steps, axis=numbers))
        return _inside_error(before, axes, one, other, steps, [0] * len(axes))


def _inside_error(output, axes, before, after, steps, margins):
    """The error on the positions that see neither a border nor the zeros of a shift.

    Args:
        output: an `Output`.
        axes: its axes.
        before, after: its values.
        steps: by how many positions it is expected to move along each axis.
        margins: how many more positions to ignore at each end of each axis.
    """
    here, there = [slice(None)], [slice(None)]
    for axis, step, margin in zip(axes, steps, margins, strict=True):
        if axis.first is None:
            return math.nan
        first, last = axis.first + margin, axis.last - max(step, margin)
        if last < first:
            return math.nan
        here.append(slice(first, last + 1))
        there.append(slice(first + step, last + step + 1))
    return output.error(after[tuple(there)], before[tuple(here)])


def _one_pixel_error(output, axes, after):
    """Against the nearest whole number of positions, the better of two."""
    if axes is None:
        return math.nan
    choices = [
        {math.floor(axis.positions(1)), math.ceil(axis.positions(1))} for axis in axes
    ]
    margins = [int(axis.positions(1) < 1) for axis in axes]
    errors = [
        _inside_error(output, axes, output.values, after, steps, margins)
        for steps in itertools.product(*choices)
    ]
    return min(errors)


def _amount(axes):
    return axes and tuple(axis.shift for axis in axes)


def _is_vector(axes, values):
    return values.ndim == 2


def _border(axes, values):
    if _is_vector(axes, values) or any(axis.first is None for axis in axes):
        return None
    lengths = values.shape[1 : 1 + len(axes)]
    return tuple(
        (axis.first, length - 1 - axis.last)
        for axis, length in zip(axes, lengths, strict=True)
    )


def _axes_of(model, noise):
    """The axes of each output of a model, by its index."""
    image = as_input(model, noise)
    known = {id(image): input_axes(noise.shape[1:-1])}
    outputs = outputs_of(model, image)
    axes = []
    for output in outputs[:-1]:
        tensors = keras.tree.flatten((output.call.args, output.call.kwargs))
        sources = [known[id(tensor)] for tensor in tensors if id(tensor) in known]
        axes.append(output_axes(output.call, sources, output.values))
        known[id(output.call.value)] = axes[-1]
    # The model returns what one of its layers does.
    return [*axes, axes[-1] if axes else None]


def _shape(model, asked):
    functional = as_functional(model)
    if functional is None:
        raise ValueError(
            f"{model.name} is subclassed or not built: its layers can't be followed. "
            f"Expected a functional or sequential model, built."
        )
    shapes = [tuple(tensor.shape) for tensor in functional.inputs]
    if len(shapes) != 1 or len(shapes[0]) not in (3, 4, 5):
        raise ValueError(
            "Expected a model with one input (batch, samples, channels), (batch, "
            "height, width, channels) or of three axes of positions. "
            f"Received: {shapes}"
        )
    own = shapes[0][1:]
    shape = own if asked is None else tuple(asked)
    fits = len(shape) == len(own) and all(
        size in (None, wanted) for size, wanted in zip(own, shape, strict=False)
    )
    if not fits:
        raise ValueError(
            f"{model.name} takes inputs of shape {own}. Received: input_shape={shape}"
        )
    if None in shape:
        raise ValueError(
            f"{model.name} leaves the shape of its input open: {own}. Say at which to "
            f"measure, as input_shape={('size',) * (len(own) - 1) + own[-1:]}."
        )
    return shape
