import keras

from zoo.layers.audio.augmentation import SoundAugmentation, as_range, uniform


@keras.saving.register_keras_serializable(package="convzoo")
class RandomGain(SoundAugmentation):
    """Makes each clip louder or quieter by a random number of decibels.

    The waveform and its reference are multiplied by 10^(gain / 20). Values beyond
    [-1, 1] are not cut off.

    Inactive unless `training=True`; in `tf.data` see `AddNoise`.

    Args:
        gain: (low, high) or one number, in dB; drawn uniformly.
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

    >>> layer = RandomGain(gain=(-20.0, -20.0))
    >>> round(float(layer(keras.ops.ones((1, 4, 1)), training=True)[0, 0, 0]), 3)
    0.1
    """

    def __init__(self, gain=(-12.0, 0.0), seed=None, **kwargs):
        super().__init__(seed=seed, **kwargs)
        self.gain = as_range(gain, "gain", unit=" dB")

    def draw(self, waveform, tempo, seeds):
        return 10.0 ** (uniform(waveform, *self.gain, seeds) / 20)

    def apply(self, signal, drawn):
        return signal * drawn

    def get_config(self):
        return {**super().get_config(), "gain": self.gain}
