"""A picture of what the first layer of a net on raw sound listens for."""

import keras
import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from zoo._files import replace_file
from zoo.analysis._graph import as_functional, check_is_model, operations_of
from zoo.analysis._sound import check_sample_rate

POINTS = 4096
SHOWN = 20
FLOOR_DB = -40.0


def filters_picture(model, path, sample_rate):
    """Draws the filters of the first convolution in time, by their frequency.

    On the left the frequency response of every filter is a column, in dB below its own
    maximum; the columns are sorted by the frequency of that maximum, the filter's
    centre. Trained nets bend this line like a hearing scale, with many filters at low
    frequencies. On the right stand twenty of the filters themselves, from the lowest to
    the highest centre. Of several input channels the powers are added, and the channel
    with the largest weights is drawn.

    Args:
        model: a functional or sequential Keras model whose first layer with a kernel
            `(steps, channels, filters)` hears the raw waveform.
        path: of the PNG file.
        sample_rate: of that waveform, in Hz.

    Raises:
        ValueError: if there is no such layer, or no sample rate.

    Reference: the sorted picture as in Lee et al., Sample-level Deep Convolutional
    Neural Networks for Music Auto-tagging Using Raw Waveforms, SMC 2017.

    Example:

    >>> import os, tempfile, zoo
    >>> path = os.path.join(tempfile.mkdtemp(), "filters.png")
    >>> filters_picture(zoo.create_model("m3"), path, sample_rate=8000)
    >>> os.path.exists(path)
    True
    """
    check_sample_rate(sample_rate)
    layer = _first_convolution(model)
    kernel = keras.ops.cast(layer.kernel, "float32")
    kernel = keras.ops.convert_to_numpy(kernel).astype("float64")
    frequencies, power = frequency_response(kernel, sample_rate)
    centres = frequencies[power.argmax(axis=0)]
    order = np.argsort(centres, kind="stable")

    figure = Figure(figsize=(11, 5), layout="constrained")
    figure.suptitle(f"{model.name}: the filters of {layer.name}, by centre frequency")
    left, right = figure.subfigures(1, 2, width_ratios=(1.05, 1), wspace=0.03)
    _draw_responses(left, power[:, order], centres[order], sample_rate)
    _draw_filters(right, kernel[..., order], centres[order], sample_rate)
    with replace_file(path) as beside:
        figure.savefig(beside, dpi=120)


def frequency_response(kernel, sample_rate, points=POINTS):
    """How strongly each filter of a convolution passes each frequency.

    Args:
        kernel: array `(steps, channels, filters)`.
        sample_rate: of the input, in Hz.
        points: how many times the frequencies are sampled around the circle.

    Returns:
        The frequencies in Hz, from 0 to half the sample rate, and the power gain
        `(frequencies, filters)`, the sum over the channels.

    Example:

    >>> frequencies, power = frequency_response(np.ones((2, 1, 1)), 8000)
    >>> power[[0, -1], 0].round(3).tolist()  # a mean passes 0 Hz, not 4000 Hz
    [4.0, 0.0]
    """
    points = max(points, len(kernel))
    response = np.fft.rfft(kernel, points, axis=0)
    frequencies = np.fft.rfftfreq(points, 1 / sample_rate)
    return frequencies, (np.abs(response) ** 2).sum(axis=1)


def hears_the_waveform(model):
    """Whether the first kernel of a model is a convolution in time."""
    return _first_kernel(model) is not None


def _first_convolution(model):
    check_is_model(model)
    first = _first_kernel(model)
    if first is None:
        raise ValueError(
            f"{model.name} has no convolution in time on its input. Expected a "
            f"functional or sequential model whose first kernel is (steps, channels, "
            f"filters), as that of Conv1D."
        )
    return first


def _first_kernel(model):
    """The first layer with a kernel, if that is a convolution in time, else None."""
    if as_functional(model) is None:
        return None
    for operation in operations_of(model):
        kernel = getattr(operation, "kernel", None)
        if kernel is not None:
            # What comes after it does not hear the waveform.
            return operation if len(kernel.shape) == 3 else None
    return None


def _draw_responses(figure, power, centres, sample_rate):
    axes = figure.subplots()
    largest = np.maximum(power.max(axis=0), np.finfo("float64").tiny)
    share = np.maximum(power / largest, 10 ** (FLOOR_DB / 10))
    image = axes.imshow(
        10 * np.log10(share),
        "magma",
        origin="lower",
        aspect="auto",
        extent=(-0.5, power.shape[1] - 0.5, 0, sample_rate / 2),
        vmin=FLOOR_DB,
        vmax=0,
    )
    axes.plot(centres, ".", color="cyan", markersize=2.5, label="centre", clip_on=False)
    axes.set(xlabel="filter, sorted", ylabel="frequency, Hz")
    axes.xaxis.get_major_locator().set_params(integer=True)
    axes.legend(loc="upper left", fontsize=8)
    figure.colorbar(image, label="gain, dB (maximum of each filter: 0)", pad=0.01)


def _draw_filters(figure, kernel, centres, sample_rate):
    count = kernel.shape[2]
    chosen = np.unique(np.linspace(0, count - 1, min(SHOWN, count)).round().astype(int))
    columns = min(4, len(chosen))
    rows = -(-len(chosen) // columns)
    plots = figure.subplots(rows, columns, squeeze=False, sharex=True).ravel()
    unit, scale = ("ms", 1e3) if len(kernel) > 1e-3 * sample_rate else ("µs", 1e6)
    times = scale * np.arange(len(kernel)) / sample_rate
    marker = "." if len(kernel) < 20 else None
    for plot, number in zip(plots, chosen, strict=False):
        channels = kernel[..., number]
        filter_ = channels[:, np.abs(channels).sum(axis=0).argmax()]
        plot.axhline(0, color="grey", linewidth=0.5)
        plot.plot(times, filter_, color="C0", linewidth=0.9, marker=marker)
        plot.set_title(f"{centres[number]:,.0f} Hz", fontsize=8, pad=2)
        plot.set_yticks([])
        plot.xaxis.set_major_locator(MaxNLocator(2))
        plot.tick_params(labelsize=7)
    for plot in plots[len(chosen) :]:
        plot.set_axis_off()
    figure.supxlabel(f"time, {unit}", fontsize=10)
