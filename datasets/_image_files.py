"""One image file: is it sound, and its pixels."""

import io

import numpy as np
from PIL import Image, ImageOps, UnidentifiedImageError

FORMATS = {
    ".bmp": "BMP",
    ".gif": "GIF",
    ".jpeg": "JPEG",
    ".jpg": "JPEG",
    ".png": "PNG",
    ".webp": "WEBP",
}
MODES = {1: "L", 3: "RGB"}


class BadImageError(ValueError):
    """Says what is wrong with a file, without its name."""


def read_image(path, image_shape=None):
    """Decodes a PNG, JPEG, BMP, GIF or WebP file of 8 bits a channel, grey or colour.

    Turned as its EXIF data say, converted to grey (ITU-R 601 luma) or RGB, and resized
    bilinearly and antialiased to the size, whatever its own proportions.

    Args:
        path: of the file.
        image_shape: (height, width, channels) with 1 or 3 channels; None to decode it
            only, as a check.

    Returns:
        uint8 array of that shape; None without one.

    Raises:
        BadImageError: the file is not such an image, or damaged.
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
    try:
        with Image.open(io.BytesIO(content)) as image:
            _check(image, wanted, content)
            # Decodes: only now a truncated file shows.
            image = ImageOps.exif_transpose(image)
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


def _check(image, wanted, content):
    # Phones put a second picture behind a JPEG, and Pillow calls that MPO.
    found = "JPEG" if image.format == "MPO" else image.format
    if found != wanted:
        raise BadImageError(f"named as {wanted}, holds {found}")
    frames = 1 if found == "JPEG" else getattr(image, "n_frames", 1)
    if frames > 1:
        raise BadImageError(f"animated, {frames} frames")
    # Byte 24 of a PNG is its bit depth: Pillow cuts 16-bit colour without a word.
    if image.mode.startswith(("I", "F")) or (found == "PNG" and content[24] == 16):
        raise BadImageError("more than 8 bits a channel")
    if image.has_transparency_data:
        raise BadImageError("transparent, a fourth channel")
    if image.mode not in ("1", "L", "P", "RGB"):
        raise BadImageError(f"of mode {image.mode}, {len(image.getbands())} channels")
