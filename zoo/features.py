"""Numbers that describe a sound, made by hand: what nets are measured against."""

import math
import numbers

import librosa
import numpy as np

BANDS = 40
PIECES = 20
COEFFICIENTS = 20
PITCHES = ("C", "C#", "D", "D#", "E", "F", "F#", "G", "G#", "A", "A#", "B")
# Quieter than that, seen from the loudest: noise.
FLOOR_DB = 80.0
SILENCE_DB = -120.0
# The ends of a clip that are so much quieter than its loudest frame are cut off.
SILENT_ENDS_DB = 40.0


def handmade_features(waveform, sample_rate, kind="statistics"):
    """Describes one sound by a vector of numbers with names.

    They are computed by librosa, one sound at a time: once, before training, never
    inside a training loop.

    * `"tempo"`: the tempo in BPM, and how regular the beat is.
    * `"mfcc"`: 20 mel-frequency cepstral coefficients (timbre), means and deviations
      over time, and the deviations of their slopes.
    * `"chroma"`: the share of the twelve pitch classes, means and deviations.
    * `"spectral"`: loudness, zero crossings, centroid, bandwidth, 85 % roll-off (Hz)
      and flatness of the spectrum, means and deviations.
    * `"statistics"`: these four together, 98 numbers.
    * `"log_mel"`: the log-mel spectrogram as a picture of 40 bands x 20 equal pieces
      of the clip, from its first to its last sound above -40 dB, in dB below its
      loudest point (floor -80 dB). Long and short clips make the same 800 numbers.

    Frames are of 32 ms (chroma: 128 ms) every 10 ms. Bands, pieces and frames are our
    choice. Channels are averaged. A clip shorter than a frame is filled up with zeros.
    In silence every number is finite: levels are at their floor, and the tempo is 0, as
    it is in a clip of less than two seconds.

    Args:
        waveform: array `(samples,)` or `(samples, channels)`, in [-1, 1].
        sample_rate: in Hz, at least 2000.
        kind: one of those above.

    Returns:
        The features, float32 `(features,)`, and their names, a list as long.

    Raises:
        ValueError: for an empty waveform, one that is not finite or has another shape,
            a sample rate below 2000 Hz, or another kind.

    Reference: Tzanetakis and Cook, Musical Genre Classification of Audio Signals, IEEE
    TSAP 10(5), 2002 (such statistics of timbre, pitch and rhythm); McFee et al.,
    librosa, SciPy 2015.

    Example:

    >>> seconds = np.arange(8000) / 8000
    >>> tone = 0.5 * np.sin(2 * np.pi * 440 * seconds)
    >>> features, names = handmade_features(tone, 8000, kind="chroma")
    >>> names[int(features[:12].argmax())]
    'chroma A mean'
    """
    signal = _check(waveform, sample_rate)
    if not isinstance(kind, str) or kind not in KINDS:
        raise ValueError(
            f"`kind` must be one of {', '.join(map(repr, KINDS))}. "
            f"Received: kind={kind!r}"
        )
    names, values = zip(*KINDS[kind](signal, int(sample_rate)), strict=True)
    return np.array(values, dtype="float32"), list(names)


def _tempo(signal, sample_rate):
    """Name and value of the tempo in BPM and of the strength of its period."""
    hop = _samples(0.01, sample_rate)
    novelty = librosa.onset.onset_strength(
        S=_decibels(_mel(signal, sample_rate)), sr=sample_rate, hop_length=hop
    )
    if signal.size < 2 * sample_rate or not novelty.max() > 0:
        return [("tempo BPM", 0.0), ("tempo strength", 0.0)]
    tempo = librosa.feature.tempo(
        onset_envelope=novelty, sr=sample_rate, hop_length=hop
    )
    novelty = novelty - novelty.mean()
    lag = round(60 * sample_rate / (hop * float(tempo[0])))
    strength = 0.0
    if lag < novelty.size:
        strength = novelty[lag:] @ novelty[:-lag] / (novelty @ novelty)
    return [("tempo BPM", float(tempo[0])), ("tempo strength", float(strength))]


def _mfcc(signal, sample_rate):
    coefficients = librosa.feature.mfcc(
        S=_decibels(_mel(signal, sample_rate)), n_mfcc=COEFFICIENTS
    )
    names = [f"MFCC {number}" for number in range(COEFFICIENTS)]
    slopes = np.diff(coefficients, axis=1, prepend=coefficients[:, :1])
    slopes = zip(names, slopes.std(axis=1), strict=True)
    return _over_time(coefficients, names) + [
        (f"{name} slope deviation", value) for name, value in slopes
    ]


def _chroma(signal, sample_rate):
    power = _spectrogram(signal, sample_rate, seconds=0.128) ** 2
    # A tuning of 0 is 440 Hz. Found from the clip, it would hide its pitch.
    chroma = librosa.feature.chroma_stft(S=power, sr=sample_rate, norm=None, tuning=0.0)
    shares = chroma / np.maximum(chroma.sum(axis=0), np.finfo("float32").tiny)
    return _over_time(shares, [f"chroma {pitch}" for pitch in PITCHES])


