"""Noise at a ratio that can be measured."""

import keras
import numpy as np
import pytest
import scipy.stats

from zoo.layers.audio.add_noise import AddNoise


def numpy(values):
    return keras.ops.convert_to_numpy(values)


def clips(count, samples=4000, channels=1):
    random = np.random.default_rng(0)
    level = 10 ** random.uniform(-3, 0, (count, 1, 1))  # each as loud as it likes
    return (level * random.uniform(-1, 1, (count, samples, channels))).astype("float32")


def decibels(clean, noisy):
    noise = noisy.astype("float64") - clean
    return 10 * np.log10((clean**2).mean((1, 2)) / (noise**2).mean((1, 2)))


def test_the_ratio_of_each_clip_is_exact():
    clean = clips(16)
    noisy = numpy(AddNoise(snr=(10.0, 10.0), seed=0)(clean, training=True))
    np.testing.assert_allclose(decibels(clean, noisy), 10, atol=1e-3)
    stereo = clips(4, channels=2)
    noisy = numpy(AddNoise(snr=-5, seed=0)(stereo, training=True))
    np.testing.assert_allclose(decibels(stereo, noisy), -5, atol=1e-3)


def test_ratios_fill_the_range():
    clean = clips(400, samples=200)
    ratios = decibels(clean, numpy(AddNoise((0, 20), seed=0)(clean, training=True)))
    assert -1e-2 < ratios.min() < 0.5 and 19.5 < ratios.max() < 20.01
    assert scipy.stats.kstest(ratios, "uniform", (0, 20)).pvalue > 1e-3


def test_it_is_white_and_gaussian():
    clean = np.ones((1, 40000, 1), "float32")
    noise = numpy(AddNoise(0, seed=0)(clean, training=True))[0, :, 0] - 1
    assert scipy.stats.kstest(noise, "norm").pvalue > 1e-3
    # The periodogram of white noise is exponential, at all frequencies alike.
    periodogram = np.abs(np.fft.rfft(noise)[1:-1]) ** 2 / noise.size
    assert scipy.stats.kstest(periodogram, "expon").pvalue > 1e-3
    low, high = np.split(periodogram[:19998], 2)
    assert low.mean() == pytest.approx(high.mean(), rel=0.05)


def test_a_silent_clip_stays_silent_beside_others():
    clean = clips(3)
    clean[1] = 0
    noisy = numpy(AddNoise(0, seed=0)(clean, training=True))
    np.testing.assert_array_equal(noisy[1], 0)
    assert (noisy[[0, 2]] != clean[[0, 2]]).all()


@pytest.mark.parametrize(
    "snr", [(20, 5), (1, 2, 3), "loud", float("nan"), (0, float("inf")), None]
)
def test_ranges_that_are_none(snr):
    with pytest.raises(ValueError, match="`snr` must be a number or"):
        AddNoise(snr)
