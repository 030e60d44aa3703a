import numbers

import keras
from keras import ops

from zoo.layers.audio.augmentation import SoundAugmentation, samples_at, uniform


@keras.saving.register_keras_serializable(package="convzoo")
class RandomTimeShift(SoundAugmentation):
    """Moves each clip earlier or later by a random number of whole samples.

    What leaves at one end does not come back at the other: the clip is filled up with
    zeros. A reference moves with its waveform.

    Inactive unless `training=True`; in `tf.data` see `AddNoise`.

    Args:
        max_shift: largest shift in both directions, or a pair (earlier, later): a share
            of the clip's length in (0, 1]; or with a `sample_rate` seconds. Every
            number of samples up to it is as likely. (0, 0.2) never cuts off how a word
            begins.
        sample_rate: None, or in Hz.
        seed: int, or None for one of chance.
        **kwargs: `name`, `dtype` of every Keras layer.

    Input shape:
        `(batch, samples, channels)`, or a dictionary of `"waveform"` of that shape,
        and optionally `"reference"` of the same and `"tempo"` `(batch,)` in BPM.

    Output shape:
        The same.

    Raises:
        ValueError: for a shift that is not above 0 or a share above 1, for a sample
            rate that is not above 0, or another input.

    Example:

    >>> layer = RandomTimeShift(max_shift=0.1, seed=0)
    >>> clips = layer(keras.ops.ones((500, 100, 1)), training=True)
    >>> zeros = keras.ops.sum(clips == 0, axis=(1, 2))
    >>> int(keras.ops.min(zeros)), int(keras.ops.max(zeros))
    (0, 10)
    """

    def __init__(self, max_shift=0.1, sample_rate=None, seed=None, **kwargs):
        super().__init__(seed=seed, **kwargs)
        furthest = max_shift if isinstance(max_shift, list | tuple) else [max_shift] * 2
        numbers_only = all(isinstance(shift, numbers.Real) for shift in furthest)
        if not (
            numbers_only
            and len(furthest) == 2
            and 0 <= min(furthest) <= max(furthest) < float("inf")
            and max(furthest) > 0
        ):
            raise ValueError(
                f"`max_shift` must be a number above 0, or two, (earlier, later), of "
                f"which one may be 0. Received: max_shift={max_shift!r}"
            )
        if sample_rate is None and max(furthest) > 1:
            raise ValueError(
                f"`max_shift` is a share of the clip, at most 1, unless a sample_rate "
                f"is given: then seconds. Received: max_shift={max_shift!r}"
            )
        if sample_rate is not None and not (
            isinstance(sample_rate, numbers.Real) and 0 < sample_rate < float("inf")
        ):
            raise ValueError(
                f"`sample_rate` must be None or Hz above 0. "
                f"Received: sample_rate={sample_rate!r}"
            )
        self.max_shift = max_shift
        self._earlier_and_later = tuple(furthest)
        self.sample_rate = sample_rate

    def draw(self, waveform, tempo, seeds):
        earliest, latest = self._samples(ops.shape(waveform)[1], waveform.dtype)
        choices = earliest + latest + 1
        place = ops.floor(choices * uniform(waveform, 0.0, 1.0, seeds, shape=(1,)))
        # Rounding may reach the end of the range, which does not belong to it.
        return ops.cast(ops.minimum(place, choices - 1) - earliest, "int32")

    def _samples(self, length, dtype):
        """The furthest places earlier and later, as floats."""
        length = ops.cast(length, dtype)
        both = self._earlier_and_later
        if self.sample_rate is None:
            return [ops.round(share * length) for share in both]
        return [ops.minimum(round(time * self.sample_rate), length) for time in both]

    def apply(self, signal, drawn):
        times = ops.arange(ops.shape(signal)[1], dtype="int32")
        return samples_at(signal, times - drawn)

    def get_config(self):
        return {
            **super().get_config(),
            "max_shift": self.max_shift,
            "sample_rate": self.sample_rate,
        }
