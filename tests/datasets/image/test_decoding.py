"""Image files decoded in the graph: Pillow's pixels, or a reason."""

import io
import re

import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given, settings
from hypothesis import strategies as st
from image_files import (
    SIZE,
    animated,
    bad_files,
    exif,
    good_files,
    mutated,
    noise,
    raw_png,
    saved,
    smooth,
    with_segments,
)
from PIL import Image, ImageOps

from zoo.datasets.image.decoding import decode_image, to_grey
from zoo.datasets.image.exif_orientation import read_orientation
from zoo.datasets.image.files import BadImageError, read_image
from zoo.datasets.image.header import MAX_PIXELS, read_header

NAMES = {"JPEG": "jpg", "MPO": "jpg", "AVIF": "png", "TIFF": "png", "JPEG2000": "png"}


@pytest.fixture(scope="module")
def decode():
    string = [tf.TensorSpec((), tf.string)]
    graph = tf.function(decode_image, autograph=False, input_signature=string)
    return lambda content: graph(tf.constant(content)).numpy()


@pytest.fixture(scope="module")
def header():
    string = [tf.TensorSpec((), tf.string)]
    graph = tf.function(read_header, autograph=False, input_signature=string)
    return lambda content: graph(tf.constant(content))


def of_pillow(content, mode):
    with Image.open(io.BytesIO(content)) as image:
        image = ImageOps.exif_transpose(image)
        image.info.clear()  # of texts that `convert` would stumble on
        return np.asarray(image.convert(mode))


def written(folder, content):
    try:
        with Image.open(io.BytesIO(content)) as image:
            form = image.format
    except Exception:
        form = "PNG"
    path = folder / f"file.{NAMES.get(form, form.lower())}"
    path.write_bytes(content)
    return path


def test_the_pixels_are_pillows(decode, tmp_path):
    files = good_files()
    assert len(files) > 90
    different = []
    for name, content in files.items():
        expected, grey = of_pillow(content, "RGB"), of_pillow(content, "L")
        found = decode(content)
        colour = np.broadcast_to(found, (*found.shape[:2], 3))
        path = written(tmp_path, content)
        pairs = (
            (colour, expected),
            (to_grey(tf.constant(colour)).numpy()[..., 0], grey),
            (read_image(path, expected.shape), expected),
            (read_image(path, (*grey.shape, 1))[..., 0], grey),
        )
        if not all(np.array_equal(one, other) for one, other in pairs):
            different.append(name)
    assert not different


def test_a_refusal_says_why(decode, tmp_path):
    for name, (content, reason) in bad_files().items():
        with pytest.raises(tf.errors.InvalidArgumentError) as caught:
            decode(content)
        assert re.search(f"the image is refused: .*{reason}", caught.value.message), (
            name
        )
        with pytest.raises(BadImageError):
            read_image(written(tmp_path, content), (8, 8, 3))


@pytest.mark.parametrize("order", "<>")
def test_the_orientation_is_exifs(decode, order):
    for orientation in range(10):
        for options in ({}, {"kind": 4}, {"tags": 200}, {"gap": 77}):
            data = b"Exif\0\0" + exif(orientation, order, **options)
            file = with_segments(saved(smooth(), "JPEG"), (0xE1, data))
            expected = of_pillow(file, "RGB")
            np.testing.assert_array_equal(decode(file), expected)
            swapped = 5 <= orientation <= 8
            assert expected.shape[:2] == (SIZE if swapped else SIZE[::-1])


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"II",
        exif(6, count=2),
        exif(6, kind=1),
        exif(6)[:20],
        exif(6, count=0),
        exif(65535, kind=4),
        b"JJ" + exif(6)[2:],
        b"II+\0" + exif(6)[4:],
    ],
)
def test_exif_that_states_nothing(data):
    assert read_orientation(tf.io.decode_raw(data, tf.uint8)) == 1


@settings(deadline=None, max_examples=100)
@given(st.binary(max_size=99), st.integers(1, 8), st.sampled_from("<>"), st.data())
def test_any_exif(noise_, orientation, order, data):
    content = exif(orientation, order, tags=2)
    at = data.draw(st.integers(0, len(content)))
    content = content[:at] + noise_ + content[at:]
    found = read_orientation(tf.io.decode_raw(content, tf.uint8))
    assert 1 <= found <= 8
    if at == len(content):
        assert found == orientation


def test_orientation_in_xmp_is_ignored(decode, tmp_path):
    """Our choice, as browsers: Pillow would obey it."""
    xmp = b'http://ns.adobe.com/xap/1.0/\0<x tiff:Orientation="6"/>'
    plain = saved(noise(), "JPEG")
    file = with_segments(plain, (0xE1, xmp))
    expected = of_pillow(plain, "RGB")
    assert of_pillow(file, "RGB").shape != expected.shape
    np.testing.assert_array_equal(decode(file), expected)
    found = read_image(written(tmp_path, file), expected.shape)
    np.testing.assert_array_equal(found, expected)


def test_no_more_pixels_than_the_limit(header):
    side = 2**13
    assert side**2 == MAX_PIXELS
    for width, height, is_fine in (
        (side, side, True),
        (MAX_PIXELS, 1, True),
        (side, side + 1, False),
        (1, MAX_PIXELS + 1, False),
        (10_000, 10_000, False),
        (2**31 - 1, 2**31 - 1, False),
        (2**32 - 1, 2**32 - 1, False),
    ):
        found = header(raw_png(width, height, 1, 0, b""))
        assert (found.reason == b"") == is_fine
        assert is_fine or "67,108,864" in found.reason.numpy().decode()


def test_frames_are_counted_before_any_is_decoded(header):
    for frames in (2, 5, 300):
        images = [Image.new("L", (3, 3), value % 256) for value in range(frames)]
        file = saved(images[0], "GIF", save_all=True, append_images=images[1:])
        assert header(file).reason == f"animated, {frames} frames".encode()


def test_a_gif_of_tiny_blocks_does_not_keep_the_reader_busy(header):
    start = saved(noise("P"), "GIF")[:-2]
    equal = start + b"\x01\x00" * 10**6 + b"\0;"
    assert header(equal).reason == b""
    sizes = np.random.default_rng(0).integers(1, 255, 20_000)
    mixed = start + b"".join(bytes([size]) + bytes(size) for size in sizes) + b"\0;"
    assert b"blocks" in header(mixed).reason.numpy()


def test_mutated_headers_are_read_or_refused(header):
    """Every walk ends, within the file."""
    random = np.random.default_rng(0)
    files = [*good_files().values(), animated("WEBP"), animated("GIF")]
    for _ in range(500):
        content = mutated(files[random.integers(len(files))], random)
        found = header(content)
        if found.reason == b"":
            assert 1 <= found.width * found.height <= MAX_PIXELS


@settings(deadline=None, max_examples=25)
@given(st.integers(1, 40), st.integers(1, 40), st.integers(0, 2**32 - 1))
def test_grey_is_pillows(height, width, seed):
    image = noise(size=(width, height), seed=seed)
    found = to_grey(tf.constant(np.asarray(image)))[..., 0]
    np.testing.assert_array_equal(found, np.asarray(image.convert("L")))


def test_grey_of_every_level():
    levels = np.arange(256, dtype=np.uint8)
    ramp = np.stack(np.meshgrid(levels, levels[::15], levels[::15]), -1)
    ramp = ramp.reshape(256, -1, 3)
    expected = np.asarray(Image.fromarray(ramp).convert("L"))
    np.testing.assert_array_equal(to_grey(tf.constant(ramp))[..., 0], expected)
