"""Gains in decibels."""

import keras
import numpy as np
import pytest
import scipy.stats

from zoo.layers.audio.random_gain import RandomGain


def gains(layer, count=400):
    waveform = np.random.default_rng(0).uniform(-1, 1, (count, 50, 2))
    waveform = waveform.astype("float32")
    outputs = keras.ops.convert_to_numpy(layer(waveform, training=True))
    ratio = outputs / waveform
    np.testing.assert_allclose(ratio, ratio[:, :1, :1] + 0 * ratio, rtol=1e-4)
    return 20 * np.log10(ratio[:, 0, 0])


def test_decibels_fill_the_range():
    measured = gains(RandomGain((-18, 6), seed=0))
    assert -18.001 < measured.min() < -17 and 5 < measured.max() < 6.001
    assert scipy.stats.kstest(measured, "uniform", (-18, 24)).pvalue > 1e-3


def test_one_gain():
    np.testing.assert_allclose(gains(RandomGain(-6.5)), -6.5, atol=1e-3)


@pytest.mark.parametrize("gain", [(6, -6), "loud", (0, float("inf")), (0,)])
def test_ranges_that_are_none(gain):
    with pytest.raises(ValueError, match="`gain` must be a number or .low, high."):
        RandomGain(gain)
