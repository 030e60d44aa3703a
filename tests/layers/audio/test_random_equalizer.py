"""The frequency response that is drawn, by SciPy's transform of a click."""

import keras
import numpy as np
import pytest
import scipy.fft

from zoo.layers.audio.random_equalizer import RandomEqualizer


def responses(layer, count=200, samples=201):
    click = np.zeros((count, samples, 1), "float32")
    click[:, samples // 2] = 1
    outputs = keras.ops.convert_to_numpy(layer(click, training=True))
    return 20 * np.log10(np.abs(scipy.fft.rfft(outputs[..., 0].astype("float64"))))


@pytest.mark.parametrize("samples", [200, 201])
def test_gains_have_the_deviation_and_lie_on_lines_between_the_bands(samples):
    found = responses(RandomEqualizer(5.0, bands=5, seed=0), samples=samples)
    places = np.linspace(0, found.shape[1] - 1, 5)
    at_bands = found[:, np.round(places).astype(int)]
    assert np.abs(at_bands.mean(axis=0)).max() < 1.5
    assert np.abs(at_bands.std(axis=0) - 5).max() < 1
    between = np.array(
        [np.interp(np.arange(found.shape[1]), places, row) for row in at_bands]
    )
    on_lines = found.shape[1] == 101  # the bands then fall on frequencies
    np.testing.assert_allclose(found, between, atol=1e-2 if on_lines else 0.5)
    # Of each clip its own.
    assert len(np.unique(at_bands[:, 0].round(3))) > 190


def test_it_has_no_delay():
    click = np.zeros((3, 201, 1), "float32")
    click[:, 100] = 1
    layer = RandomEqualizer(4.0, seed=1)
    outputs = keras.ops.convert_to_numpy(layer(click, training=True))[..., 0]
    np.testing.assert_allclose(outputs, outputs[:, ::-1], atol=1e-5)


def test_no_deviation_is_no_change():
    noise = np.random.default_rng(0).normal(size=(2, 64, 2)).astype("float32")
    outputs = RandomEqualizer(0.0)(noise, training=True)
    np.testing.assert_allclose(keras.ops.convert_to_numpy(outputs), noise, atol=1e-5)


@pytest.mark.parametrize(
    "arguments", [{"deviation": -1}, {"deviation": "loud"}, {"bands": 1}]
)
def test_bad_arguments(arguments):
    with pytest.raises(ValueError, match=f"`{next(iter(arguments))}` must be"):
        RandomEqualizer(**arguments)
