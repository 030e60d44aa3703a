"""The steps of AlexNet's pipeline, against NumPy, Pillow and hand-made arrays."""

import io

import numpy as np
import pytest
import tensorflow as tf
from PIL import Image

from zoo.datasets.image import alexnet


def png(pixels):
    """Encoded without loss, so that pixels can be compared."""
    content = io.BytesIO()
    Image.fromarray(pixels).save(content, "PNG")
    return tf.constant(content.getvalue())


def coordinates(height, width):
    """An image whose red says the row and whose green says the column."""
    pixels = np.zeros((height, width, 3), np.uint8)
    pixels[..., 0] = np.arange(height)[:, np.newaxis]
    pixels[..., 1] = np.arange(width)
    return pixels


def where(image):
    """Row and column that the top left pixel of a crop of `coordinates` came from."""
    return np.rint(255 * np.asarray(image)[0, 0, :2]).astype(int).tolist()


def area_weights(side):
    """Which share of each of `side` pixels every one of 256 covers."""
    scale = side / 256
    first = np.arange(256)[:, np.newaxis] * scale
    pixel = np.arange(side)
    overlap = np.minimum(first + scale, pixel + 1) - np.maximum(first, pixel)
    return np.maximum(overlap, 0) / scale


@pytest.mark.parametrize(("height", "width"), [(256, 256), (512, 340), (300, 700)])
def test_the_centre_square_by_areas(height, width):
    random = np.random.default_rng(0)
    pixels = random.integers(0, 256, (height, width, 3), dtype=np.uint8)
    side = min(height, width)
    top, left = (height - side) // 2, (width - side) // 2
    weights = area_weights(side)
    expected = np.einsum(
        *("ir,jc,rck->ijk", weights, weights),
        pixels[top : top + side, left : left + side],
        optimize=True,
    )
    found = alexnet.central_square(png(pixels)).numpy()
    assert found.shape == (256, 256, 3)
    np.testing.assert_allclose(found, expected, atol=0.01)


def test_smaller_images_grow_as_pillows_do():
    random = np.random.default_rng(0)
    pixels = random.integers(0, 256, (100, 128, 3), dtype=np.uint8)
    square = Image.fromarray(pixels[:, 14:114])
    expected = np.asarray(square.resize((256, 256), Image.Resampling.BILINEAR))
    found = alexnet.central_square(png(pixels)).numpy()
    np.testing.assert_allclose(found, expected, atol=1.01)


def test_centre_crop():
    encoded = png(coordinates(256, 256))
    image = alexnet.evaluation_image(encoded, 227).numpy()
    expected = coordinates(256, 256)[14:241, 14:241] / 255
    np.testing.assert_allclose(image, expected, atol=1e-6)
    assert alexnet.evaluation_image(encoded, 256).shape == (256, 256, 3)


def test_random_crops_reach_every_corner_and_half_are_mirrored(monkeypatch):
    monkeypatch.setattr(alexnet, "with_colour_noise", lambda image, seed: image)
    encoded = png(coordinates(256, 256))
    corners, mirrored = set(), 0
    for number in range(200):
        image = alexnet.training_image(encoded, 255, tf.constant([number, 7]))
        row, column = where(image)
        is_mirrored = column > 1
        mirrored += is_mirrored
        corners.add((row, column - 254 if is_mirrored else column))
        expected = coordinates(256, 256)[row : row + 255]
        left = column - 254 if is_mirrored else column
        expected = expected[:, left : left + 255]
        expected = expected[:, ::-1] if is_mirrored else expected
        np.testing.assert_allclose(image, expected / 255, atol=1e-6)
    assert corners == {(0, 0), (0, 1), (1, 0), (1, 1)}
    assert 70 < mirrored < 130


def test_colour_noise_is_numpys():
    image = np.random.default_rng(1).uniform(0.4, 0.6, (5, 4, 3)).astype("float32")
    seed = tf.constant([3, 9])
    normal = tf.random.stateless_normal([3], seed).numpy()
    shift = np.zeros(3)
    for number in range(3):
        deviation = np.sqrt(alexnet.COLOUR_VARIANCES[number])
        direction = alexnet.COLOUR_DIRECTIONS[:, number]
        shift += 0.1 * normal[number] * deviation * direction
    found = alexnet.with_colour_noise(image, seed).numpy()
    np.testing.assert_allclose(found, image + shift, atol=1e-6)


def test_colour_noise_has_the_covariance_of_the_pixels():
    grey = tf.fill((1, 1, 3), 0.5)
    shifts = [
        alexnet.with_colour_noise(grey, tf.constant([number, 0])).numpy()[0, 0] - 0.5
        for number in range(2000)
    ]
    directions = alexnet.COLOUR_DIRECTIONS
    np.testing.assert_allclose(directions.T @ directions, np.eye(3), atol=1e-3)
    expected = 0.01 * directions @ np.diag(alexnet.COLOUR_VARIANCES) @ directions.T
    np.testing.assert_allclose(np.cov(np.transpose(shifts)), expected, atol=1e-4)


def test_colour_noise_stays_in_range():
    for number in range(20):
        white = alexnet.with_colour_noise(tf.ones((2, 2, 3)), tf.constant([number, 1]))
        black = alexnet.with_colour_noise(tf.zeros((2, 2, 3)), tf.constant([number, 1]))
        assert white.numpy().max() <= 1
        assert black.numpy().min() >= 0


def test_a_truncated_jpeg_is_an_error_not_zeros():
    content = io.BytesIO()
    Image.fromarray(coordinates(256, 256)).save(content, "JPEG")
    with pytest.raises(tf.errors.InvalidArgumentError):
        alexnet.central_square(tf.constant(content.getvalue()[:1500]))
