import keras
from keras import ops

LOWEST_BPM, HIGHEST_BPM = 30, 285


@keras.saving.register_keras_serializable(package="convzoo")
class TempoCrossentropy(keras.losses.Loss):
    """Cross-entropy of a tempo in whole beats per minute.

    The 256 classes are 30, 31, ..., 285 BPM, and the right one is
    `floor(bpm + 1/2) - 30`: a tempo between two whole ones is rounded, one in the very
    middle goes up, 120.5 to 121. A target that rounds to none of the classes gives NaN
    and is never moved into them; data must be clean.

    Args:
        from_logits: bool. The outputs are logits, not probabilities.
        reduction: as of every Keras loss.
        name: of the loss.
        dtype: in which it is computed.

    Shapes:
        Targets in BPM `(batch,)` or `(batch, 1)`, outputs `(batch, 256)`.

    Raises:
        ValueError: for outputs of another number of classes.

    Reference: the classes are those of Schreiber and Müller, A Single-Step Approach to
    Musical Tempo Estimation Using a Convolutional Neural Network, ISMIR 2018, section
    2.2. Rounding up at one half is our choice.

    Example:

    >>> outputs = keras.ops.one_hot([91, 90], 256)  # 121 and 120 BPM
    >>> round(float(TempoCrossentropy()([120.5, 120.4], outputs)), 3)
    0.0
    """

    def __init__(
        self,
        from_logits=False,
        reduction="sum_over_batch_size",
        name="tempo_crossentropy",
        dtype=None,
    ):
        super().__init__(name=name, reduction=reduction, dtype=dtype)
        self.from_logits = from_logits

    def call(self, y_true, y_pred):
        classes = HIGHEST_BPM - LOWEST_BPM + 1
        if len(y_pred.shape) != 2 or y_pred.shape[-1] != classes:
            raise ValueError(
                f"TempoCrossentropy expects outputs of shape (batch, {classes}), one "
                f"for each tempo from {LOWEST_BPM} to {HIGHEST_BPM} BPM. "
                f"Received: shape={tuple(y_pred.shape)}"
            )
        bpm = ops.floor(ops.reshape(y_true, (-1,)) + 0.5)
        is_class = ops.logical_and(bpm >= LOWEST_BPM, bpm <= HIGHEST_BPM)
        # Any class will do where the result is NaN all the same.
        bpm = ops.where(is_class, bpm, float(LOWEST_BPM))
        losses = ops.sparse_categorical_crossentropy(
            ops.cast(bpm - LOWEST_BPM, "int32"), y_pred, from_logits=self.from_logits
        )
        return ops.where(is_class, losses, float("nan"))

    def get_config(self):
        return {**super().get_config(), "from_logits": self.from_logits}
