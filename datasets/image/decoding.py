"""Decodes image files in a TensorFlow graph, to the pixels that Pillow gives."""

import tensorflow as tf

from zoo.datasets.image.bmp import decode_bmp
from zoo.datasets.image.exif_orientation import upright
from zoo.datasets.image.file_bytes import read_little_endian, read_number
from zoo.datasets.image.header import KINDS, gif_table, read_header

# Of ITU-R 601, as fractions of 65,536.
LUMA = (19595, 38470, 7471)
# Pixels made grey at a time, so that few are held in four bytes.
STRIP = 2**20


def decode_image(encoded):
    """Decodes a PNG, JPEG, BMP, GIF or WebP file, upright by its EXIF orientation.

    `tf.io.decode_image` is not used: an animated WebP kills the process in it.

    Args:
        encoded: string scalar, the file's content.

    Returns:
        uint8 (height, width, channels), with 1 channel of a grey PNG or JPEG, otherwise
        3.

    Raises:
        tf.errors.InvalidArgumentError: for what `read_header` refuses, with its reason,
            and for what the decoders do.
    """
    header = read_header(encoded)
    readable = tf.debugging.Assert(
        header.reason == "",
        [tf.strings.join(["the image is refused: ", header.reason])],
    )
    decoders = {
        "PNG": lambda: tf.io.decode_png(encoded),
        # The accurate method is libjpeg's default, and Pillow's; not TensorFlow's.
        "JPEG": lambda: tf.io.decode_jpeg(encoded, dct_method="INTEGER_ACCURATE"),
        "GIF": lambda: _decode_gif(encoded, header),
        "BMP": lambda: decode_bmp(encoded),
        "WEBP": lambda: tf.io.decode_webp(encoded, channels=3)[0],
    }
    with tf.control_dependencies([readable]):
        # Only the branch of the kind runs.
        image = tf.switch_case(header.kind, [decoders[kind] for kind in KINDS])
        return upright(image, header.orientation)


def _decode_gif(encoded, header):
    """The one frame, on its canvas."""
    data = tf.io.decode_raw(encoded, tf.uint8)
    start, end = header.start, header.end
    left, top = (read_little_endian(data, start + at, 2) for at in (1, 3))
    # The decoder knows no canvas: it is shown a frame at the upper left, alone.
    first = tf.constant(0, tf.int64)
    parts = (
        tf.strings.substr(encoded, first, 13 + gif_table(read_number(data, 10, 1))),
        b"," + bytes(4),
        tf.strings.substr(encoded, start + 5, end - start - 5),
        b";",
    )
    frame = tf.io.decode_gif(tf.strings.join(parts))[0]
    # Around it, as Pillow has it, is the first colour of the frame's table.
    flags = read_number(data, start + 9, 1)
    table = tf.where(flags >= 128, start + 10, 13)
    colour = data[table : table + 3]
    height, width = tf.unstack(tf.shape(frame, tf.int64)[:2])
    around = [
        [top, header.height - top - height],
        [left, header.width - left - width],
        [0, 0],
    ]
    # Differences of uint8 wrap around, and wrap back.
    return tf.cond(
        tf.reduce_any(tf.cast(around, tf.int64) > 0),
        lambda: tf.pad(frame - colour, around) + colour,
        lambda: frame,
    )


def to_grey(image):
    """ITU-R 601 luma, in the integers with which Pillow computes it.

    Args:
        image: uint8 (height, width, 3).

    Returns:
        uint8 (height, width, 1).
    """
    pixels = tf.reshape(image, (-1, 3))
    strips = (tf.shape(pixels)[0] + STRIP - 1) // STRIP

    def step(index, grey):
        strip = tf.cast(pixels[index * STRIP : (index + 1) * STRIP], tf.int32)
        luma = (tf.reduce_sum(strip * LUMA, axis=1) + 2**15) // 2**16
        return index + 1, grey.write(index, tf.cast(luma, tf.uint8))

    grey = tf.TensorArray(tf.uint8, strips, infer_shape=False, element_shape=[None])
    _, grey = tf.while_loop(lambda index, _: index < strips, step, (0, grey))
    return tf.reshape(grey.concat(), (*tf.unstack(tf.shape(image)[:2]), 1))
