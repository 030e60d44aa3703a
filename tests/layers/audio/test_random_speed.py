"""Speed against tones of known frequency and the resampling of SciPy."""

import keras
import numpy as np
import pytest
import scipy.signal
import scipy.stats

from zoo.layers.audio.random_speed import RandomSpeed


def numpy(values):
    return keras.ops.convert_to_numpy(values)


def played(waveform, rates, **options):
    return numpy(RandomSpeed(rates, seed=0, **options)(waveform, training=True))


def decibels(error, signal):
    return 10 * np.log10((error**2).mean() / (signal**2).mean())


@pytest.mark.parametrize("rate", [0.75, 0.9375, 1.0, 1.1875, 1.25])
@pytest.mark.parametrize("frequency", [0.01, 0.11, 0.23, 0.3])
def test_a_tone_is_played_at_its_rate(rate, frequency):
    length = 30_000  # far enough for single precision to lose the place
    times = np.arange(length)
    tone = np.sin(2 * np.pi * frequency * times)
    outputs = played(tone[np.newaxis, :, np.newaxis].astype("float32"), rate)[0, :, 0]
    end = int(length / max(rate, 1)) - 20
    expected = np.sin(2 * np.pi * frequency * rate * times)[20:end]
    assert decibels(outputs[20:end] - expected, expected) < -48
    if rate > 1:  # filled up with zeros
        np.testing.assert_array_equal(outputs[int(length / rate) + 20 :], 0)


def test_what_would_fold_back_is_damped():
    times = np.arange(4000)
    for frequency, damped in ((0.45, -24), (0.48, -40)):  # cut off at 0.4
        tone = np.sin(2 * np.pi * frequency * times)[np.newaxis, :, np.newaxis]
        outputs = played(tone.astype("float32"), 1.25)[0, 50:3000, 0]
        assert decibels(outputs, tone[0, 50:3000, 0]) < damped


@pytest.mark.parametrize("rate", [0.8125, 1.25])
def test_sound_of_many_frequencies_is_that_of_scipy(rate):
    random = np.random.default_rng(0)
    length = 4160  # over both rates a whole number
    spectrum = np.zeros(length // 2 + 1, complex)  # periodic, and quiet high up
    size = int(0.3 * length)
    spectrum[1 : size + 1] = random.normal(size=(size, 2)) @ (1, 1j)
    clip = np.fft.irfft(spectrum) * 50
    expected = scipy.signal.resample(clip, round(length / rate))[100:3000]
    outputs = played(clip[np.newaxis, :, np.newaxis].astype("float32"), rate)
    assert decibels(outputs[0, 100:3000, 0] - expected, expected) < -48


def test_rate_1_changes_nothing():
    waveform = np.random.default_rng(0).uniform(-1, 1, (2, 500, 2)).astype("float32")
    np.testing.assert_allclose(played(waveform, 1.0), waveform, atol=1e-6)


def test_a_constant_stays_one():
    outputs = played(np.ones((4, 500, 1), "float32"), (0.8, 1.25))
    np.testing.assert_allclose(outputs[:, 20:350], 1, atol=1e-5)


def test_tempo_and_pitch_follow_one_rate():
    length = 8192
    tone = np.sin(2 * np.pi * 0.1 * np.arange(length)).astype("float32")
    waveform = np.repeat(tone[np.newaxis, :, np.newaxis], 8, axis=0)
    inputs = {"waveform": waveform, "tempo": np.full(8, 120.0, "float32")}
    outputs = RandomSpeed(seed=0)(inputs, training=True)
    rates = numpy(outputs["tempo"]) / 120
    assert np.ptp(rates) > 0.1
    window = np.hanning(6000)
    spectra = np.abs(np.fft.rfft(window * numpy(outputs["waveform"])[:, 200:6200, 0]))
    np.testing.assert_allclose(spectra.argmax(-1) / 6000, 0.1 * rates, atol=2e-4)


def rates_of(layer, tempi):
    tempi = np.asarray(tempi, "float32")
    padded = np.resize(tempi, 800)  # one shape: each compiles anew on JAX
    inputs = {"waveform": np.zeros((800, 4, 1), "float32"), "tempo": padded}
    return numpy(layer(inputs, training=True)["tempo"])[: len(tempi)] / tempi


def test_slower_is_as_likely_as_faster():
    rates = rates_of(RandomSpeed((0.8, 1.25), seed=0), np.full(800, 100.0))
    assert 0.7999 < rates.min() < 0.805 and 1.24 < rates.max() < 1.2501
    low, high = np.log(0.8), np.log(1.25)
    uniform = scipy.stats.uniform(low, high - low)
    assert scipy.stats.kstest(np.log(rates), uniform.cdf).pvalue > 1e-3


def test_the_tempo_stays_within_its_range():
    layer = RandomSpeed((0.5, 2.0), seed=0)
    tempi = np.repeat([31.0, 100, 250, 284], 200)
    rates = rates_of(layer, tempi).reshape(4, 200)
    tempi = tempi.reshape(4, 200) * rates
    assert 29.98 < tempi.min() < 31 and 282 < tempi.max() < 285.02
    assert rates[0].min() > 0.96 and rates[0].max() > 1.9
    assert rates[3].max() < 1.004 and rates[3].min() < 0.55
    free = rates_of(RandomSpeed((0.5, 2.0), tempo_range=None), np.full(200, 284.0))
    assert free.max() > 1.5
    # What no rate brings within gets the nearest.
    far = rates_of(layer, [10.0, 1000.0])
    np.testing.assert_allclose(far, [2, 0.5], atol=1e-4)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"rates": (1.2, 0.8)}, "`rates` must be a number or .* from 0.25 to 4"),
        ({"rates": 0}, "`rates` must be a number or"),
        ({"rates": (0.5, 5)}, "`rates` must be a number or"),
        ({"tempo_range": (0, 100)}, "`tempo_range` must be .* from 1 to 10000 BPM"),
    ],
)
def test_refusals(arguments, message):
    with pytest.raises(ValueError, match=message):
        RandomSpeed(**arguments)
