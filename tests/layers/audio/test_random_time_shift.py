"""Shifts by whole samples, filled up with zeros."""

import json

import keras
import numpy as np
import pytest
import scipy.stats

from zoo.layers.audio.random_time_shift import RandomTimeShift


def shifts(layer, length=40, count=600):
    """The shift of each clip, having seen that it is one."""
    waveform = np.random.default_rng(0).uniform(0.1, 1, (count, length, 2))
    waveform = waveform.astype("float32")
    outputs = keras.ops.convert_to_numpy(layer(waveform, training=True))
    found = []
    for clip, moved in zip(waveform, outputs, strict=True):
        filled = np.pad(clip, ((length, length), (0, 0)))
        windows = {
            shift: filled[length - shift : 2 * length - shift]
            for shift in range(-length, length + 1)
        }
        matches = [s for s, window in windows.items() if np.array_equal(window, moved)]
        # A clip that has left altogether left on one side or the other.
        found.append(matches[0] if len(matches) == 1 else length)
        assert matches
    return np.array(found)


@pytest.mark.parametrize(
    ("arguments", "furthest"),
    [
        ({"max_shift": 0.1}, 4),
        ({"max_shift": 0.3}, 12),
        ({"max_shift": 1.0}, 40),
        ({"max_shift": 0.003, "sample_rate": 1000}, 3),
    ],
)
def test_every_shift_up_to_the_largest_is_as_likely(arguments, furthest):
    found = shifts(RandomTimeShift(seed=0, **arguments))
    values, counts = np.unique(np.abs(found), return_counts=True)
    np.testing.assert_array_equal(values, range(furthest + 1))
    expected = np.full(furthest + 1, 2 * 600 / (2 * furthest + 1))
    expected[0] /= 2
    assert scipy.stats.chisquare(counts, expected).pvalue > 1e-3
    if furthest < 40:
        assert found.min() == -furthest and found.max() == furthest


@pytest.mark.parametrize(
    ("arguments", "earliest", "latest"),
    [
        ({"max_shift": (0, 0.2)}, 0, 8),
        ({"max_shift": [0.1, 0.0]}, -4, 0),
        ({"max_shift": (0.1, 0.3)}, -4, 12),
        ({"max_shift": (0.0, 0.003), "sample_rate": 1000}, 0, 3),
    ],
)
def test_earlier_and_later_may_differ(arguments, earliest, latest):
    layer = RandomTimeShift(seed=0, **arguments)
    layer = RandomTimeShift.from_config(json.loads(json.dumps(layer.get_config())))
    values, counts = np.unique(shifts(layer), return_counts=True)
    np.testing.assert_array_equal(values, range(earliest, latest + 1))
    assert scipy.stats.chisquare(counts).pvalue > 1e-3


def test_seconds_beyond_the_clip_are_the_whole_clip():
    assert np.abs(shifts(RandomTimeShift(5, sample_rate=8000, seed=0))).max() == 40


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"max_shift": 0}, "must be a number above 0"),
        ({"max_shift": float("nan")}, "must be a number above 0"),
        ({"max_shift": (0, 0)}, "must be a number above 0"),
        ({"max_shift": (-0.1, 0.1)}, "must be a number above 0"),
        ({"max_shift": (0.1, 0.1, 0.1)}, "must be a number above 0"),
        ({"max_shift": "0.1"}, "must be a number above 0"),
        ({"max_shift": (0.1, 2)}, "a share of the clip, at most 1, unless"),
        ({"max_shift": 2}, "a share of the clip, at most 1, unless a sample_rate"),
        ({"max_shift": 2, "sample_rate": 0}, "`sample_rate` must be None or Hz above"),
    ],
)
def test_refusals(arguments, message):
    with pytest.raises(ValueError, match=message):
        RandomTimeShift(**arguments)
