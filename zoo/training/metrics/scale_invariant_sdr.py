import keras
from keras import ops

# Single precision can't tell a better or worse estimate apart.
LIMIT_DB = 100.0
# A reference with less of its power besides its mean is a constant, up to rounding.
SILENCE = 1e-10


@keras.saving.register_keras_serializable(package="convzoo")
class ScaleInvariantSDR(keras.metrics.Metric):
    """Scale-invariant signal-to-distortion ratio in dB: how much of a signal is right.

    The estimate e is split into the part along the reference s and the rest, both
    signals without their mean:

        a = <e, s> / <s, s>,    SI-SDR = 10 log10(|a s|^2 / |e - a s|^2)

    so neither loudness nor an offset matters. The result is the mean over all clips.

    A silent (or constant) reference has no ratio: it is left out of the mean and
    counted in `silent`. If nothing is left, the result is NaN. Ratios are limited to
    -100 and 100 dB, and a silent estimate counts as -100 dB (our choice: their mean
    would be infinite). A NaN or infinite value in a signal that counts makes the result
    NaN.

    Call arguments:
        y_true: clean signals `(batch, samples)` or `(batch, samples, channels)`; each
            channel counts as a signal.
        y_pred: estimates, of that shape. Where it has a Keras mask `(batch, samples)`,
            the masked samples are left out.
        sample_weight: None, or `(batch,)`.

    Args:
        name: of the metric.
        dtype: in which it is computed.

    Attributes:
        silent: how many signals were left out.

    Raises:
        ValueError: for shapes other than these, or unequal ones.

    Reference: Le Roux et al., SDR - Half-baked or Well Done?, ICASSP 2019 (without the
    mean removal, which is usual).

    Example:

    >>> metric = ScaleInvariantSDR()
    >>> metric.update_state([[1.0, -1.0, 1.0, -1.0]], [[3.0, -1.0, 1.0, -3.0]])
    >>> round(float(metric.result()), 3)
    6.021
    """

    def __init__(self, name="scale_invariant_sdr", dtype=None):
        super().__init__(name=name, dtype=dtype)
        self._direction = "up"
        self.total = self._number("total")
        self.weight = self._number("weight")
        self.silent = self._number("silent")

    def update_state(self, y_true, y_pred, sample_weight=None):
        mask = getattr(y_pred, "_keras_mask", None)
        reference = ops.convert_to_tensor(y_true, self.dtype)
        estimate = ops.convert_to_tensor(y_pred, self.dtype)
        _check_shapes(reference.shape, estimate.shape)
        reference, estimate, mask = (
            _as_channels(x) for x in (reference, estimate, mask)
        )
        ratio, silent = _ratios(reference, estimate, mask)
        weight = ops.ones_like(ratio)
        if sample_weight is not None:
            sample_weight = ops.convert_to_tensor(sample_weight, self.dtype)
            weight = weight * ops.reshape(sample_weight, (-1, 1))
        weight = ops.where(silent, 0.0, weight)
        # 0 * NaN is NaN.
        self.total.assign_add(ops.sum(ops.where(weight == 0, 0.0, weight * ratio)))
        self.weight.assign_add(ops.sum(weight))
        self.silent.assign_add(ops.sum(ops.cast(silent, self.dtype)))

    def result(self):
        weight = ops.convert_to_tensor(self.weight)
        some = weight > 0
        mean = self.total / ops.where(some, weight, 1.0)
        return ops.where(some, mean, float("nan"))

    def _number(self, name):
        return self.add_variable(shape=(), initializer="zeros", name=name)


def _ratios(reference, estimate, mask):
    """SI-SDR in dB and whether the reference is silent, both `(batch, channels)`."""
    reference, estimate = _scaled(reference, mask), _scaled(estimate, mask)
    is_nan = _signals_with_nan(reference, estimate)
    power = ops.sum(ops.square(reference), axis=1)
    reference = _without_mean(reference, mask)
    estimate = _without_mean(estimate, mask)
    energy = ops.sum(ops.square(reference), axis=1)
    silent = energy <= SILENCE * power
    energy = ops.where(silent, 1.0, energy)
    share = ops.sum(reference * estimate, axis=1) / energy
    target = reference * ops.expand_dims(share, 1)
    right = ops.sum(ops.square(target), axis=1)
    wrong = ops.sum(ops.square(estimate - target), axis=1)
    # right / wrong, with the limits in place of 0 and infinity.
    largest = 10 ** (LIMIT_DB / 10)
    ratio = ops.where(
        right >= largest * wrong, largest, right / ops.where(wrong > 0, wrong, 1.0)
    )
    ratio = ops.where(right > 0, ops.maximum(ratio, 1 / largest), 1 / largest)
    return ops.where(is_nan, float("nan"), 10 * ops.log10(ratio)), silent


def _signals_with_nan(*signals):
    """Whether any of `(batch, samples, channels)` holds NaN: `(batch, channels)`."""
    return ops.any(ops.stack([ops.any(ops.isnan(x), axis=1) for x in signals]), axis=0)


def _scaled(signal, mask):
    """With a peak of 1, whose square neither overflows nor vanishes.

    The ratio does not change. Infinite samples become NaN, masked ones 0.
    """
    signal = _masked(signal, mask)
    peak = ops.max(ops.abs(signal), axis=1, keepdims=True)
    return signal / ops.where(peak == 0, 1.0, peak)


def _without_mean(signal, mask):
    if mask is None:
        return signal - ops.mean(signal, axis=1, keepdims=True)
    count = ops.sum(ops.cast(mask, signal.dtype), axis=1, keepdims=True)
    total = ops.sum(_masked(signal, mask), axis=1, keepdims=True)
    return _masked(signal - total / ops.maximum(count, 1.0), mask)


def _masked(signal, mask):
    return signal if mask is None else ops.where(mask, signal, 0.0)


def _as_channels(signal):
    if signal is None or len(signal.shape) == 3:
        return signal
    return ops.expand_dims(signal, -1)


def _check_shapes(reference, estimate):
    reference, estimate = tuple(reference), tuple(estimate)
    pairs = zip(reference, estimate, strict=False)
    differ = any(None not in pair and pair[0] != pair[1] for pair in pairs)
    if len(reference) not in (2, 3) or len(estimate) != len(reference) or differ:
        raise ValueError(
            f"Expected `y_true` and `y_pred` of one shape, (batch, samples) or (batch, "
            f"samples, channels). Received: {reference} and {estimate}"
        )
