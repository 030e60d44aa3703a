"""Which shifts of the input move a feature map by whole positions, and how cleanly."""

import dataclasses
import math
from dataclasses import dataclass
from fractions import Fraction

import keras
import numpy as np

from zoo.analysis._outputs import to_float64
from zoo.layers import WeightNormalizedConv1D
from zoo.layers.group.window import Window

IMPULSE = 10.0
# Layers and operations of these names.
MERGES = ("Add", "Average", "Divide", "Maximum", "Minimum", "Multiply", "Subtract")


@dataclass(frozen=True)
class Axis:
    """One axis of positions of a feature map.

    Args:
        stride: Fraction, steps of the input per position.
        shift: the smallest shift of the input that moves this map, and all that it was
            made of, by whole positions.
        first, last: the positions from `first` to `last` see nothing but input: no
            padding, and nothing beyond the border. None where that is not known, or
            there is none of them.
    """

    stride: Fraction
    shift: int
    first: int | None
    last: int | None

    def sampled(self, factor):
        """An axis whose positions are `factor` of these apart, with none inside."""
        stride = self.stride * factor
        return Axis(stride, math.lcm(self.shift, stride.numerator), None, None)

    def inside(self, first, last, length):
        """The axis with the positions from `first` to `last` inside, if there are."""
        first, last = max(first, 0), min(last, length - 1)
        if first > last:
            return self
        return dataclasses.replace(self, first=first, last=last)

    def positions(self, shift):
        """How many positions a shift of the input moves the map by, a Fraction."""
        return Fraction(shift) / self.stride


def input_axes(lengths):
    """The axes of an input with so many pixels or samples: each is one position."""
    return tuple(Axis(Fraction(1), 1, 0, length - 1) for length in lengths)


def output_axes(call, sources, value):
    """The axes of what an operation returned.

    Args:
        call: a `Call`.
        sources: the axes of each of its tensors, a list of tuples of `Axis` or None.
        value: the output, an array.

    Returns:
        A tuple of `Axis`, one for each axis of positions; None where strides are not
        known.
    """
    if not sources or None in sources:
        return None
    if len(sources) > 1:
        merged = _merged(sources)
        if merged is None or _merges_positions(call.operation, value):
            return merged
        return _collapsed(merged)
    (source,) = sources
    inputs = keras.tree.flatten(call.args)[0]
    before, after = inputs.shape[1 : 1 + len(source)], value.shape[1 : 1 + len(source)]
    if value.ndim == 2 or set(after) == {1}:
        return _collapsed(source)  # a vector, or what stands for the whole map
    if value.ndim < 2 + len(source):
        return None
    try:
        windows = _windows(call.operation, len(source), before)
    except ValueError:
        return None  # a window over another number of axes
    if windows is not None and len(windows) != len(source):
        return None
    if windows is None and tuple(before) == tuple(after):
        windows = _measured_windows(call, len(source), value)
        if windows is None:
            return _collapsed(source)
    if windows is None:
        return None
    return tuple(
        window.moved(axis, length)
        for window, axis, length in zip(windows, source, after, strict=True)
    )


