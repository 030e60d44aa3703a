import keras
from keras import ops

from zoo.layers.audio.augmentation import SoundAugmentation, as_range, uniform


@keras.saving.register_keras_serializable(package="convzoo")
class AddNoise(SoundAugmentation):
    """Adds white Gaussian noise to each clip at a random signal-to-noise ratio.

    The noise is scaled by its own power, so that each clip has exactly the ratio drawn
    for it. A silent clip stays silent. Sums beyond [-1, 1] are not cut off. The
    reference stays clean.

    Inactive unless `training=True`. In a model it runs on every backend; in
    `tf.data.Dataset.map` on the TensorFlow backend, where a call argument `seed`, one
    integer or two, takes the place of the layer's memory, so that parallel calls stay
    reproducible, up to rounding.

    Args:
        snr: (low, high) or one number, in dB: ten times the logarithm of the mean
            square of the clip over that of the noise.
        seed: int, or None for one of chance.
        **kwargs: `name`, `dtype` of every Keras layer.

    Input shape:
        `(batch, samples, channels)`, or a dictionary of `"waveform"` of that shape,
        and optionally `"reference"` of the same and `"tempo"` `(batch,)` in BPM.

    Output shape:
        The same.

    Raises:
        ValueError: for a range that is none, or another input.

    Example:

    >>> layer = AddNoise(snr=(20.0, 20.0), seed=0)
    >>> clean = keras.ops.ones((1, 8000, 1))
    >>> noise = layer(clean, training=True) - clean
    >>> round(float(keras.ops.mean(noise**2)), 4)
    0.01
    """

    paired = False

    def __init__(self, snr=(5.0, 30.0), seed=None, **kwargs):
        super().__init__(seed=seed, **kwargs)
        self.snr = as_range(snr, "snr", unit=" dB")

    def draw(self, waveform, tempo, seeds):
        snr = uniform(waveform, *self.snr, seeds)
        noise = keras.random.normal(
            ops.shape(waveform), dtype=waveform.dtype, seed=seeds
        )
        wanted = _power(waveform) * 10.0 ** (-snr / 10)
        return noise * ops.sqrt(wanted / _power(noise))

    def apply(self, signal, drawn):
        return signal + drawn

    def get_config(self):
        return {**super().get_config(), "snr": self.snr}


def _power(signal):
    return ops.mean(ops.square(signal), axis=(1, 2), keepdims=True)
