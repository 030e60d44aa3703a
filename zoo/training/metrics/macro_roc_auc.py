import keras
import numpy as np
from keras import ops

# Even in the logit: most tags are rare, so most scores lie near zero. All scores are
# above the first threshold and none above the last.
THRESHOLDS = np.array([-1, *(1 / (1 + np.exp(-np.linspace(-12, 12, 399)))), 1])


@keras.saving.register_keras_serializable(package="convzoo")
class MacroRocAuc(keras.metrics.Metric):
    """Area under the ROC curve, the mean over the tags: how tags rank the sounds.

    The area of a tag is the chance that a sound that has it scores higher than one that
    has not; 0.5 is guessing. A tag that all sounds seen so far have, or none, has no
    area and is left out; where that holds for every tag, the result is NaN. Scores are
    told apart in 400 steps of their logit, and count half where they are not told
    apart.

    Call arguments:
        y_true: 1 where a tag holds, else 0, `(batch, num_labels)`.
        y_pred: scores from 0 to 1 of that shape, no logits.
        sample_weight: None or `(batch,)`.

    Args:
        num_labels: int, number of tags.
        name: of the metric.
        dtype: in which it is computed.

    Raises:
        ValueError: for a number of tags that is no positive integer, or other shapes.

    Reference: Fawcett, An Introduction to ROC Analysis, Pattern Recognition Letters
    27(8), 2006, section 7. Leaving tags out and the steps are our choice.

    Example:

    >>> metric = MacroRocAuc(num_labels=2)
    >>> metric.update_state([[1, 0], [0, 0]], [[0.9, 0.1], [0.2, 0.7]])
    >>> float(metric.result())  # nobody has the second tag
    1.0
    """

    def __init__(self, num_labels, name="roc_auc", dtype=None):
        is_integer = isinstance(num_labels, int) and not isinstance(num_labels, bool)
        if not is_integer or num_labels < 1:
            raise ValueError(
                "`num_labels` must be a positive integer. "
                f"Received: num_labels={num_labels!r}"
            )
        super().__init__(name=name, dtype=dtype)
        self.num_labels = num_labels
        shape = (len(THRESHOLDS), num_labels)
        # Sounds that score above a threshold: those with the tag, those without.
        self.hits = self.add_variable(shape, "zeros", name="hits")
        self.false_alarms = self.add_variable(shape, "zeros", name="false_alarms")
        self._direction = "up"

    def update_state(self, y_true, y_pred, sample_weight=None):
        tags = ops.convert_to_tensor(y_true, dtype=self.dtype)
        scores = ops.convert_to_tensor(y_pred, dtype=self.dtype)
        for name, values in (("y_true", tags), ("y_pred", scores)):
            if len(values.shape) != 2 or values.shape[-1] != self.num_labels:
                raise ValueError(
                    f"Expected `{name}` of shape (batch, {self.num_labels}). "
                    f"Received: shape={tuple(values.shape)}"
                )
        weights = ops.ones_like(tags)
        if sample_weight is not None:
            weights *= ops.reshape(ops.cast(sample_weight, self.dtype), (-1, 1))
        above = ops.cast(scores[None] > THRESHOLDS[:, None, None], self.dtype)
        self.hits.assign_add(ops.sum(above * weights * tags, axis=1))
        self.false_alarms.assign_add(ops.sum(above * weights * (1 - tags), axis=1))

    def result(self):
        have, have_not = self.hits[0], self.false_alarms[0]
        has_area = ops.logical_and(have > 0, have_not > 0)
        found = self.hits / ops.where(has_area, have, 1)
        alarmed = self.false_alarms / ops.where(has_area, have_not, 1)
        # With rising thresholds both fall from 1 to 0.
        widths = alarmed[:-1] - alarmed[1:]
        areas = ops.sum(widths * (found[:-1] + found[1:]) / 2, axis=0)
        tags = ops.sum(ops.cast(has_area, self.dtype))
        mean = ops.sum(ops.where(has_area, areas, 0)) / ops.maximum(tags, 1)
        return ops.where(tags > 0, mean, float("nan"))

    def get_config(self):
        return {"num_labels": self.num_labels, "name": self.name, "dtype": self.dtype}
