"""Uncompressed BMP files, read in a TensorFlow graph.

`tf.io.decode_bmp` takes indices in a palette for levels of grey.
"""

from typing import NamedTuple

import tensorflow as tf

from zoo.datasets.image.file_bytes import read_little_endian


class BmpLayout(NamedTuple):
    """Where what lies in a BMP, all int64 scalars.

    Attributes:
        width: pixels.
        height: pixels; negative if the first row is the upper one.
        bits: per pixel.
        compression: a number that stands for its kind.
        palette: index of the first byte of the palette.
        colours: in it.
        entry: bytes of each.
        pixels: index of the first byte of the pixels.
        stride: bytes of each row.
    """

    width: tf.Tensor
    height: tf.Tensor
    bits: tf.Tensor
    compression: tf.Tensor
    palette: tf.Tensor
    colours: tf.Tensor
    entry: tf.Tensor
    pixels: tf.Tensor
    stride: tf.Tensor


def bmp_layout(data):
    """Reads the header of a BMP.

    Args:
        data: uint8 (bytes,).

    Returns:
        A `BmpLayout`; of a damaged file, with any numbers.
    """
    offset, header_size = (
        read_little_endian(data, 10, 4),
        read_little_endian(data, 14, 4),
    )
    is_old, zero = header_size == 12, tf.constant(0, tf.int64)

    def field(old, new):
        """By its (index, bytes) in the header of OS/2 1 and in all the later ones."""
        return tf.where(
            is_old, read_little_endian(data, *old), read_little_endian(data, *new)
        )

    width, bits = field((18, 2), (18, 4)), field((24, 2), (28, 2))
    height = field((20, 2), (22, 4))
    height = tf.where(height >= 2**31, height - 2**32, height)
    has_palette = bits <= 8
    stated = tf.where(is_old, zero, read_little_endian(data, 46, 4))
    all_colours = 2 ** tf.minimum(bits, 8)
    colours = tf.where(stated == 0, all_colours, stated)
    colours = tf.where(has_palette, colours, zero)
    palette, entry = 14 + header_size, 4 - tf.cast(is_old, tf.int64)
    # As Pillow has it: some writers state no beginning, or that of the palette.
    is_unstated = (offset == 0) | (has_palette & (offset == palette))
    return BmpLayout(
        width,
        height,
        bits,
        tf.where(is_old, zero, read_little_endian(data, 30, 4)),
        palette,
        colours,
        entry,
        tf.where(is_unstated, palette + entry * colours, offset),
        (width * bits + 31) // 32 * 4,
    )


def decode_bmp(encoded):
    """Decodes a BMP that `read_header` finds nothing against.

    Args:
        encoded: string scalar, the file's content.

    Returns:
        uint8 (height, width, 3).
    """
    data = tf.io.decode_raw(encoded, tf.uint8)
    bmp = bmp_layout(data)
    height = tf.abs(bmp.height)
    rows = data[bmp.pixels : bmp.pixels + bmp.stride * height]
    rows = tf.reshape(rows, (height, bmp.stride))
    rows = tf.cond(bmp.height < 0, lambda: rows, lambda: tf.reverse(rows, [0]))

    def of_palette():
        palette = data[bmp.palette : bmp.palette + bmp.colours * bmp.entry]
        palette = _bgr_to_rgb(tf.reshape(palette, (-1, bmp.entry)))
        # Indices behind the palette are black, as in Pillow.
        palette = tf.pad(palette, [[0, 256 - tf.shape(palette)[0]], [0, 0]])
        indices = _split_bytes(rows, bmp.bits)[:, : bmp.width]
        return tf.gather(palette, tf.cast(indices, tf.int32))

    def of_colours():
        pixels = rows[:, : bmp.width * bmp.bits // 8]
        return _bgr_to_rgb(tf.reshape(pixels, (height, bmp.width, -1)))

    return tf.cond(bmp.bits <= 8, of_palette, of_colours)


def _bgr_to_rgb(colours):
    """Without a fourth byte, which is unused."""
    return tf.reverse(colours[..., :3], [-1])


def _split_bytes(rows, bits):
    """uint8 (rows, bytes) in parts of 1, 4 or 8 bits, the high ones first."""
    shifts = tf.reverse(tf.range(0, 8, bits), [0])
    parts = tf.bitwise.right_shift(rows[..., tf.newaxis], tf.cast(shifts, tf.uint8))
    parts = tf.bitwise.bitwise_and(parts, tf.cast(2**bits - 1, tf.uint8))
    return tf.reshape(parts, (tf.shape(rows)[0], -1))
