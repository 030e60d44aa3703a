"""One image file: is it sound, and its pixels."""

import io

import numpy as np
import tensorflow as tf
from PIL import Image, UnidentifiedImageError

from zoo.datasets.image.bmp import decode_bmp
from zoo.datasets.image.header import KINDS, read_header

FORMATS = {
    ".bmp": "BMP",
    ".gif": "GIF",
    ".jpeg": "JPEG",
    ".jpg": "JPEG",
    ".png": "PNG",
    ".webp": "WEBP",
}
MODES = {1: "L", 3: "RGB"}
# By EXIF orientation.
TRANSPOSITIONS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}


class BadImageError(ValueError):
    """Says what is wrong with a file, without its name."""


def read_image(path, image_shape=None):
    """Decodes a PNG, JPEG, BMP, GIF or WebP file of 8 bits a channel, grey or colour.

    Upright by its EXIF orientation, converted to grey (ITU-R 601 luma) or RGB, and
    resized bilinearly and antialiased to the size, whatever its own proportions.
    Pillow decodes; what is refused, and the orientation, are the endpoint's
    (`read_header`), so that a served model takes what it was trained on.

    Args:
        path: of the file.
        image_shape: (height, width, channels) with 1 or 3 channels; None to decode it
            only, as a check.

    Returns:
        uint8 array of that shape; None without one.

    Raises:
        BadImageError: the file is not such an image, has more than 2 ** 26 pixels, or
            is damaged.
    """
    wanted = FORMATS.get(path.suffix.lower())
    if wanted is None:
        raise BadImageError(f"not one of {', '.join(sorted(FORMATS))}")
    try:
        content = path.read_bytes()
    except OSError as error:
        raise BadImageError(f"cannot be read: {error.strerror}") from error
    if not content:
        raise BadImageError("empty")
    header = _header(content)
    found = (*KINDS, "no image")[int(header.kind)]
    if found not in (wanted, "no image"):
        raise BadImageError(f"named as {wanted}, holds {found}")
    if reason := header.reason.numpy().decode():
        raise BadImageError(reason)
    try:
        with _open(content, found) as image:
            _check(image)
            # Decodes: only now a truncated file shows.
            image.load()
            # Texts in a PNG may have the names of what Pillow's conversions look for.
            image.info.clear()
            orientation = int(header.orientation)
            if orientation in TRANSPOSITIONS:
                image = image.transpose(TRANSPOSITIONS[orientation])
            if image_shape is None:
                return None
            height, width, channels = image_shape
            image = image.convert(MODES[channels])
            image = image.resize((width, height), Image.Resampling.BILINEAR)
            return np.asarray(image).reshape(image_shape)
    except UnidentifiedImageError as error:
        raise BadImageError("holds no image, or a cut one") from error
    except BadImageError:
        raise
    # Pillow raises whatever its decoders meet.
    except Exception as error:
        raise BadImageError(f"damaged: {error}") from error


@tf.function(autograph=False, input_signature=[tf.TensorSpec((), tf.string)])
def _header(content):
    return read_header(content)


def _open(content, kind):
    if kind == "BMP":
        # Pillow takes palettes of two colours for 1 bit per pixel, whatever there is.
        return Image.fromarray(decode_bmp(tf.constant(content)).numpy())
    if kind == "PNG":
        content = _without_notes(content)
    return Image.open(io.BytesIO(content))


def _without_notes(content):
    """A PNG with what its pixels need: Pillow refuses long texts and profiles."""
    parts, at = [content[:8]], 8
    while at < len(content):
        end = at + 12 + int.from_bytes(content[at : at + 4])
        # The names of chunks that can be ignored begin with a small letter.
        if not content[at + 4 : at + 5].islower():
            parts.append(content[at:end])
        at = end
    return b"".join(parts)


def _check(image):
    """What the header has said already, as Pillow sees it."""
    # Phones put a second picture behind a JPEG, and Pillow calls that MPO.
    frames = 1 if image.format == "MPO" else getattr(image, "n_frames", 1)
    if frames > 1:
        raise BadImageError(f"animated, {frames} frames")
    if image.mode not in ("1", "L", "P", "RGB"):
        raise BadImageError(f"of mode {image.mode}, {len(image.getbands())} channels")
