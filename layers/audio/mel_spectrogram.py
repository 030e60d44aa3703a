import keras
import numpy as np
from keras import ops

from zoo.layers.group.window import is_positive_integer


@keras.saving.register_keras_serializable(package="convzoo")
class MelSpectrogram(keras.layers.Layer):
    """Turns a waveform into the strength of its frequencies over time, inside a net.

    Frame t is the Hann window over `fft_length` samples around sample t * `hop_length`,
    with zeros beyond either end. Its magnitudes, to the given power, are added up in
    triangles that stand evenly on the mel scale of Slaney: linear up to 1,000 Hz,
    logarithmic above. A triangle has area 1 over the frequencies in Hz:

        y[m, t] = sum_f mel[m, f] |F(hann x around t hop)[f]|^power

    That is `librosa.feature.melspectrogram` at its defaults, except that channels stand
    last and the power is 1. `keras.layers.MelSpectrogram` is another function: the mel
    scale of HTK, triangles of height 1, the signal mirrored beyond its ends.

    Reference: Slaney, Auditory Toolbox, Technical Report 1998-010, Interval Research.

    Args:
        sample_rate: of the waveform, in Hz.
        fft_length: int, samples in a frame; even.
        hop_length: int, samples from one frame to the next.
        mel_bins: int, number of triangles.
        low, high: where the lowest triangle begins and the highest ends, in Hz. None
            for half the sample rate.
        power: exponent of the magnitudes: 1 for amplitude, 2 for energy.
        **kwargs: `name`, `dtype` of every Keras layer. In half precision the layer
            computes in float32 inside.

    Input shape:
        `(batch, samples, channels)`; the number of samples may be None.

    Output shape:
        `(batch, mel_bins, 1 + samples // hop_length, channels)`.

    Raises:
        ValueError: for sizes or frequencies outside the above, or triangles so narrow
            that one catches no frequency of the frame at all.

    Example:

    >>> waveform = keras.random.normal((1, 11025, 1))
    >>> tuple(MelSpectrogram(11025, mel_bins=40, low=20, high=5000)(waveform).shape)
    (1, 40, 22, 1)
    """

    def __init__(
        self,
        sample_rate,
        fft_length=1024,
        hop_length=512,
        mel_bins=40,
        low=0.0,
        high=None,
        power=1.0,
        **kwargs,
    ):
        super().__init__(**kwargs)
        for name, value in (
            ("fft_length", fft_length),
            ("hop_length", hop_length),
            ("mel_bins", mel_bins),
        ):
            if not is_positive_integer(value):
                raise ValueError(
                    f"`{name}` must be a positive integer. Received: {name}={value!r}"
                )
        if fft_length % 2:
            raise ValueError(
                f"`fft_length` must be even, so that a frame has a middle. "
                f"Received: fft_length={fft_length}"
            )
        top = sample_rate / 2 if high is None else high
        if not 0 <= low < top <= sample_rate / 2:
            raise ValueError(
                f"Expected 0 <= low < high <= sample_rate / 2, all in Hz. Received: "
                f"low={low!r}, high={high!r}, sample_rate={sample_rate!r}"
            )
        if not power > 0:
            raise ValueError(f"`power` must be positive. Received: power={power!r}")
        self.sample_rate = sample_rate
        self.fft_length = int(fft_length)
        self.hop_length = int(hop_length)
        self.mel_bins = int(mel_bins)
        self.low = low
        self.high = high
        self.power = power
        phase = 2 * np.pi * np.arange(self.fft_length) / self.fft_length
        self._hann = 0.5 - 0.5 * np.cos(phase)
        self._triangles = _triangles(
            np.linspace(0, sample_rate / 2, self.fft_length // 2 + 1),
            _mel_to_hertz(
                np.linspace(_hertz_to_mel(low), _hertz_to_mel(top), self.mel_bins + 2)
            ),
        )
        empty = np.flatnonzero(~self._triangles.any(axis=0))
        if empty.size:
            raise ValueError(
                f"Triangle {empty[0]} of {mel_bins} lies between two frequencies of "
                f"the frame, {sample_rate / fft_length:.1f} Hz apart, and would always "
                f"be 0. Use fewer `mel_bins` or a longer `fft_length`. Received: "
                f"mel_bins={mel_bins}, fft_length={fft_length}, low={low!r}, "
                f"high={high!r}"
            )

    def build(self, input_shape):
        if len(input_shape) != 3:
            raise ValueError(
                f"MelSpectrogram(name={self.name!r}) expects a waveform (batch, "
                f"samples, channels). Received: input_shape={tuple(input_shape)}"
            )
        self.input_spec = keras.layers.InputSpec(ndim=3)

    def call(self, inputs):
        dtype = self.compute_dtype
        dtype = dtype if dtype in ("float32", "float64") else "float32"
        x = ops.transpose(ops.cast(inputs, dtype), (0, 2, 1))
        margin = self.fft_length // 2
        x = ops.pad(x, ((0, 0), (0, 0), (margin, margin)))
        frames = ops.extract_sequences(x, self.fft_length, self.hop_length)
        real, imaginary = ops.rfft(frames * ops.cast(self._hann, dtype))
        energy = ops.square(real) + ops.square(imaginary)
        # `@`, since `ops.matmul` rounds float64 to float32 on torch. Of two matrices:
        # a batch times a matrix crashes TensorFlow 2.21 on some shapes (CPU, oneDNN).
        rows = ops.reshape(energy, (-1, self.fft_length // 2 + 1))
        rows = _power(rows, self.power / 2) @ ops.cast(self._triangles, dtype)
        batch, channels, frames, _ = ops.shape(energy)
        outputs = ops.reshape(rows, (batch, channels, frames, self.mel_bins))
        return ops.cast(ops.transpose(outputs, (0, 3, 2, 1)), self.compute_dtype)

    def compute_output_shape(self, input_shape):
        batch, samples, channels = input_shape
        frames = None if samples is None else 1 + samples // self.hop_length
        return (batch, self.mel_bins, frames, channels)

    def get_config(self):
        return {
            **super().get_config(),
            "sample_rate": self.sample_rate,
            "fft_length": self.fft_length,
            "hop_length": self.hop_length,
            "mel_bins": self.mel_bins,
            "low": self.low,
            "high": self.high,
            "power": self.power,
        }


def _power(energy, exponent):
    """energy^exponent, with a gradient of 0 and not NaN where there is no sound."""
    if exponent == 1:
        return energy
    is_sound = energy > 0
    return ops.where(is_sound, ops.where(is_sound, energy, 1.0) ** exponent, 0.0)


def _triangles(frequencies, corners):
    """Weights (frequencies, mel bins); triangle m stands on corners m and m + 2."""
    left, middle, right = corners[:-2], corners[1:-1], corners[2:]
    rising = (frequencies[:, None] - left) / (middle - left)
    falling = (right - frequencies[:, None]) / (right - middle)
    return np.maximum(0, np.minimum(rising, falling)) * 2 / (right - left)


# 15 mels up to 1,000 Hz, then 27 mels for every factor of 6.4.
def _hertz_to_mel(hertz):
    linear = 3 * hertz / 200
    return linear if hertz < 1000 else 15 + 27 * np.log(hertz / 1000) / np.log(6.4)


def _mel_to_hertz(mel):
    return np.where(mel < 15, 200 * mel / 3, 1000 * 6.4 ** ((mel - 15) / 27))
