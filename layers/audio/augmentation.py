"""What the layers that change sound at random have in common."""

import math
import numbers
import random
import zlib

import keras
from keras import ops

KEYS = ("waveform", "reference", "tempo")


class SoundAugmentation(keras.layers.Layer):
    """Changes each clip of a batch at random in training, and nothing otherwise.

    A subclass says in `draw` what chance decides for each clip, in `apply` what it does
    to a signal, and in `apply_to_tempo` what becomes of the tempo. With `paired` the
    reference is changed as the waveform is.
    """

    paired = True

    def __init__(self, seed=None, **kwargs):
        super().__init__(**kwargs)
        # A tempo is not rounded to half precision; `call` casts the signals itself.
        self.autocast = False
        if seed is not None and not (isinstance(seed, int) and 0 <= seed < 2**31):
            raise ValueError(
                f"`seed` must be None or an integer from 0 to 2**31 - 1. "
                f"Received: seed={seed!r}"
            )
        # Keras's own choice of a seed, which `keras.utils.set_random_seed` decides.
        self.seed = random.randint(1, 10**9) if seed is None else seed
        # Two layers of one seed shall not throw the same dice.
        own = (self.seed + zlib.crc32(type(self).__name__.encode())) % 2**31
        self._own_seed = own
        self.seed_generator = keras.random.SeedGenerator(own)

    def call(self, inputs, training=False, seed=None):
        signals = inputs if isinstance(inputs, dict) else {"waveform": inputs}
        _check_inputs(signals, self.name)
        # Half precision holds neither the places of samples nor powers.
        dtype = "float64" if self.compute_dtype == "float64" else "float32"
        outputs = {key: ops.cast(value, dtype) for key, value in signals.items()}
        if training:
            seeds = self.seed_generator
            if seed is not None:
                seeds = _Seeds(seed, self._own_seed, seeds.state.dtype)
            outputs = self._changed(outputs, seeds)
        for key in outputs:
            if key != "tempo":
                outputs[key] = ops.cast(outputs[key], self.compute_dtype)
        return outputs if isinstance(inputs, dict) else outputs["waveform"]

    def _changed(self, signals, seeds):
        drawn = self.draw(signals["waveform"], signals.get("tempo"), seeds)
        changed = dict(signals)
        changed["waveform"] = self.apply(signals["waveform"], drawn)
        if self.paired and "reference" in signals:
            changed["reference"] = self.apply(signals["reference"], drawn)
        if "tempo" in signals:
            changed["tempo"] = self.apply_to_tempo(signals["tempo"], drawn)
        return changed

    def apply_to_tempo(self, tempo, drawn):
        return tempo

    def compute_output_shape(self, input_shape):
        return input_shape

    def compute_output_spec(self, inputs, training=False, seed=None):
        signals = inputs if isinstance(inputs, dict) else {"waveform": inputs}
        _check_inputs(signals, self.name)
        wide = "float64" if self.compute_dtype == "float64" else "float32"
        outputs = {
            key: keras.KerasTensor(
                value.shape, dtype=wide if key == "tempo" else self.compute_dtype
            )
            for key, value in signals.items()
        }
        return outputs if isinstance(inputs, dict) else outputs["waveform"]

    def get_config(self):
        return {**super().get_config(), "seed": self.seed}


class _Seeds(keras.random.SeedGenerator):
    """The seeds of one call, from one that the caller gives: nothing is remembered."""

    def __init__(self, given, own_seed, dtype):
        given = ops.cast(ops.convert_to_tensor(given), dtype)
        self._seed = ops.broadcast_to(given, (2,)) + ops.cast([own_seed, 0], dtype)
        self._draws = 0

    def next(self, ordered=True):
        self._draws += 1
        # torch adds the two halves: steps of 1 would meet the seeds of the next call.
        return self._seed + ops.cast([0, 7919 * self._draws], self._seed.dtype)


def uniform(signal, low, high, seeds, shape=(1, 1)):
    """A number for each clip between low and high: `(batch, *shape)`."""
    size = (ops.shape(signal)[0], *shape)
    return low + (high - low) * keras.random.uniform(
        size, dtype=signal.dtype, seed=seeds
    )


def samples_at(signal, places):
    """Samples of each clip at integer places `(batch, n)`, zero outside of the clip."""
    batch, length, channels = ops.shape(signal)
    inside = ops.logical_and(places >= 0, places < length)
    places = ops.expand_dims(ops.clip(places, 0, length - 1), -1)
    places = ops.broadcast_to(places, (batch, ops.shape(places)[1], channels))
    found = ops.take_along_axis(signal, places, axis=1)
    return ops.where(ops.expand_dims(inside, -1), found, ops.zeros_like(found))


def as_range(value, name, lowest=-math.inf, highest=math.inf, unit=""):
    """A pair (low, high) from a pair or one number.

    Raises:
        ValueError: if it is neither, not in order, or out of bounds.
    """
    pair = (value, value) if isinstance(value, numbers.Real) else value
    try:
        low, high = (float(number) for number in pair)
    except (TypeError, ValueError):
        low, high = math.nan, math.nan
    if not lowest <= low <= high <= highest or math.isinf(low) or math.isinf(high):
        bounds = "" if math.isinf(highest) else f" from {lowest:g} to {highest:g}"
        raise ValueError(
            f"`{name}` must be a number or (low, high), low <= high, finite"
            f"{bounds}{unit}. Received: {name}={value!r}"
        )
    return low, high


def _check_inputs(signals, name):
    if "waveform" not in signals or not set(signals) <= set(KEYS):
        raise ValueError(
            f"{name} takes a waveform, or a dictionary of 'waveform' and, where there "
            f"are, 'reference' and 'tempo'. Received: {', '.join(map(repr, signals))}"
        )
    shapes = {key: tuple(value.shape) for key, value in signals.items()}
    waveform = shapes["waveform"]
    if len(waveform) != 3:
        raise ValueError(
            f"{name} takes waveforms (batch, samples, channels). "
            f"Received: shape={waveform}. Batch the clips first."
        )
    pairs = zip(waveform, shapes.get("reference", waveform), strict=False)
    if len(shapes.get("reference", waveform)) != 3 or any(
        None not in pair and pair[0] != pair[1] for pair in pairs
    ):
        raise ValueError(
            f"{name} takes a reference of the waveform's shape. Received: waveform="
            f"{waveform}, reference={shapes['reference']}"
        )
    if len(shapes.get("tempo", (None,))) != 1:
        raise ValueError(
            f"{name} takes one tempo a clip, (batch,). Received: tempo="
            f"{shapes['tempo']}"
        )
