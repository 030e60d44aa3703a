"""Turning against an independent computation."""

import numpy as np
import pytest
import scipy.ndimage
from hypothesis import given, settings
from hypothesis import strategies as st

from zoo.datasets.image.rotation import random_angles, turned

IMAGE = np.random.RandomState(3).randint(0, 256, (28, 28)).astype(np.uint8)


@pytest.mark.parametrize("turns", [0, 1, 2, 3])
def test_right_angles_turn_as_rot90(turns):
    result = turned(IMAGE, 90.0 * turns)
    assert result.dtype == np.float32
    expected = np.rot90(IMAGE, turns) / 255.0
    # At the very edge rounding decides whether a corner is inside.
    np.testing.assert_allclose(result[1:-1, 1:-1, 0], expected[1:-1, 1:-1], atol=1e-6)


@settings(max_examples=30, deadline=None)
@given(angle=st.floats(0.01, 359.99))
def test_any_angle_against_the_formula(reference_turn, angle):
    result = turned(IMAGE, angle)[..., 0]
    assert result.min() >= 0 and result.max() <= 1
    difference = np.abs(result - reference_turn(IMAGE, angle)) > 1e-5
    # Where a source point falls on the border, rounding decides: 0 or the pixel.
    assert difference.sum() <= 4


@pytest.mark.parametrize("angle", [17.0, 123.4, 301.0])
def test_against_affine_transform(angle):
    cosine, sine = np.cos(np.deg2rad(angle)), np.sin(np.deg2rad(angle))
    matrix = np.array([[cosine, sine], [-sine, cosine]])
    expected = scipy.ndimage.affine_transform(
        IMAGE / 255.0, matrix, offset=13.5 - matrix @ [13.5, 13.5], order=1
    )
    np.testing.assert_allclose(turned(IMAGE, angle)[..., 0], expected, atol=1e-6)


def test_angles_cover_the_circle():
    angles = random_angles(np.random.RandomState(0), 100_000)
    assert angles.dtype == np.float32
    assert 0 <= angles.min() and angles.max() < 360
    counts, _ = np.histogram(angles, bins=36, range=(0, 360))
    assert counts.min() > 2500
