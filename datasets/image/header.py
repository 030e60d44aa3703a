"""What an image file says of itself, read in a TensorFlow graph, before any decoder.

Decoders trust the sizes that a file states, and some crash: so a file is decoded only
once its structure was followed to the end, and nothing in it speaks against it.
"""

from typing import NamedTuple

import tensorflow as tf

from zoo.datasets.image.bmp import bmp_layout
from zoo.datasets.image.exif_orientation import read_orientation
from zoo.datasets.image.file_bytes import read_little_endian, read_number

# Our choice: a photograph of 67 million pixels, 200 MB decoded, is still read.
MAX_PIXELS = 2**26
# Pixels times the scans of a progressive JPEG, each of which is decoded over all of it
# (usual are about ten of them). Our choice.
MAX_SCANNED = 16 * MAX_PIXELS
# Of chunks, segments or blocks, and of runs of a GIF's small blocks of equal size:
# longer files, or those with more for their size, are made to keep a reader busy.
MAX_PARTS = 2**14

# Each with the index of its first byte.
SIGNATURES = {
    "PNG": (0, b"\x89PNG\r\n\x1a\n"),
    "JPEG": (0, b"\xff\xd8\xff"),
    "GIF": (0, b"GIF8"),
    "BMP": (0, b"BM"),
    "WEBP": (8, b"WEBP"),
}
KINDS = tuple(SIGNATURES)
REFUSED_SIGNATURES = (
    ("TIFF", 0, b"II*\x00"),
    ("TIFF", 0, b"MM\x00*"),
    ("HEIC", 4, b"ftyphei"),
    ("HEIC", 4, b"ftypmif1"),
    ("AVIF", 4, b"ftypavi"),
    ("JPEG 2000", 4, b"jP  "),
    ("JPEG XL", 4, b"JXL "),
    ("JPEG XL", 0, b"\xff\x0a"),
    ("SVG", 0, b"<svg"),
    ("XML", 0, b"<?xml"),
    ("PDF", 0, b"%PDF"),
    ("ICO", 0, b"\x00\x00\x01\x00"),
)
TRANSPARENT = "transparent, a fourth channel: expected grey or colour"
CUT = "damaged: the file ends early"
# Of GIF, first bytes of blocks: "!", ",", ";".
EXTENSION, IMAGE, END = 0x21, 0x2C, 0x3B


class ImageHeader(NamedTuple):
    """What `read_header` finds.

    Attributes:
        kind: int32 scalar, index in `KINDS`; len(KINDS) for none of them.
        width: int64 scalar, pixels, before the image is upright.
        height: int64 scalar, likewise.
        orientation: int64 scalar, 1 to 8, EXIF's.
        reason: string scalar, why the file can't be read; empty if it can.
        start: int64 scalar, where a GIF's frame begins.
        end: int64 scalar, where it ends.
    """

    kind: tf.Tensor
    width: tf.Tensor
    height: tf.Tensor
    orientation: tf.Tensor
    reason: tf.Tensor
    start: tf.Tensor
    end: tf.Tensor


def read_header(encoded):
    """Says what an image file holds, and whether it can be decoded safely.

    Args:
        encoded: string scalar, the file's content.

    Returns:
        An `ImageHeader`.
    """
    start_of_file = tf.strings.substr(encoded, 0, 16)
    kind = _first(
        [_has(start_of_file, *SIGNATURES[name]) for name in KINDS],
        tf.range(len(KINDS) + 1),
    )
    data = tf.io.decode_raw(encoded, tf.uint8)
    size = tf.size(data, tf.int64)
    readers = [_read_png, _read_jpeg, _read_gif, _read_bmp, _read_webp]
    branches = [lambda reader=reader: reader(data, size) for reader in readers]
    reason = _unknown_kind(encoded, start_of_file)
    branches.append(lambda: _found(_int(1), _int(1), data[:0], reason))
    width, height, exif, reason, start, end = tf.switch_case(kind, branches)
    shape = (width, height)
    return ImageHeader(
        kind,
        width,
        height,
        read_orientation(exif),
        start=start,
        end=end,
        reason=_first_reason(
            (reason != "", reason),
            (
                (width < 1) | (height < 1),
                _with_numbers("damaged: a size of {} x {}", shape),
            ),
            (
                # Each alone first: their product could be too large for an integer.
                (width > MAX_PIXELS)
                | (height > MAX_PIXELS)
                | (width * height > MAX_PIXELS),
                _with_numbers(
                    "too large: {} x {} pixels, expected at most "
                    f"{MAX_PIXELS:,} in all: make it smaller",
                    shape,
                ),
            ),
        ),
    )


