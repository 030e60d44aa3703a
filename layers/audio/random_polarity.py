import numbers

import keras
from keras import ops

from zoo.layers.audio.augmentation import SoundAugmentation, uniform


@keras.saving.register_keras_serializable(package="convzoo")
class RandomPolarity(SoundAugmentation):
    """Turns the sign of a random share of the clips, which no ear can tell.

    A reference turns with its waveform. Inactive unless `training=True`; in `tf.data`
    see `AddNoise`.

    Args:
        probability: in [0, 1], that a clip is turned.
        seed: int, or None for one of chance.
        **kwargs: `name`, `dtype` of every Keras layer.

    Input shape:
        `(batch, samples, channels)`, or a dictionary of `"waveform"` of that shape,
        and optionally `"reference"` of the same and `"tempo"` `(batch,)` in BPM.

    Output shape:
        The same.

    Raises:
        ValueError: for a probability outside [0, 1], or another input.

    Example:

    >>> clips = RandomPolarity(seed=0)(keras.ops.ones((100, 2, 1)), training=True)
    >>> bool(20 < float(keras.ops.sum(clips[:, 0] > 0)) < 80)
    True
    """

    def __init__(self, probability=0.5, seed=None, **kwargs):
        super().__init__(seed=seed, **kwargs)
        if not (isinstance(probability, numbers.Real) and 0 <= probability <= 1):
            raise ValueError(
                f"`probability` must be a number from 0 to 1. "
                f"Received: probability={probability!r}"
            )
        self.probability = probability

    def draw(self, waveform, tempo, seeds):
        turned = uniform(waveform, 0.0, 1.0, seeds) < self.probability
        return ops.where(turned, -1.0, 1.0)

    def apply(self, signal, drawn):
        return signal * ops.cast(drawn, signal.dtype)

    def get_config(self):
        return {**super().get_config(), "probability": self.probability}
