"""One sound file: is it sound, and its samples in 16 bits."""

import dataclasses
import hashlib
import os

import numpy as np
import soxr

from zoo.datasets.audio.decode import BadSoundError, decode

FULL_SCALE = 2**15
# Shorter than a millisecond is a slip, not a sound.
SHORTEST_SECONDS = 0.001
# Rates that recorders and converters write; beyond them a header is taken as damaged.
SOURCE_RATES = (1_000, 1_000_000)
CLIPPED_SHARE = 0.01
DC_OFFSET = 0.05
# Decoded MP3 and Vorbis may overshoot a little without anything being wrong.
OVERSHOOT = 1.5


class SoundChangedError(ValueError):
    """A file is not the one that was listed, or is gone."""


@dataclasses.dataclass(frozen=True)
class Sound:
    """A decoded file: waveform = samples * scale.

    Attributes:
        samples: int16 array (frames, channels).
        scale: float. What is on the grid of 16 bits has 1 / 32768 and stays as it
            is, bit for bit; anything else fills the 16 bits with its own peak, so
            that nothing is clipped and nothing quiet is lost.
        remarks: what is suspicious about it, a tuple of strings.
        quiet: whether it holds no more than one value, such as silence.
    """

    samples: np.ndarray
    scale: float
    remarks: tuple[str, ...]
    quiet: bool

    def content_hash(self):
        """Hexadecimal sha256 of what is heard."""
        head = repr((self.samples.shape, float(np.float32(self.scale)))).encode()
        return hashlib.sha256(head + self.samples.tobytes()).hexdigest()


def hash_and_size(path):
    """Hexadecimal sha256 of a file's content, and its bytes.

    Raises:
        BadSoundError: it cannot be read, or is empty.
    """
    if not path.is_file():
        raise BadSoundError("is no file" if path.exists() else "is not there")
    try:
        with open(path, "rb") as file:
            size = os.fstat(file.fileno()).st_size
            if size == 0:
                raise BadSoundError("empty, 0 bytes")
            return hashlib.file_digest(file, "sha256").hexdigest(), size
    except OSError as error:
        raise BadSoundError(f"cannot be read: {error.strerror}") from error


def read_sound(path, digest, sample_rate, channels):
    """Decodes a file, in any format that libsndfile reads; content decides which.

    Args:
        path: of the file.
        digest: sha256 that it was listed with.
        sample_rate: in Hz, to bring it to (soxr, HQ).
        channels: 1 for the mean of its channels, else how many it must have.

    Returns:
        A `Sound`.

    Raises:
        BadSoundError: it can't be decoded, or holds no sound.
        SoundChangedError: it is gone, or has another content than it was listed with.
    """
    try:
        # An open file: what follows is all about one content.
        with open(path, "rb", buffering=0) as file:
            if hashlib.file_digest(file, "sha256").hexdigest() != digest:
                raise SoundChangedError("changed while the cache was made")
            waveform, rate, remarks = decode(file)
    except OSError as error:
        raise SoundChangedError("vanished while the cache was made") from error
    return make_sound(waveform, rate, sample_rate, channels, remarks)


def make_sound(waveform, rate, sample_rate, channels, remarks=()):
    """Checks a decoded waveform, and brings it to a sample rate and to 16 bits.

    Args:
        waveform: float32 array (frames, channels).
        rate: its own sample rate in Hz.
        sample_rate, channels: as in `read_sound`.
        remarks: what is known about it already.

    Returns:
        A `Sound`.

    Raises:
        BadSoundError: it holds no sound.
    """
    frames, own_channels = waveform.shape
    if frames == 0:
        raise BadSoundError("holds no sound, 0 frames")
    if not np.isfinite(waveform).all():
        raise BadSoundError("holds NaN or infinite values")
    if rate != sample_rate and not SOURCE_RATES[0] <= rate <= SOURCE_RATES[1]:
        raise BadSoundError(f"has a sample rate of {rate} Hz")
    if frames < SHORTEST_SECONDS * rate:
        raise BadSoundError(
            f"too short: {frames} of {rate} frames a second is less than a millisecond"
        )
    if channels not in (1, own_channels):
        raise BadSoundError(f"has channels: {own_channels}, asked for: {channels}")

    remarks = [*remarks, *_remarks(waveform)]
    quiet = bool((waveform == waveform[0]).all())
    if channels == 1 and own_channels > 1:
        mean = waveform.mean(axis=1, keepdims=True, dtype=np.float64)
        mean = mean.astype(np.float32)
        if np.abs(mean).max() < 1e-3 * np.abs(waveform).max():
            remarks.append("its channels cancel each other out")
        waveform = mean
    if rate != sample_rate:
        waveform = soxr.resample(waveform, rate, sample_rate, quality="HQ")
    if len(waveform) == 0:
        raise BadSoundError(f"too short for a sample rate of {sample_rate} Hz")
    samples, scale = to_16_bit(waveform)
    return Sound(samples, scale, tuple(remarks), quiet)


def to_16_bit(waveform):
    """int16 samples and a scale: the waveform is their product.

    Args:
        waveform: float32 array, finite.

    Returns:
        An int16 array of its shape, and a float.
    """
    steps = waveform.astype(np.float64) * FULL_SCALE
    whole = np.rint(steps)
    if (
        steps == whole
    ).all() and -FULL_SCALE <= whole.min() <= whole.max() < FULL_SCALE:
        return whole.astype(np.int16), 1 / FULL_SCALE
    peak = np.abs(steps).max() / FULL_SCALE
    if peak < 1e-30:  # no float32 could be its step
        return np.zeros(waveform.shape, np.int16), 1 / FULL_SCALE
    scale = peak / (FULL_SCALE - 1)
    return np.rint(waveform.astype(np.float64) / scale).astype(np.int16), float(scale)


def _remarks(waveform):
    """What is suspicious about a waveform as it was recorded."""
    peak = float(np.abs(waveform).max())
    mean = waveform.mean(axis=0, dtype=np.float64)
    offset = float(mean[np.argmax(np.abs(mean))])
    if peak == 0:
        return ["silent"]
    if (waveform == waveform[0]).all():
        return [f"holds one value only, {offset:.3g}"]
    remarks = []
    if abs(offset) > DC_OFFSET:
        remarks.append(f"DC offset of {offset:.3g}")
    # Formats of 16 bits end one step below 1.
    clipped = float((np.abs(waveform) >= 1 - 1 / FULL_SCALE).mean())
    if peak > OVERSHOOT:
        remarks.append(f"beyond full scale, up to {peak:.3g}")
    elif clipped > CLIPPED_SHARE:
        remarks.append(f"clipped: {clipped:.1%} of its samples at full scale")
    return remarks
