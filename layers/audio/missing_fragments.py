import numbers

import keras
from keras import ops

from zoo.layers.audio.augmentation import SoundAugmentation, uniform


@keras.saving.register_keras_serializable(package="convzoo")
class MissingFragments(SoundAugmentation):
    """Silences random fragments of each clip, as if a recording had gaps.

    The fragments are as long as each other (up to one sample), do not overlap, and
    together are exactly the share asked for, rounded to whole samples. All channels
    are silenced, and the reference stays whole.

    Inactive unless `training=True`; in `tf.data` see `AddNoise`.

    Args:
        share: in [0, 1], the part of the clip that is set to zero.
        fragments: int, in how many pieces.
        seed: int, or None for one of chance.
        **kwargs: `name`, `dtype` of every Keras layer.

    Input shape:
        `(batch, samples, channels)`, or a dictionary of `"waveform"` of that shape,
        and optionally `"reference"` of the same and `"tempo"` `(batch,)` in BPM.

    Output shape:
        The same.

    Raises:
        ValueError: for a share outside [0, 1], less than one fragment, or another
            input.

    Example:

    >>> layer = MissingFragments(share=0.25, fragments=2, seed=0)
    >>> clip = layer(keras.ops.ones((1, 16, 1)), training=True)
    >>> int(keras.ops.sum(clip == 0))
    4
    """

    paired = False

    def __init__(self, share=0.1, fragments=4, seed=None, **kwargs):
        super().__init__(seed=seed, **kwargs)
        if not (isinstance(share, numbers.Real) and 0 <= share <= 1):
            raise ValueError(
                f"`share` must be a number from 0 to 1. Received: share={share!r}"
            )
        if not (isinstance(fragments, numbers.Integral) and fragments >= 1):
            raise ValueError(
                f"`fragments` must be an integer of at least 1. "
                f"Received: fragments={fragments!r}"
            )
        self.share = share
        self.fragments = fragments

    def draw(self, waveform, tempo, seeds):
        """Whether each sample is kept: `(batch, samples, 1)`."""
        length = ops.shape(waveform)[1]
        missing = ops.round(self.share * ops.cast(length, waveform.dtype))
        kept = ops.cast(length, waveform.dtype) - missing
        # Fragment i follows what was missing before it, and a sorted random part of
        # what is kept: so no two overlap, and every arrangement is as likely.
        before = uniform(waveform, 0.0, 1.0, seeds, shape=(1, self.fragments))
        before = ops.minimum(ops.floor(ops.sort(before, axis=-1) * (kept + 1)), kept)
        ends = ops.arange(self.fragments + 1, dtype=waveform.dtype) / self.fragments
        ends = ops.floor(ends * missing + 0.5)
        times = ops.reshape(ops.arange(length, dtype=waveform.dtype), (-1, 1))
        gone = ops.logical_and(times >= before + ends[:-1], times < before + ends[1:])
        return ops.logical_not(ops.any(gone, axis=-1, keepdims=True))

    def apply(self, signal, drawn):
        return ops.where(drawn, signal, ops.zeros_like(signal))

    def get_config(self):
        return {
            **super().get_config(),
            "share": self.share,
            "fragments": self.fragments,
        }
