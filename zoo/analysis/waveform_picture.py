"""A picture of a sound over time."""

import numpy as np
from matplotlib.figure import Figure

from zoo._files import replace_file
from zoo.analysis._sound import check_sample_rate, check_waveform

# More samples than the picture is wide are drawn as what lies between their extremes.
COLUMNS = 1500


def waveform_picture(waveform, sample_rate, path, title=None):
    """Draws a waveform over time in seconds, a row for each channel.

    Of a long clip each column shows the least and the largest sample that fall into
    it: no peak is lost. The scale is that of the loudest sample.

    Args:
        waveform: array `(samples,)` or `(samples, channels)`.
        sample_rate: in Hz.
        path: of the PNG file.
        title: of the picture, or None.

    Raises:
        ValueError: if it is no waveform, or no sample rate.

    Example:

    >>> import os, tempfile
    >>> path = os.path.join(tempfile.mkdtemp(), "tone.png")
    >>> waveform_picture(np.sin(np.arange(8000) * 0.3), 8000, path, title="a tone")
    >>> os.path.exists(path)
    True
    """
    clip = check_waveform(waveform)
    check_sample_rate(sample_rate)
    figure = Figure(figsize=(9, 1 + 1.8 * clip.shape[1]), layout="constrained")
    rows = figure.subplots(clip.shape[1], squeeze=False, sharex=True)[:, 0]
    height = 1.05 * np.abs(clip).max() or 1.0
    for number, (axes, channel) in enumerate(zip(rows, clip.T, strict=True)):
        _draw(axes, channel, sample_rate)
        name = "amplitude" if len(rows) == 1 else f"channel {number}"
        axes.set(ylabel=name, ylim=(-height, height))
        axes.set_xlim(0, len(channel) / sample_rate)
        axes.grid(alpha=0.3)
    rows[-1].set_xlabel("time, s")
    if title is not None:
        figure.suptitle(title)
    with replace_file(path) as beside:
        figure.savefig(beside, dpi=120)


def _draw(axes, channel, sample_rate):
    if len(channel) <= 2 * COLUMNS:
        axes.plot(np.arange(len(channel)) / sample_rate, channel, linewidth=0.8)
        return
    starts = np.linspace(0, len(channel), COLUMNS, endpoint=False).astype(int)
    low = np.minimum.reduceat(channel, starts)
    high = np.maximum.reduceat(channel, starts)
    # A hair wider than nothing, so that silence is a line.
    axes.fill_between(starts / sample_rate, low, high, linewidth=0.6, edgecolor="C0")
