import numpy as np


def top_k_correct(labels, scores, k):
    """Whether the right class is among the k with the highest scores.

    Of equal scores the first class counts as the highest, as in `argmax`: a net that
    answers the same for all classes earns nothing by it.

    Args:
        labels: integer array (n,).
        scores: array (n, classes).
        k: how many classes a guess may name.

    Returns:
        Boolean array (n,).

    Example:

    >>> top_k_correct(np.array([2, 0]), np.array([[0.5, 0.3, 0.2], [0.2, 0.5, 0.3]]), 2)
    array([False, False])
    """
    best = np.argsort(-scores, axis=-1, kind="stable")[:, :k]
    return (best == labels[:, np.newaxis]).any(axis=-1)
