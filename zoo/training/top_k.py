import numpy as np

from zoo.training.metrics.nan_propagation import rows_with_nan


def top_k_correct(labels, scores, k):
    """Whether the right class is among the k with the highest scores.

    Of equal scores the first class counts as the highest, as in `argmax`: a net that
    answers the same for all classes earns nothing by it.

    Args:
        labels: integer array (n,).
        scores: array (n, classes).
        k: how many classes a guess may name.

    Returns:
        Array (n,) of 1.0 and 0.0, or NaN where a score is.

    Example:

    >>> top_k_correct(np.array([2, 0]), np.array([[0.5, 0.3, 0.2], [0.2, 0.5, 0.3]]), 2)
    array([0., 0.])
    """
    best = np.argsort(-scores, axis=-1, kind="stable")[:, :k]
    correct = (best == labels[:, np.newaxis]).any(axis=-1)
    return np.where(rows_with_nan(scores), np.nan, correct)
