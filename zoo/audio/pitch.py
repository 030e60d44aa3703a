"""From a recording to its pitch over time."""

import numpy as np
import soxr

SAMPLE_RATE = 16_000
FRAME = 1024
# Cents above 10 Hz of the 360 classes.
CENTS = 1997.3794084376191 + 20 * np.arange(360)
# Classes on either side of the strongest that the weighted mean takes in.
REACH = 4


def pitch(model, waveform, sample_rate, hop=0.01):
    """Follows the pitch of one voice or instrument through a recording.

    The sound is resampled to 16 kHz and cut into frames of 1,024 samples (64 ms) around
    the times 0, `hop`, 2 `hop`, ..., zeros beyond its ends. Each frame gets mean 0 and
    deviation 1. With a_i the activations around the strongest, four on either side,

        cents = sum_i a_i (1997.3794 + 20 i) / sum_i a_i,  Hz = 10 * 2^(cents / 1200)

    and the strongest activation is the confidence. Nothing is smoothed over time.

    Args:
        model: a `zoo.crepe` with its top, of 360 classes and 1,024 samples.
        waveform: array `(samples,)` or `(samples, 1)`, of any loudness.
        sample_rate: of the waveform, in Hz.
        hop: from one frame to the next, in seconds.

    Returns:
        Three arrays `(frames,)`, with 1 + floor(duration / hop) frames: times in
        seconds (float64), pitches in Hz (float64) and confidences from 0 to 1
        (float32). A frame of digital silence has pitch NaN and confidence 0. Where
        there is noise or no clear pitch, the confidence is low (below 0.5, say) and
        the pitch means nothing.

    Raises:
        ValueError: for another model, a waveform with several channels, without
            samples or with values that are not finite, or a rate or hop not positive.

    Reference: Kim et al. 2018 (arXiv:1802.06182), section 2; the weighted mean is that
    of the authors' code. NaN for silence is ours.

    Example:

    >>> import zoo
    >>> tone = np.sin(2 * np.pi * 440 * np.arange(8000) / 8000)
    >>> times, hertz, confidences = pitch(zoo.crepe(capacity="tiny"), tone, 8000)
    >>> times.shape, hertz.shape, confidences.shape
    ((101,), (101,), (101,))
    """
    if model.input_shape != (None, FRAME, 1) or model.output_shape != (None, 360):
        raise ValueError(
            f"Expected a crepe from (batch, {FRAME}, 1) to (batch, 360). Received: "
            f"{model.name} from {model.input_shape} to {model.output_shape}"
        )
    for name, value in (("sample_rate", sample_rate), ("hop", hop)):
        if not 0 < value < np.inf:
            raise ValueError(f"`{name}` must be positive. Received: {name}={value!r}")
    if hop * SAMPLE_RATE < 1:
        raise ValueError(
            f"`hop` must be at least one sample at 16 kHz, 0.0000625 s. "
            f"Received: hop={hop!r}"
        )
    waveform = _one_channel(waveform)
    if sample_rate != SAMPLE_RATE:
        waveform = soxr.resample(waveform, sample_rate, SAMPLE_RATE)
    count = 1 + int(len(waveform) / (hop * SAMPLE_RATE))
    starts = np.rint(np.arange(count) * hop * SAMPLE_RATE).astype("int64")
    padded = np.pad(waveform, (FRAME // 2, FRAME))  # rounding may need one sample more
    frames = np.lib.stride_tricks.sliding_window_view(padded, FRAME)[starts]
    frames = frames - frames.mean(axis=1, keepdims=True)
    deviations = frames.std(axis=1, keepdims=True)
    frames = (frames / np.maximum(deviations, 1e-10)).astype("float32")
    activations = model.predict(frames[..., None], batch_size=128, verbose=0)
    hertz, confidences = decode_pitch(activations)
    is_silent = deviations[:, 0] <= 1e-10
    hertz[is_silent], confidences[is_silent] = np.nan, 0
    return np.arange(count) * hop, hertz, confidences


def decode_pitch(activations):
    """Pitches in Hz and confidences of crepe's outputs, `(frames, 360)`."""
    strongest = activations.argmax(axis=1)
    near = np.abs(np.arange(len(CENTS)) - strongest[:, None]) <= REACH
    weights = np.where(near, activations, 0).astype("float64")
    cents = weights @ CENTS / weights.sum(axis=1)
    return 10 * 2 ** (cents / 1200), activations.max(axis=1)


def _one_channel(waveform):
    waveform = np.asarray(waveform)
    if waveform.ndim == 2 and waveform.shape[1] == 1:
        waveform = waveform[:, 0]
    if waveform.ndim != 1 or not waveform.size or waveform.dtype.kind not in "fiu":
        raise ValueError(
            f"Expected a waveform of shape (samples,) or (samples, 1), one channel of "
            f"real numbers. Received: shape={waveform.shape}, dtype={waveform.dtype}. "
            f"Average the channels, or choose one."
        )
    if not np.isfinite(waveform).all():
        raise ValueError("Expected finite samples. Received NaN or infinity.")
    return waveform.astype("float64")
