import numbers

import keras
import numpy as np
from keras import ops

from zoo.layers.audio.augmentation import SoundAugmentation


@keras.saving.register_keras_serializable(package="convzoo")
class RandomEqualizer(SoundAugmentation):
    """Colours each clip by a random frequency response, as another microphone would.

    At `bands` frequencies, evenly from 0 Hz to half the sample rate, gains in decibels
    are drawn from a normal distribution; between them they are interpolated linearly.
    The filter has no phase, and works around the clip's ends: what it spreads beyond
    one end comes in at the other, faintly, since a smooth response is a short filter. A
    reference is coloured as its waveform is.

    Inactive unless `training=True`; in `tf.data` see `AddNoise`.

    Args:
        deviation: standard deviation of the gains, in dB.
        bands: int, how many gains are drawn, at least 2.
        seed: int, or None for one of chance.
        **kwargs: `name`, `dtype` of every Keras layer.

    Input shape:
        `(batch, samples, channels)`, or a dictionary of `"waveform"` of that shape,
        and optionally `"reference"` of the same and `"tempo"` `(batch,)` in BPM. The
        number of samples must be known.

    Output shape:
        The same.

    Raises:
        ValueError: for a deviation that is not 0 or positive, fewer than two bands, or
            another input.

    Example:

    >>> layer = RandomEqualizer(deviation=6.0, seed=0)
    >>> click = np.zeros((1, 800, 1), "float32")
    >>> click[0, 400] = 1
    >>> power = np.abs(np.fft.rfft(layer(click, training=True)[0, :, 0])) ** 2
    >>> bool(power.max() > 1.5 * power.min())
    True
    """

    def __init__(self, deviation=4.0, bands=8, seed=None, **kwargs):
        super().__init__(seed=seed, **kwargs)
        if not isinstance(deviation, numbers.Real) or not 0 <= deviation < float("inf"):
            raise ValueError(
                f"`deviation` must be a number of dB, 0 or more. "
                f"Received: deviation={deviation!r}"
            )
        if not isinstance(bands, int) or isinstance(bands, bool) or bands < 2:
            raise ValueError(
                f"`bands` must be an integer of at least 2. Received: bands={bands!r}"
            )
        self.deviation = deviation
        self.bands = bands

    def draw(self, waveform, tempo, seeds):
        """The factor of every frequency of each clip: `(batch, 1, frequencies)`."""
        length = waveform.shape[1]
        if length is None:
            raise ValueError(
                f"{self.name} must know the number of samples. "
                f"Received: shape={tuple(waveform.shape)}"
            )
        drawn = keras.random.normal(
            (ops.shape(waveform)[0], self.bands), dtype=waveform.dtype, seed=seeds
        )
        decibels = ops.matmul(
            self.deviation * drawn,
            ops.cast(_interpolation(self.bands, length // 2 + 1), waveform.dtype),
        )
        return ops.expand_dims(10.0 ** (decibels / 20), 1)

    def apply(self, signal, drawn):
        # The Fourier transform is that of the last axis.
        lines = ops.transpose(signal, (0, 2, 1))
        real, imaginary = ops.rfft(lines)
        coloured = ops.irfft(
            (real * drawn, imaginary * drawn), fft_length=signal.shape[1]
        )
        return ops.transpose(coloured, (0, 2, 1))

    def get_config(self):
        return {
            **super().get_config(),
            "deviation": self.deviation,
            "bands": self.bands,
        }


def _interpolation(bands, frequencies):
    """Matrix `(bands, frequencies)` of linear interpolation between the bands."""
    places = np.linspace(0, bands - 1, frequencies)
    return np.maximum(0, 1 - np.abs(places - np.arange(bands)[:, np.newaxis]))
