import math

import keras
from keras import ops

from zoo.layers.audio.augmentation import SoundAugmentation, as_range, uniform

# Rates are whole multiples of 1 / STEPS. Places between samples can then be computed
# in integers: single precision would put them wrong after some seconds of sound.
STEPS = 8192
# Half the width of the interpolation, in samples.
REACH = 12


@keras.saving.register_keras_serializable(package="convzoo")
class RandomSpeed(SoundAugmentation):
    """Plays each clip faster or slower at a random rate, as a tape: pitch follows.

    A rate of 1.25 raises the tempo and every frequency by 25 %. The clip keeps its
    start and its length: played slower it loses its end, played faster it is filled up
    with zeros. A reference is played as its waveform is, and a tempo is multiplied by
    the rate.

    Between samples the sound is interpolated by a sinc under a Hann window of 24
    samples. It is band-limited: for rates above 1 its cut-off lies as much lower, so
    that what would rise above half the sample rate is damped instead of folding back.
    Up to 0.8 of the cut-off a tone is right within -48 dB; at it lies the middle of
    the transition.

    Inactive unless `training=True`; in `tf.data` see `AddNoise`.

    Args:
        rates: (low, high) or one number, from 0.25 to 4. The logarithm is drawn
            uniformly, so that 0.8 is as likely as 1.25 (our choice), and the rate is
            rounded to 1/8192.
        tempo_range: (low, high) in BPM: where a tempo is given, only such rates are
            drawn that keep it within; None for all. A tempo that no rate brings there
            gets the rate that brings it nearest.
        seed: int, or None for one of chance.
        **kwargs: `name`, `dtype` of every Keras layer.

    Input shape:
        `(batch, samples, channels)`, or a dictionary of `"waveform"` of that shape,
        and optionally `"reference"` of the same and `"tempo"` `(batch,)` in BPM.

    Output shape:
        The same.

    Raises:
        ValueError: for a range that is none, or another input.

    Reference: Smith and Gossett, A Flexible Sampling-Rate Conversion Method, ICASSP
    1984 (the interpolation); the scaled tempo as in Schreiber and Müller, A Single-Step
    Approach to Musical Tempo Estimation Using a CNN, ISMIR 2018.

    Example:

    >>> layer = RandomSpeed(rates=(1.25, 1.25))
    >>> tempo = keras.ops.array([120.0])
    >>> clips = {"waveform": keras.ops.ones((1, 100, 1)), "tempo": tempo}
    >>> keras.ops.convert_to_numpy(layer(clips, training=True)["tempo"]).tolist()
    [150.0]
    """

    def __init__(
        self, rates=(0.8, 1.25), tempo_range=(30.0, 285.0), seed=None, **kwargs
    ):
        super().__init__(seed=seed, **kwargs)
        self.rates = as_range(rates, "rates", lowest=0.25, highest=4)
        self.tempo_range = tempo_range
        if tempo_range is not None:
            self.tempo_range = as_range(tempo_range, "tempo_range", 1, 1e4, " BPM")

    def draw(self, waveform, tempo, seeds):
        """The rate of each clip times STEPS: integers `(batch, 1)`."""
        slowest, fastest = self.rates
        if tempo is not None and self.tempo_range is not None:
            low, high = self.tempo_range
            tempo = ops.expand_dims(tempo, -1)
            slowest, fastest = (
                ops.clip(bound / tempo, *self.rates) for bound in (low, high)
            )
        low, high = (
            ops.log(ops.cast(rate, waveform.dtype)) for rate in (slowest, fastest)
        )
        rate = ops.exp(uniform(waveform, low, high, seeds, shape=(1,)))
        return ops.cast(ops.round(rate * STEPS), "int32")

    def apply(self, signal, drawn):
        batch, length, channels = ops.shape(signal)
        # Place t * rate of the source, its whole part and the rest, without overflow:
        # t = STEPS * a + b, so t * rate = a * drawn + b * drawn / STEPS.
        times = ops.arange(length, dtype="int32")
        steps = ops.mod(times, STEPS) * drawn
        whole = ops.floor_divide(times, STEPS) * drawn + ops.floor_divide(steps, STEPS)
        rest = ops.cast(ops.mod(steps, STEPS), signal.dtype) / STEPS
        cutoff = ops.minimum(STEPS / ops.cast(drawn, signal.dtype), 1.0)
        # Zeros around each clip, then all clips in one line: the quickest to read from.
        line = ops.pad(signal, ((0, 0), (REACH, 2 * REACH), (0, 0)))
        line = ops.reshape(line, (-1, channels))
        first = ops.expand_dims(ops.arange(batch, dtype="int32"), -1)
        first = first * (length + 3 * REACH) + REACH
        place = first + ops.minimum(whole, length + REACH - 1)
        total, weights = 0.0, 0.0
        for step in range(1 - REACH, REACH + 1):
            weight = ops.expand_dims(_windowed_sinc(rest - step, cutoff), -1)
            total = total + ops.take(line, place + step, axis=0) * weight
            weights = weights + weight
        # The sum of the weights is nearly 1; with this a constant stays one.
        return total / weights

    def apply_to_tempo(self, tempo, drawn):
        return tempo * ops.cast(drawn[:, 0], tempo.dtype) / STEPS

    def get_config(self):
        return {
            **super().get_config(),
            "rates": self.rates,
            "tempo_range": self.tempo_range,
        }


def _windowed_sinc(distance, cutoff):
    x = math.pi * cutoff * distance
    at_zero = ops.abs(x) < 1e-6
    sinc = ops.where(at_zero, 1.0, ops.sin(x) / ops.where(at_zero, 1.0, x))
    window = ops.square(ops.cos(math.pi / (2 * REACH) * distance))
    return cutoff * sinc * window
