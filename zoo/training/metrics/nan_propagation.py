"""NaN stays NaN: a net that diverged has no accuracy, rather than a low one."""

import numpy as np
from keras import ops


class NaNPropagation:
    """Mixin for a `keras.metrics.MeanMetricWrapper` whose result must not hide NaN.

    A comparison with NaN is false and `argmax` of NaN is 0, so Keras counts it as an
    answer. With the mixin the result is NaN from the first example with weight on whose
    target or output holds NaN, until `reset_state`. Without weight it does not count.

    Call arguments:
        y_true: targets `(batch, ...)`.
        y_pred: outputs `(batch, ...)`.
        sample_weight: None, or one that Keras can broadcast to the examples.

    Example:

    >>> import keras
    >>> class Accuracy(NaNPropagation, keras.metrics.BinaryAccuracy):
    ...     pass
    >>> metric = Accuracy()
    >>> metric.update_state([[0], [1]], [[float("nan")], [0.9]])
    >>> float(metric.result())
    nan
    """

    def update_state(self, y_true, y_pred, sample_weight=None):
        y_true, y_pred = ops.convert_to_tensor(y_true), ops.convert_to_tensor(y_pred)
        mask = getattr(y_pred, "_keras_mask", None)
        is_nan = ops.logical_or(has_nan(y_true), has_nan(y_pred))
        counts = is_nan
        if sample_weight is not None:
            weighted = ops.not_equal(ops.convert_to_tensor(sample_weight), 0)
            counts = ops.logical_and(is_nan, _any_in_example(weighted))
        # 0 * NaN is NaN: what has no weight must be a number.
        y_true, y_pred = _zero_where(is_nan, y_true), _zero_where(is_nan, y_pred)
        if mask is not None:
            y_pred._keras_mask = mask
        super().update_state(y_true, y_pred, sample_weight)
        nothing = ops.where(ops.any(counts), float("nan"), 0.0)
        self.total.assign_add(ops.cast(nothing, self.total.dtype))


def has_nan(values):
    """Which examples of a tensor `(batch, ...)` hold NaN: a boolean tensor `(batch,)`.

    Example:

    >>> has_nan(ops.convert_to_tensor([[1.0, float("nan")], [1.0, 2.0]])).numpy()
    array([ True, False])
    """
    # Of integers of an unknown number Keras can't tell it in a TensorFlow graph.
    return _any_in_example(ops.isnan(ops.cast(values, "float32")))


def rows_with_nan(values):
    """`has_nan` of a NumPy array.

    Example:

    >>> rows_with_nan(np.array([[1.0, np.nan], [1.0, 2.0]]))
    array([ True, False])
    """
    return np.isnan(values).any(axis=tuple(range(1, values.ndim)))


def _any_in_example(flags):
    axes = tuple(range(1, len(flags.shape)))
    return ops.any(flags, axis=axes) if axes else flags


def _zero_where(is_nan, values):
    shape = (-1,) + (1,) * (len(values.shape) - 1)
    return ops.where(ops.reshape(is_nan, shape), ops.zeros_like(values), values)
