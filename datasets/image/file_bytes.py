"""Numbers out of the bytes of a file, in a TensorFlow graph."""

import tensorflow as tf


def read_number(data, at, size):
    """A big-endian unsigned integer; bytes behind the file's end count as 0.

    Args:
        data: uint8 (bytes,).
        at: int64 scalar, index of its first byte, at least 0.
        size: int, its bytes, at most 7.

    Returns:
        int64 scalar.
    """
    return _read(data, tf.cast(at, tf.int64), size, False)


def read_little_endian(data, at, size):
    """As `read_number`, the low byte first."""
    return _read(data, tf.cast(at, tf.int64), size, True)


# A function of its own in the graph: it is called a hundred times, and built once.
@tf.function(
    autograph=False,
    reduce_retracing=True,
    experimental_attributes={"_noinline": True},
)
def _read(data, at, size, little_endian):
    piece = tf.cast(data[at : at + size], tf.int64)
    piece = tf.pad(piece, [[0, size - tf.size(piece)]])
    values = place_values(size)
    return tf.reduce_sum(piece * (values[::-1] if little_endian else values))


def place_values(size):
    """int64 (size,): what each byte of a big-endian number counts."""
    return tf.constant([256**place for place in reversed(range(size))], tf.int64)
