"""Metrics of Keras whose result is NaN where an output is, instead of a number."""

import keras
from keras import metrics

from zoo.training.metrics.nan_propagation import NaNPropagation


@keras.saving.register_keras_serializable(package="convzoo")
class SparseCategoricalAccuracy(NaNPropagation, metrics.SparseCategoricalAccuracy):
    """Accuracy on integer classes; NaN if an output is, where Keras sees class 0.

    Arguments and numbers are those of `keras.metrics.SparseCategoricalAccuracy`.

    Example:

    >>> metric = SparseCategoricalAccuracy(name="accuracy")
    >>> metric.update_state([0, 1], [[0.9, 0.1], [0.8, 0.2]])
    >>> float(metric.result())
    0.5
    >>> metric.update_state([0], [[float("nan")] * 2])
    >>> float(metric.result())
    nan
    """


@keras.saving.register_keras_serializable(package="convzoo")
class BinaryAccuracy(NaNPropagation, metrics.BinaryAccuracy):
    """Accuracy of yes or no; NaN if an output is, where Keras sees "no".

    Arguments and numbers are those of `keras.metrics.BinaryAccuracy`.

    Example:

    >>> metric = BinaryAccuracy(name="accuracy")
    >>> metric.update_state([[0], [1]], [[0.2], [0.3]])
    >>> float(metric.result())
    0.5
    """


@keras.saving.register_keras_serializable(package="convzoo")
class MeanAbsoluteError(NaNPropagation, metrics.MeanAbsoluteError):
    """Mean absolute error; NaN if an output is, but not for one without weight.

    Arguments and numbers are those of `keras.metrics.MeanAbsoluteError`.

    Example:

    >>> metric = MeanAbsoluteError()
    >>> metric.update_state([[1.0], [2.0]], [[1.5], [float("nan")]], [1, 0])
    >>> float(metric.result())
    0.5
    """


def with_stock_metrics(model):
    """The model, compiled with Keras's own metrics: Keras alone reads what it saves.

    Args:
        model: a Keras model; one that is not compiled stays so.

    Returns:
        The same model, with the same optimizer and its state.
    """
    if not model.compiled:
        return model
    own = [one for group in model.metrics for one in getattr(group, "metrics", [])]
    stock = [_stock(metric) for metric in own]
    model.compile(model.optimizer, model.loss, metrics=stock)
    return model


def _stock(metric):
    if type(metric) not in (
        SparseCategoricalAccuracy,
        BinaryAccuracy,
        MeanAbsoluteError,
    ):
        return metric
    return getattr(metrics, type(metric).__name__).from_config(metric.get_config())
