import keras
import numpy as np

from zoo.training.metrics.host import as_weights, in_tensorflow_graph, to_numpy

# In the progress bar of a compiled model the area is computed again when there are so
# many times the batches: all of an epoch costs a few times what the last one does.
GROWTH = 1.25


@keras.saving.register_keras_serializable(package="convzoo")
class MacroRocAuc(keras.metrics.Metric):
    """Area under the ROC curve, the mean over the tags: how tags rank the examples.

    The area of a tag is the probability that an example that has it scores higher than
    one that does not, where equal scores count half; 0.5 is guessing. It is computed
    from the ranks, so scores of any size count if their floating-point numbers differ.
    A tag that all examples seen so far have, or none, has no area and is ignored; where
    that holds for every tag, the result is NaN. A NaN among the scores (or tags) of an
    example with weight makes the result NaN.

    All tags, scores and weights are kept in NumPy, in main memory: 8 bytes per tag and
    example in single precision. In a compiled TensorFlow model they leave the graph,
    which XLA can't do: compile with `jit_compile=False` where there is a GPU
    (`zoo.training.train` does). There the progress bar (and `train_on_batch`) show
    the area of up to a fifth fewer batches; the logs at the end of an epoch and of
    `evaluate` are exact. Of several workers each ranks its own examples during
    training; `zoo.training.evaluate` and the validation of a run rank all.

    Call arguments:
        y_true: 1 where a tag holds, else 0, `(batch, num_labels)`. In between, an
            example counts as having the tag by that share.
        y_pred: scores of that shape; of probabilities and their logits the area is the
            same, up to rounding.
        sample_weight: None or `(batch,)`.

    Args:
        num_labels: int, number of tags.
        name: of the metric.
        dtype: as of every Keras metric. The result is in double precision all the same.

    Raises:
        ValueError: for a number of tags that is no positive integer, other shapes, tags
            outside [0, 1] or a negative weight.
        TypeError: inside a model that JAX compiles.

    Reference: Fawcett, An Introduction to ROC Analysis, Pattern Recognition Letters
    27(8), 2006, section 7. Ignoring tags without an area is our choice.

    Example:

    >>> metric = MacroRocAuc(num_labels=2)
    >>> metric.update_state([[1, 0], [0, 0]], [[0.9, 0.1], [0.2, 0.7]])
    >>> float(metric.result())  # nobody has the second tag
    1.0
    """

    # As Keras says it of layers. `compile_for` obeys.
    supports_jit = False

    def __init__(self, num_labels, name="roc_auc", dtype=None):
        is_integer = isinstance(num_labels, int) and not isinstance(num_labels, bool)
        if not is_integer or num_labels < 1:
            raise ValueError(
                "`num_labels` must be a positive integer. "
                f"Received: num_labels={num_labels!r}"
            )
        super().__init__(name=name, dtype=dtype)
        self.num_labels = num_labels
        self._direction = "up"
        self._ranking = _Ranking()

    def update_state(self, y_true, y_pred, sample_weight=None):
        given = {"y_true": y_true, "y_pred": y_pred, "sample_weight": sample_weight}
        if sample_weight is None:
            del given["sample_weight"]
        if in_tensorflow_graph():
            import tensorflow as tf

            tensors = {name: tf.convert_to_tensor(x) for name, x in given.items()}
            self._check_shapes(tensors)
            # XLA, which can't do this, names the node in its error.
            name = "MacroRocAuc_needs_jit_compile_False"
            tf.numpy_function(
                self._ranking.add, list(tensors.values()), tf.int64, name=name
            )
            return
        arrays = {name: to_numpy(x, name, self) for name, x in given.items()}
        self._check_shapes(arrays)
        self._ranking.add(*arrays.values())

    def result(self):
        if in_tensorflow_graph():
            import tensorflow as tf

            # Of operations with side effects TensorFlow keeps the order: the update
            # comes before.
            area = tf.numpy_function(self._ranking.recent_area, [], tf.float64)
            return tf.ensure_shape(area, ())
        return keras.ops.convert_to_tensor(np.asarray(self._ranking.area()))

    def reset_state(self):
        self._ranking.clear()

    def get_examples(self):
        """What was seen so far: tags, scores and weights, three NumPy arrays or None.

        Together with `update_state` they continue an epoch in another process.
        """
        return self._ranking.examples()

    def get_config(self):
        return {"num_labels": self.num_labels, "name": self.name, "dtype": self.dtype}

    def _check_shapes(self, given):
        for name in ("y_true", "y_pred"):
            shape = tuple(given[name].shape)
            if len(shape) != 2 or shape[-1] != self.num_labels:
                raise ValueError(
                    f"Expected `{name}` of shape (batch, {self.num_labels}). "
                    f"Received: shape={shape}"
                )


class _Ranking:
    """The examples with weight seen so far. Replicas add theirs from several threads:
    one that appends to a list and one that reads it do not disturb each other.
    """

    def __init__(self):
        self.clear()

    def clear(self):
        self._batches = []
        # Of how many batches the area was computed last, and the area.
        self._latest = 0, float("nan")

    def add(self, tags, scores, weights=None):
        if tags.shape != scores.shape:
            raise ValueError(
                f"Expected `y_true` and `y_pred` of one shape. Received: {tags.shape} "
                f"and {scores.shape}"
            )
        weights = as_weights(weights, len(scores))
        tags, scores = _as_float(tags), _as_float(scores)
        if ((tags < 0) | (tags > 1)).any():
            raise ValueError(
                f"Expected `y_true` between 0 and 1. Received: values {tags.min()} to "
                f"{tags.max()}"
            )
        counts = weights > 0
        self._batches.append((tags[counts], scores[counts], weights[counts]))
        return np.int64(len(scores))

    def examples(self):
        batches = list(self._batches)
        if not batches:
            return None
        return tuple(np.concatenate(part) for part in zip(*batches, strict=True))

    def area(self):
        seen = len(self._batches)
        if seen != self._latest[0]:
            self._latest = seen, _macro_area(*self.examples())
        return self._latest[1]

    def recent_area(self):
        seen, area = self._latest
        if len(self._batches) >= GROWTH * seen:
            area = self.area()
        return np.float64(area)


def _as_float(values):
    """A copy, in the single or double precision that holds all values of its dtype."""
    return values.astype(np.result_type(values.dtype, "float32"))


def _macro_area(tags, scores, weights):
    if np.isnan(tags).any() or np.isnan(scores).any():
        return float("nan")
    columns = zip(tags.T, scores.T, strict=True)
    areas = [_area(*column, weights) for column in columns]
    defined = [area for area in areas if area is not None]
    return np.mean(defined) if defined else float("nan")


def _area(tags, scores, weights):
    """The area of one tag, or None where all have it or none.

    Written out, as scikit-learn refuses infinite scores and tags between 0 and 1.
    """
    _, ranks = np.unique(scores, return_inverse=True)
    positive = np.bincount(ranks, weights * tags)
    negative = np.bincount(ranks, weights * (1 - tags))
    pairs = positive.sum() * negative.sum()
    # Those without the tag that score less, and half of those that score the same.
    below = np.cumsum(negative) - negative / 2
    return positive @ below / pairs if pairs > 0 else None
