"""Work that waits, so that no more memory is taken than it needs."""

import contextlib

import keras


def begin_after(value):
    """A context in which operations begin once a tensor is there.

    TensorFlow begins whatever it can, ten rounds of a loop ahead: that many times the
    memory. torch keeps to the order of the code, and XLA to the one of least memory.
    """
    if keras.backend.backend() != "tensorflow":
        return contextlib.nullcontext()
    import tensorflow as tf

    return tf.control_dependencies([value])