@dataclass(frozen=True)
class _Slide:
    """A window along one axis: `extent` pixels, from `i * stride - before` on."""

    extent: int
    stride: int
    before: int

    def moved(self, axis, length):
        sampled = axis.sampled(self.stride)
        if axis.first is None:
            return sampled
        first = -(-(axis.first + self.before) // self.stride)
        last = (axis.last + self.before - self.extent + 1) // self.stride
        return sampled.inside(first, last, length)


@dataclass(frozen=True)
class _Spread:
    """The transpose: each position adds to `extent` positions of a finer grid."""

    extent: int
    factor: int
    before: int

    def moved(self, axis, length):
        sampled = axis.sampled(Fraction(1, self.factor))
        if axis.first is None:
            return sampled
        first = (axis.first - 1) * self.factor + self.extent - self.before
        last = (axis.last + 1) * self.factor - 1 - self.before
        return sampled.inside(first, last, length)


def _collapsed(axes):
    """No position is free of the border, but the shift that counts stays known."""
    return tuple(dataclasses.replace(axis, first=None, last=None) for axis in axes)


def _merged(sources):
    """Maps that are added, multiplied or concatenated: all must be clean."""
    strides = {tuple(axis.stride for axis in axes) for axes in sources}
    if len(strides) > 1:
        return None
    merged = []
    for axes in zip(*sources, strict=True):
        axis = Axis(axes[0].stride, math.lcm(*(a.shift for a in axes)), None, None)
        if all(a.first is not None for a in axes):
            last = min(a.last for a in axes)
            axis = axis.inside(max(a.first for a in axes), last, last + 1)
        merged.append(axis)
    return tuple(merged)


def _merges_positions(operation, value):
    """Whether an operation looks at each position of its inputs by itself."""
    kind = type(operation).__name__
    if kind in ("Concat", "Concatenate"):
        return operation.axis in (-1, value.ndim - 1)
    return kind in MERGES


def _windows(operation, rank, lengths):
    """The window of an operation along each axis, or None for what has none."""
    if isinstance(getattr(operation, "window", None), Window):
        window = operation.window
        return [
            _Slide(*sizes)
            for sizes in zip(window.extent, window.strides, window.margin, strict=True)
        ]
    module = type(operation).__module__
    if not module.startswith(("keras.", "zoo.layers.")):
        return None
    if getattr(operation, "data_format", "channels_last") != "channels_last":
        return None
    kind = type(operation).__name__
    if kind.startswith("ZeroPadding"):
        return [_Slide(1, 1, before) for before, _ in _pairs(operation.padding)]
    if kind.startswith("Cropping"):
        return [_Slide(1, 1, -before) for before, _ in _pairs(operation.cropping)]
    if kind.endswith(("UpSampling1D", "UpSampling2D", "UpSampling3D")):
        interpolation = getattr(operation, "interpolation", "nearest")
        is_bilinear = interpolation == "bilinear"
        if not is_bilinear and interpolation != "nearest":
            return None
        return [
            # Between pixels lies half a step on either side of each.
            _Spread(2 * size, size, size // 2)
            if is_bilinear
            else _Spread(size, size, 0)
            for size in _tuple(operation.size, rank)
        ]
    if isinstance(operation, WeightNormalizedConv1D):
        past = (operation.kernel_size - 1) * operation.dilation_rate
        return [_Slide(past + 1, 1, past)]
    sizes = getattr(operation, "kernel_size", None) or getattr(
        operation, "pool_size", None
    )
    if sizes is None or not hasattr(operation, "padding"):
        return None
    strides = _tuple(operation.strides, rank)
    rates = _tuple(getattr(operation, "dilation_rate", 1), rank)
    extents = [
        (size - 1) * rate + 1
        for size, rate in zip(_tuple(sizes, rank), rates, strict=True)
    ]
    if "Transpose" in kind:
        if getattr(operation, "output_padding", None) is not None:
            return None
        return [
            _Spread(
                max(extent, stride),
                stride,
                max(extent - stride, 0) // 2 if operation.padding == "same" else 0,
            )
            for extent, stride in zip(extents, strides, strict=True)
        ]
    return [
        _Slide(extent, stride, _before(operation.padding, length, extent, stride))
        for extent, stride, length in zip(extents, strides, lengths, strict=True)
    ]


def _before(padding, length, extent, stride):
    """The padding before the first pixel, as Keras pads: an odd pixel goes behind."""
    if padding == "causal":
        return extent - 1
    if padding != "same":
        return 0
    return max((-(-length // stride) - 1) * stride + extent - length, 0) // 2


def _measured_windows(call, rank, value):
    """How far an operation of stride 1 looks, from what a change in the middle changes.

    Returns:
        None where it looks as far as the border.
    """
    inputs, *rest = call.args
    values = to_float64(inputs)
    windows = []
    for axis in range(1, rank + 1):
        middle, length = values.shape[axis] // 2, values.shape[axis]
        changed = np.moveaxis(values.copy(), axis, 0)
        changed[middle] += IMPULSE * np.sign(changed[middle])
        changed = keras.ops.convert_to_tensor(
            np.moveaxis(changed, 0, axis), dtype=inputs.dtype
        )
        found = to_float64(call.operation(changed, *rest, **call.kwargs))
        differs = np.moveaxis(found != value, axis, 0)
        where = np.flatnonzero(differs.reshape(length, -1).any(axis=1))
        first, last = (where[0], where[-1]) if len(where) else (0, length - 1)
        if first < last and (first == 0 or last == length - 1):
            return None
        windows.append(_Slide(int(last - first) + 1, 1, int(last - middle)))
    return windows


def _pairs(value):
    """Keras keeps the amounts of one axis as a pair, of several as pairs."""
    return [value] if isinstance(value[0], int) else value


def _tuple(value, rank):
    return (value,) * rank if isinstance(value, int) else tuple(value)
