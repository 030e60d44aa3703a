"""EXIF orientation, read and applied in a TensorFlow graph."""

import tensorflow as tf

from zoo.datasets.image.file_bytes import (
    place_values,
    read_little_endian,
    read_number,
)

ORIENTATION_TAG = 0x0112
SHORT, LONG = 3, 4


def read_orientation(exif):
    """The orientation that EXIF data state; upright if they state none or are damaged.

    Only EXIF counts, as in browsers: Pillow's `exif_transpose` looks at XMP also.

    Args:
        exif: uint8 (bytes,): a TIFF file, as EXIF data are; may be empty.

    Returns:
        int64 scalar, 1 to 8.
    """
    little = tf.equal(read_number(exif, 0, 2), 0x4949)  # "II", of Intel

    def number(at, size):
        return tf.where(
            little,
            read_little_endian(exif, at, size),
            read_number(exif, at, size),
        )

    def column(first, size):
        """Of all entries of the directory at once."""
        bytes_ = tf.cast(entries[:, first : first + size], tf.int64)
        values = place_values(size)
        values = tf.where(little, values[::-1], values)
        return tf.reduce_sum(bytes_ * values, axis=1)

    directory = number(4, 4)
    entries = exif[directory + 2 : directory + 2 + 12 * number(directory, 2)]
    entries = tf.reshape(entries[: tf.size(entries) // 12 * 12], (-1, 12))
    kind = column(2, 2)
    value = tf.where(kind == SHORT, column(8, 2), column(8, 4))
    is_valid = (
        (number(2, 2) == 42)  # TIFF's
        & (column(0, 2) == ORIENTATION_TAG)
        & ((kind == SHORT) | (kind == LONG))
        & (column(4, 4) == 1)
        & (1 <= value)
        & (value <= 8)
    )
    return tf.concat([[tf.constant(1, tf.int64)], value[is_valid]], axis=0)[-1]


def upright(image, orientation):
    """Rotates and mirrors an image as its EXIF orientation asks.

    Args:
        image: (height, width, channels).
        orientation: int64 scalar, 1 to 8.

    Returns:
        The same pixels, height and width exchanged from orientation 5 on.
    """

    def is_one_of(*values):
        return tf.reduce_any(orientation == values)

    image = tf.cond(
        is_one_of(5, 6, 7, 8), lambda: tf.transpose(image, (1, 0, 2)), lambda: image
    )
    image = tf.cond(
        is_one_of(2, 3, 6, 7), lambda: tf.reverse(image, [1]), lambda: image
    )
    return tf.cond(is_one_of(3, 4, 7, 8), lambda: tf.reverse(image, [0]), lambda: image)
