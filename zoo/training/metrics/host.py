"""What metrics share that keep their examples in NumPy, on the host."""

import keras
import numpy as np


def in_tensorflow_graph():
    """Whether TensorFlow is tracing a function, such as the step of a compiled model.

    Example:

    >>> in_tensorflow_graph()
    False
    """
    if keras.config.backend() != "tensorflow":
        return False
    import tensorflow as tf  # only where it is the backend

    return tf.inside_function()


def to_numpy(values, name, metric):
    """A NumPy array of a tensor of any backend or of what NumPy takes.

    Args:
        values: what `update_state` was given.
        name: of the argument.
        metric: the metric.

    Raises:
        TypeError: for a tensor without values, as in a compiled function.
    """
    try:
        if keras.ops.is_tensor(values):
            return np.asarray(keras.ops.convert_to_numpy(values))
        return np.asarray(values)
    except (NotImplementedError, TypeError, ValueError) as error:
        raise TypeError(
            f"{type(metric).__name__} takes arrays: update it outside the compiled "
            f"model, with the outputs of `model.predict_on_batch`. Received: "
            f"{name}={values!r}"
        ) from error


def as_weights(sample_weight, examples):
    """Weights as float64 `(examples,)`; ones for None.

    Raises:
        ValueError: unless they are one number >= 0 for each example.
    """
    if sample_weight is None:
        return np.ones(examples)
    weights = np.asarray(sample_weight).ravel().astype("float64")
    if weights.size != examples or not (weights >= 0).all():
        raise ValueError(
            f"Expected `sample_weight` as one number >= 0 for each of {examples} "
            f"examples. Received: {weights}"
        )
    return weights