def _read_png(data, size):
    width, height = read_number(data, 16, 4), read_number(data, 20, 4)
    depth, colour = read_number(data, 24, 1), read_number(data, 25, 1)

    def is_chunk(at, name):
        return read_number(data, at + 4, 4) == int.from_bytes(name)

    def unfinished(at, part, *_):
        return (
            (at + 12 <= size) & (part < _most_parts(size, 512)) & ~is_chunk(at, b"IEND")
        )

    def step(at, part, frames, has_trns, has_palette, exif_start, exif_end):
        following = at + 12 + read_number(data, at, 4)
        is_exif = is_chunk(at, b"eXIf")
        return (
            following,
            part + 1,
            tf.where(is_chunk(at, b"acTL"), read_number(data, at + 8, 4), frames),
            has_trns | is_chunk(at, b"tRNS"),
            has_palette | is_chunk(at, b"PLTE"),
            tf.where(is_exif, at + 8, exif_start),
            tf.where(is_exif, following - 4, exif_end),
        )

    at, part, frames, has_trns, has_palette, exif_start, exif_end = tf.while_loop(
        unfinished, step, (_int(8), 0, _int(-1), False, False, _int(0), _int(0))
    )
    return _found(
        width,
        height,
        data[exif_start:exif_end],
        _first_reason(
            (~is_chunk(8, b"IHDR"), "damaged: a PNG without a header"),
            (
                part >= _most_parts(size, 512),
                "too many chunks for its size: save it anew",
            ),
            (at + 12 > size, CUT),
            (frames >= 0, _with_numbers("animated, {} frames", [frames])),
            (depth > 8, "more than 8 bits per channel"),
            (has_trns | (colour == 4) | (colour == 6), TRANSPARENT),
            ((colour == 3) & ~has_palette, "damaged: a PNG without its palette"),
        ),
    )


