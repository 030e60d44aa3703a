"""A picture of the frequencies of a sound over time."""

import numpy as np
import scipy.signal
from matplotlib.figure import Figure

from zoo._files import replace_file
from zoo.analysis._sound import check_sample_rate, check_waveform

FLOOR_DB = -80.0
COLUMNS = 1000


def spectrogram_picture(waveform, sample_rate, path, title=None, window=0.032):
    """Draws which frequencies in Hz a sound has at which second.

    Power under a Hann window, in dB below the loudest point, down to -80 dB. Channels
    are averaged.

    Args:
        waveform: array `(samples,)` or `(samples, channels)`.
        sample_rate: in Hz.
        path: of the PNG file.
        title: of the picture, or None.
        window: length in seconds. A long one tells frequencies apart, a short one
            moments.

    Raises:
        ValueError: if it is no waveform, no sample rate, or a window of less than two
            samples.

    Example:

    >>> import os, tempfile
    >>> path = os.path.join(tempfile.mkdtemp(), "tone.png")
    >>> spectrogram_picture(np.sin(np.arange(8000) * 0.3), 8000, path, title="a tone")
    >>> os.path.exists(path)
    True
    """
    clip = check_waveform(waveform).mean(axis=1)
    check_sample_rate(sample_rate)
    size = round(window * sample_rate)
    if size < 2:
        raise ValueError(
            f"`window` must last at least two samples, {2 / sample_rate:g} s. "
            f"Received: window={window!r}"
        )
    clip = np.pad(clip, (0, max(0, size - len(clip))))
    # As many moments as a picture has columns, of a short clip four to a window.
    hop = max(1, size // 4, len(clip) // COLUMNS)
    transform = scipy.signal.ShortTimeFFT(
        scipy.signal.windows.hann(size, sym=False),
        hop,
        sample_rate,
        mfft=2 * size,
    )
    power = transform.spectrogram(clip)
    loudest = power.max()
    decibels = np.full_like(power, FLOOR_DB)
    if loudest > 0:
        share = power / loudest
        decibels = 10 * np.log10(np.maximum(share, 10 ** (FLOOR_DB / 10)))

    figure = Figure(figsize=(9, 4), layout="constrained")
    axes = figure.subplots()
    image = axes.imshow(
        decibels,
        "magma",
        origin="lower",
        aspect="auto",
        extent=transform.extent(len(clip)),
        vmin=FLOOR_DB,
        vmax=0,
    )
    axes.set(xlabel="time, s", ylabel="frequency, Hz", title=title)
    axes.set_xlim(0, len(clip) / sample_rate)
    axes.set_ylim(0, sample_rate / 2)
    figure.colorbar(image, label="power, dB (loudest: 0)", pad=0.01)
    with replace_file(path) as beside:
        figure.savefig(beside, dpi=120)
