"""The loss that belongs to what a model returns."""

import keras
from keras import ops

from zoo.analysis._graph import ends_in_probabilities, last_operation


@keras.saving.register_keras_serializable(package="convzoo")
class PlusMinusOneSquaredError(keras.losses.Loss):
    """Squared error to targets of +1 for the right class and -1 for the others.

    The mean over the classes, as in the reproduction of LeCun et al. 1989 by Karpathy
    (2022). Labels are integers, as for `SparseCategoricalCrossentropy`.

    Args:
        reduction: as of every Keras loss.
        name: of the loss.
        dtype: in which it is computed.

    Example:

    >>> loss = PlusMinusOneSquaredError()
    >>> float(loss([1], [[-1.0, 1.0, -1.0, 0.0]]))
    0.25
    """

    def __init__(
        self,
        reduction="sum_over_batch_size",
        name="plus_minus_one_squared_error",
        dtype=None,
    ):
        super().__init__(name=name, reduction=reduction, dtype=dtype)

    def call(self, y_true, y_pred):
        labels = ops.reshape(ops.cast(y_true, "int32"), (-1,))
        targets = 2 * ops.one_hot(labels, y_pred.shape[-1], dtype=y_pred.dtype) - 1
        return ops.mean(ops.square(targets - y_pred), axis=-1)


def loss_for(model):
    """The loss that fits the output of a classifier, told by its last activation.

    Args:
        model: a Keras model that ends in a softmax (probabilities), in a tanh (near +1
            for the right class, -1 for the others), or in neither (logits).

    Returns:
        A Keras loss on integer labels.

    Example:

    >>> import zoo
    >>> loss_for(zoo.lecun1989()).name
    'plus_minus_one_squared_error'
    >>> loss_for(zoo.p4cnn(classifier_activation=None)).from_logits
    True
    """
    last = last_operation(model)
    activation = getattr(last, "activation", None)
    if getattr(activation, "__name__", None) in ("tanh", "scaled_tanh"):
        return PlusMinusOneSquaredError()
    return keras.losses.SparseCategoricalCrossentropy(
        from_logits=not ends_in_probabilities(last)
    )