def _spectral(signal, sample_rate):
    spectrum = _spectrogram(signal, sample_rate)
    hop, frame = _samples(0.01, sample_rate), _samples(0.032, sample_rate)
    rows = {
        "loudness dB": _decibels(
            librosa.feature.rms(y=signal, frame_length=frame, hop_length=hop) ** 2
        ),
        "zero crossings": librosa.feature.zero_crossing_rate(
            signal, frame_length=frame, hop_length=hop
        ),
        "centroid Hz": librosa.feature.spectral_centroid(S=spectrum, sr=sample_rate),
        "bandwidth Hz": librosa.feature.spectral_bandwidth(S=spectrum, sr=sample_rate),
        "roll-off Hz": librosa.feature.spectral_rolloff(S=spectrum, sr=sample_rate),
        "flatness": librosa.feature.spectral_flatness(S=spectrum),
    }
    return [
        feature for name, row in rows.items() for feature in _over_time(row, [name])
    ]


def _statistics(signal, sample_rate):
    parts = (_tempo, _mfcc, _chroma, _spectral)
    return [feature for part in parts for feature in part(signal, sample_rate)]


def _log_mel(signal, sample_rate):
    hop = _samples(0.01, sample_rate)
    signal, _ = librosa.effects.trim(
        signal,
        top_db=SILENT_ENDS_DB,
        frame_length=_samples(0.032, sample_rate),
        hop_length=hop,
    )
    picture = librosa.power_to_db(_mel(signal, sample_rate), amin=1e-20, top_db=None)
    # Silence shall not be its own loudest point.
    picture = np.maximum(picture - max(picture.max(), SILENCE_DB), -FLOOR_DB)
    return [
        (f"mel {band} piece {piece}", value)
        for band, row in enumerate(_in_pieces(picture))
        for piece, value in enumerate(row)
    ]


KINDS = {
    "log_mel": _log_mel,
    "statistics": _statistics,
    "tempo": _tempo,
    "mfcc": _mfcc,
    "chroma": _chroma,
    "spectral": _spectral,
}


def _check(waveform, sample_rate):
    """One channel of float32."""
    if not (isinstance(sample_rate, numbers.Real) and 2000 <= sample_rate < math.inf):
        raise ValueError(
            f"`sample_rate` must be in Hz, at least 2000. "
            f"Received: sample_rate={sample_rate!r}"
        )
    signal = np.asarray(waveform)
    if signal.ndim not in (1, 2) or signal.size == 0 or signal.dtype.kind != "f":
        raise ValueError(
            f"Expected a waveform (samples,) or (samples, channels) of floats in "
            f"[-1, 1], not empty. Received: shape={signal.shape}, dtype={signal.dtype}"
        )
    if not np.isfinite(signal).all():
        raise ValueError("Expected a finite waveform. Received: NaN or infinity in it.")
    if signal.ndim == 2:
        signal = signal.mean(axis=1)
    return np.ascontiguousarray(signal, dtype="float32")


def _samples(seconds, sample_rate):
    return round(seconds * sample_rate)


def _spectrogram(signal, sample_rate, seconds=0.032):
    """Magnitudes, transformed at twice the length of the frame: smooth over bands."""
    frame = _samples(seconds, sample_rate)
    size = 2 * 2 ** math.ceil(math.log2(frame))
    # librosa puts the middle of the first frame at the start.
    signal = np.pad(signal, (0, max(0, size - signal.size)))
    return np.abs(
        librosa.stft(
            signal,
            n_fft=size,
            win_length=frame,
            hop_length=_samples(0.01, sample_rate),
            pad_mode="constant",
        )
    )


def _mel(signal, sample_rate):
    """Power in mel bands: `(bands, frames)`."""
    power = _spectrogram(signal, sample_rate) ** 2
    return librosa.feature.melspectrogram(S=power, sr=sample_rate, n_mels=BANDS)


def _decibels(power):
    """Of a power; no lower than FLOOR_DB below the loudest, or 1e-10."""
    return librosa.power_to_db(power, amin=1e-10, top_db=FLOOR_DB)


def _over_time(rows, names):
    means, deviations = rows.mean(axis=1), rows.std(axis=1)
    return [
        *((f"{name} mean", mean) for name, mean in zip(names, means, strict=True)),
        *((f"{name} deviation", x) for name, x in zip(names, deviations, strict=True)),
    ]


def _in_pieces(picture):
    """Means over equal pieces of time, which may end within a frame."""
    frames = picture.shape[1]
    sums = np.pad(np.cumsum(picture, axis=1, dtype="float64"), ((0, 0), (1, 0)))
    ends = np.linspace(0, frames, PIECES + 1)
    sums = np.stack([np.interp(ends, np.arange(frames + 1), row) for row in sums])
    return np.diff(sums, axis=1) * (PIECES / frames)