def _read_jpeg(data, size):
    def marker(at):
        return read_number(data, at, 2)

    def unfinished(at, part, *_):
        is_end = (marker(at) == 0xFFDA) | (marker(at) == 0xFFD9)
        return (at + 4 <= size) & (part < _most_parts(size, 64)) & ~is_end

    def step(at, part, frame_at, frames, exif_start, exif_end):
        first, second = marker(at) // 256, marker(at) % 256
        # As libjpeg does, bytes that are no marker are passed over.
        is_segment = (first == 0xFF) & (second > 1) & (second < 0xFF)
        is_segment &= (second < 0xD0) | (second > 0xD8)
        junk = data[at + 1 : at + 4097]
        to_marker = 1 + tf.argmax(tf.concat([junk == 0xFF, [True]], axis=0))
        length = tf.where(is_segment, 2 + read_number(data, at + 2, 2), to_marker)
        # Between C0 and CF are the frames, but for tables: C4, C8, CC.
        is_frame = (
            is_segment & (second // 16 == 0xC) & ((second % 4 > 0) | (second == 0xC0))
        )
        is_exif = (
            is_segment
            & (second == 0xE1)
            & (read_number(data, at + 4, 6) == int.from_bytes(b"Exif\x00\x00"))
            & (exif_end == 0)
        )
        return (
            at + length,
            part + 1,
            tf.where(is_frame, at, frame_at),
            frames + tf.cast(is_frame, tf.int32),
            tf.where(is_exif, at + 10, exif_start),
            tf.where(is_exif, at + length, exif_end),
        )

    at, part, frame_at, frames, exif_start, exif_end = tf.while_loop(
        unfinished, step, (_int(2), 0, _int(0), 0, _int(0), _int(0))
    )
    process, channels = marker(frame_at), read_number(data, frame_at + 9, 1)
    bits = read_number(data, frame_at + 4, 1)
    width, height = (read_number(data, frame_at + at, 2) for at in (7, 5))
    # Inside a scan 0xFF is never followed by another byte than 0 or a restart.
    scans = tf.math.count_nonzero((data[:-1] == 0xFF) & (data[1:] == 0xDA))
    return _found(
        width,
        height,
        data[exif_start:exif_end],
        _first_reason(
            (
                part >= _most_parts(size, 64),
                "too many segments for its size: save it anew",
            ),
            (at + 4 > size, CUT),
            (marker(at) != 0xFFDA, "damaged: a JPEG without an image"),
            (frames != 1, _with_numbers("damaged: a JPEG with {} images", [frames])),
            (bits > 8, "more than 8 bits per channel"),
            (
                (width * height <= MAX_PIXELS) & (width * height * scans > MAX_SCANNED),
                _with_numbers("{} scans, too many for its size: save it anew", [scans]),
            ),
            (
                (process < 0xFFC0) | (process > 0xFFC2),
                "a lossless, hierarchical or arithmetic JPEG: expected a baseline or "
                "progressive one",
            ),
            (channels == 4, "of mode CMYK, 4 channels: expected grey or colour"),
            (
                (channels != 1) & (channels != 3),
                _with_numbers("damaged: a JPEG with {} channels", [channels]),
            ),
        ),
    )


def gif_table(flags):
    """Bytes of the table of colours, if any, that flags of a GIF announce."""
    return tf.where(flags >= 128, 6 * 2 ** (flags % 8), 0)


def _read_gif(data, size):
    def blocks_end(at, part):
        """Where a chain of data blocks ends; behind the file if it does not.

        Runs of blocks of one size, which encoders write, are passed over at once.
        """

        def unfinished(at, part):
            return (
                (at < size)
                & (part < _most_parts(size, 8))
                & (read_number(data, at, 1) > 0)
            )

        def step(at, part):
            stride = 1 + read_number(data, at, 1)
            run = data[at : at + 4096 * stride : stride]
            is_other = tf.concat([run != run[0], [True]], axis=0)
            return at + stride * tf.argmax(is_other), part + 1

        at, part = tf.while_loop(unfinished, step, (at, part))
        return tf.where(
            (at < size) & (read_number(data, at, 1) == 0), at, size
        ) + 1, part

    def unfinished(at, part, *_):
        block = read_number(data, at, 1)
        is_block = (block == EXTENSION) | (block == IMAGE)
        return (at < size) & (part < _most_parts(size, 8)) & is_block

    def step(at, part, frames, start, end, transparent):
        is_image = read_number(data, at, 1) == IMAGE
        # An image is its place and size, a colour table, a byte, and the blocks.
        image_blocks = at + 11 + gif_table(read_number(data, at + 9, 1))
        following, part = blocks_end(tf.where(is_image, image_blocks, at + 2), part)
        is_first = is_image & (frames == 0)
        return (
            following,
            part + 1,
            frames + tf.cast(is_image, tf.int64),
            tf.where(is_first, at, start),
            tf.where(is_first, following, end),
            # The graphic control extension, and the bit that it has for it.
            transparent
            | (~is_image & (read_number(data, at + 1, 1) == 0xF9))
            & (read_number(data, at + 3, 1) % 2 == 1),
        )

    begin = 13 + gif_table(read_number(data, 10, 1))
    at, part, frames, start, end, transparent = tf.while_loop(
        unfinished, step, (begin, 0, _int(0), _int(0), _int(0), False)
    )
    left, top, width, height = (
        read_little_endian(data, start + i, 2) for i in (1, 3, 5, 7)
    )
    has_table = (read_number(data, 10, 1) >= 128) | (
        read_number(data, start + 9, 1) >= 128
    )
    return _found(
        # As Pillow has it: the canvas grows with a frame that reaches beyond it.
        tf.maximum(read_little_endian(data, 6, 2), left + width),
        tf.maximum(read_little_endian(data, 8, 2), top + height),
        data[:0],  # of EXIF, which the format has not
        _first_reason(
            (
                ~_is_one_of(read_number(data, 4, 2), 0x3761, 0x3961),
                "damaged: neither GIF87a nor GIF89a",
            ),
            (frames > 1, _with_numbers("animated, {} frames", [frames])),
            (
                part >= _most_parts(size, 8),
                "too many blocks for its size: save it anew",
            ),
            ((frames == 0) | (end > size), CUT),
            # Files that only lack the last byte are usual.
            (
                (at < size) & (read_number(data, at, 1) != END),
                "damaged: not a block of a GIF",
            ),
            ((width < 1) | (height < 1), "damaged: a GIF with an empty frame"),
            (~has_table, "a GIF without a table of colours: save it with one"),
            (transparent, TRANSPARENT),
        ),
        start,
        end,
    )


def _read_bmp(data, size):
    bmp = bmp_layout(data)
    height = tf.abs(bmp.height)
    header_size = bmp.palette - 14
    has_masks = bmp.compression == 3
    masks = tf.stack([read_little_endian(data, 54 + 4 * i, 4) for i in range(3)])
    alpha = tf.where(header_size >= 56, read_little_endian(data, 66, 4), 0)
    is_bgr = tf.reduce_all(masks == tf.constant((0xFF0000, 0xFF00, 0xFF), tf.int64))
    return _found(
        bmp.width,
        height,
        data[:0],  # of EXIF, which the format has not
        _first_reason(
            (size < 26, CUT),
            (
                ~_is_one_of(header_size, 12, 40, 52, 56, 64, 108, 124),
                "damaged: not a header of a BMP",
            ),
            (
                ~_is_one_of(bmp.bits, 1, 4, 8, 24, 32),
                _with_numbers(
                    "a BMP of {} bits per pixel: expected 1, 4, 8, 24 or 32", [bmp.bits]
                ),
            ),
            (
                (bmp.compression != 0) & ~(has_masks & (bmp.bits > 8)),
                "a compressed BMP: save it uncompressed, or as PNG",
            ),
            (has_masks & (alpha > 0), TRANSPARENT),
            (has_masks & ~is_bgr, "a BMP with bit fields: save it without, or as PNG"),
            (bmp.colours > 256, "damaged: a BMP with more than 256 colours"),
            # Sizes beyond the limit are refused as such.
            (
                (bmp.width <= MAX_PIXELS)
                & (height <= MAX_PIXELS)
                & (bmp.width * height <= MAX_PIXELS)
                & (bmp.pixels + bmp.stride * height > size),
                CUT,
            ),
        ),
    )


def _read_webp(data, size):
    # Nothing behind the container belongs to the image.
    size = tf.minimum(size, 8 + read_little_endian(data, 4, 4))

    def is_chunk(at, *names):
        name = read_number(data, at, 4)
        return _is_one_of(name, *(int.from_bytes(name) for name in names))

    def unfinished(at, part, *_):
        return (at + 8 <= size) & (part < _most_parts(size, 512))

    def step(at, part, animated, transparent, images, exif_start, exif_end):
        length = read_little_endian(data, at + 4, 4)
        is_exif = is_chunk(at, b"EXIF")
        return (
            at + 8 + length + length % 2,
            part + 1,
            animated | is_chunk(at, b"ANIM", b"ANMF"),
            transparent | is_chunk(at, b"ALPH"),
            images + tf.cast(is_chunk(at, b"VP8 ", b"VP8L"), tf.int32),
            tf.where(is_exif, at + 8, exif_start),
            tf.where(is_exif, at + 8 + length, exif_end),
        )

    at, part, animated, transparent, images, exif_start, exif_end = tf.while_loop(
        unfinished, step, (_int(12), 0, False, False, 0, _int(0), _int(0))
    )
    # The size stands in the first chunk, in each kind of it otherwise.
    is_extended, is_lossless = is_chunk(12, b"VP8X"), is_chunk(12, b"VP8L")
    flags, bits = read_number(data, 20, 1), read_little_endian(data, 21, 4)
    sizes = (
        (
            is_extended,
            read_little_endian(data, 24, 3) + 1,
            read_little_endian(data, 27, 3) + 1,
        ),
        (is_lossless, bits % 2**14 + 1, bits // 2**14 % 2**14 + 1),
        (
            True,
            read_little_endian(data, 26, 2) % 2**14,
            read_little_endian(data, 28, 2) % 2**14,
        ),
    )
    conditions, widths, heights = zip(*sizes, strict=True)
    animated |= is_extended & (flags // 2 % 2 == 1)
    transparent |= is_extended & (flags // 16 % 2 == 1)
    transparent |= is_lossless & (bits // 2**28 % 2 == 1)
    # Data often begin as in JPEG, though the format says that they shall not.
    exif = data[exif_start:exif_end]
    has_prefix = read_number(exif, 0, 6) == int.from_bytes(b"Exif\x00\x00")
    exif = exif[tf.where(has_prefix, 6, 0) :]
    return _found(
        _first(conditions[:-1], tf.stack(widths)),
        _first(conditions[:-1], tf.stack(heights)),
        exif,
        _first_reason(
            (
                part >= _most_parts(size, 512),
                "too many chunks for its size: save it anew",
            ),
            (animated, "animated: expected one frame"),
            (transparent, TRANSPARENT),
            (at > size + 1, CUT),
            (images != 1, _with_numbers("damaged: a WebP with {} images", [images])),
            (
                ~is_chunk(0, b"RIFF") | ~is_chunk(12, b"VP8X", b"VP8 ", b"VP8L"),
                "damaged: not the beginning of a WebP",
            ),
        ),
    )


def _unknown_kind(encoded, start_of_file):
    expected = f"expected {', '.join(KINDS[:-1])} or {KINDS[-1]}"
    found = [
        (_has(start_of_file, at, signature), f"holds {name}: {expected}")
        for name, at, signature in REFUSED_SIGNATURES
    ]
    return _first_reason(
        (tf.strings.length(encoded) == 0, f"empty: {expected}"),
        *found,
        (True, f"holds no image, or a cut one: {expected}"),
    )


def _most_parts(size, average):
    """How many parts a file of so many bytes may have, of so many bytes on average."""
    return tf.cast(tf.minimum(_int(MAX_PARTS), 256 + size // average), tf.int32)


def _found(width, height, exif, reason, start=0, end=0):
    """What the reader of a kind returns: all but the kind, EXIF as it stands."""
    start, end = tf.cast(start, tf.int64), tf.cast(end, tf.int64)
    return width, height, exif, reason, start, end


def _int(value):
    return tf.constant(value, tf.int64)


def _is_one_of(value, *values):
    return tf.reduce_any(value == tf.constant(values, value.dtype))


def _has(start_of_file, at, signature):
    padded = tf.strings.join([start_of_file, bytes(16)])
    return tf.strings.substr(padded, at, len(signature)) == signature


def _first(conditions, values):
    """The value of the first condition that holds, or the one behind them."""
    return values[tf.argmax(tf.stack([*conditions, True]), output_type=tf.int32)]


def _first_reason(*cases):
    """The message of the first (condition, message) that holds; empty if none does."""
    conditions, messages = zip(*cases, strict=True)
    return _first(conditions, tf.stack([*messages, ""]))


def _with_numbers(message, numbers):
    return tf.strings.format(message, list(numbers))
