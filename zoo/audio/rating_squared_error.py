import keras
from keras import ops


@keras.saving.register_keras_serializable(package="convzoo")
class RatingSquaredError(keras.losses.Loss):
    """Squared error of ratings from 1 to 100, in hundredths of the scale.

    `((target - output) / 100)^2`: with the scale brought to one, the loss is about as
    large as that of the other tasks, and so may the learning rate be.

    Args:
        from_logits: bool. The outputs are the values before the sigmoid; they become
            ratings by `1 + 99 sigmoid(x)` first.
        reduction: as of every Keras loss.
        name: of the loss.
        dtype: in which it is computed.

    Shapes:
        Targets `(batch,)` or `(batch, 1)`, outputs `(batch, 1)`.

    Example:

    >>> float(RatingSquaredError()([70.0, 20.0], [[50.0], [20.0]]))  # (0.2^2 + 0) / 2
    0.02...
    """

    def __init__(
        self,
        from_logits=False,
        reduction="sum_over_batch_size",
        name="rating_squared_error",
        dtype=None,
    ):
        super().__init__(name=name, reduction=reduction, dtype=dtype)
        self.from_logits = from_logits

    def call(self, y_true, y_pred):
        if self.from_logits:
            y_pred = 1 + 99 * ops.sigmoid(y_pred)
        # Flat both: (batch,) minus (batch, 1) would be a table of all differences.
        difference = ops.reshape(y_true, (-1,)) - ops.reshape(y_pred, (-1,))
        return ops.square(difference / 100)

    def get_config(self):
        return {**super().get_config(), "from_logits": self.from_logits}
