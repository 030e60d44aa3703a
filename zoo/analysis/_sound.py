"""What the pictures of sound have in common."""

import math
import numbers

import numpy as np


def check_waveform(waveform):
    """One clip as float64 `(samples, channels)`.

    Raises:
        ValueError: if it is none.
    """
    clip = np.asarray(waveform)
    if clip.ndim == 1:
        clip = clip[:, np.newaxis]
    if clip.ndim != 2 or clip.size == 0 or clip.dtype.kind not in "fiu":
        raise ValueError(
            f"Expected one waveform (samples,) or (samples, channels), not empty. "
            f"Received: shape={np.shape(waveform)}, dtype={clip.dtype}"
        )
    if clip.shape[1] > 8:
        raise ValueError(
            f"Expected (samples, channels) with at most 8 channels. "
            f"Received: shape={clip.shape}. Transpose it, or draw a part."
        )
    if not np.isfinite(clip).all():
        raise ValueError("Expected a finite waveform. Received: NaN or infinity in it.")
    return clip.astype("float64")


def check_sample_rate(sample_rate):
    """Raises ValueError for what is no sample rate."""
    if not (isinstance(sample_rate, numbers.Real) and 0 < sample_rate < math.inf):
        raise ValueError(
            f"`sample_rate` must be in Hz, above 0. "
            f"Received: sample_rate={sample_rate!r}"
        )
