"""Gaps of a known share."""

import keras
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from zoo.layers.audio.missing_fragments import MissingFragments

# Each shape compiles anew on JAX.
SHAPES = 5 if keras.backend.backend() == "jax" else 30


def missing(share, fragments, length, count=20, seed=0):
    """Which samples are gone: `(count, length)`."""
    waveform = np.random.default_rng(0).uniform(0.1, 1, (count, length, 2))
    waveform = waveform.astype("float32")
    layer = MissingFragments(share, fragments, seed=seed)
    outputs = keras.ops.convert_to_numpy(layer(waveform, training=True))
    gone = outputs == 0
    np.testing.assert_array_equal(outputs[~gone], waveform[~gone])
    np.testing.assert_array_equal(gone[..., 0], gone[..., 1])
    return gone[..., 0]


@settings(max_examples=SHAPES, deadline=None)
@given(st.floats(0, 1), st.integers(1, 6), st.integers(1, 80), st.integers(0, 99))
def test_the_share_is_exact(share, fragments, length, seed):
    gone = missing(share, fragments, length, seed=seed)
    assert np.abs(gone.sum(axis=1) - share * length).max() <= 0.5 + 1e-4
    assert len(set(gone.sum(axis=1))) == 1


def test_fragments_are_as_many_and_as_long_as_asked_for():
    gone = missing(share=0.2, fragments=4, length=1000, count=100)
    np.testing.assert_array_equal(gone.sum(axis=1), 200)
    edges = np.diff(np.pad(gone, ((0, 0), (1, 1))).astype(int), axis=1)
    pieces = []
    for row in edges:
        lengths = np.flatnonzero(row == -1) - np.flatnonzero(row == 1)
        assert (lengths % 50 == 0).all()  # two may touch, none overlaps
        pieces.append(lengths.size)
    assert max(pieces) == 4 and np.mean(pieces) > 3.9


def test_every_place_can_be_missing():
    gone = missing(share=0.25, fragments=1, length=8, count=2000)
    starts = np.bincount(gone.argmax(axis=1), minlength=7)
    assert starts.size == 7
    np.testing.assert_allclose(starts / 2000, 1 / 7, atol=0.03)


def test_nothing_and_all():
    assert not missing(0, 3, 50).any()
    assert missing(1, 3, 50).all()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"share": 1.5}, "`share` must be a number from 0 to 1"),
        ({"share": float("nan")}, "`share` must be a number from 0 to 1"),
        ({"fragments": 0}, "`fragments` must be an integer of at least 1"),
        ({"fragments": 1.5}, "`fragments` must be an integer of at least 1"),
    ],
)
def test_refusals(arguments, message):
    with pytest.raises(ValueError, match=message):
        MissingFragments(**arguments)
