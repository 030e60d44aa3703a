"""A turned sign."""

import keras
import numpy as np
import pytest
import scipy.stats

from zoo.layers.audio.random_polarity import RandomPolarity


@pytest.mark.parametrize("probability", [0, 0.2, 0.5, 1])
def test_the_share_that_is_turned(probability):
    waveform = np.random.default_rng(0).uniform(0.1, 1, (500, 10, 1))
    waveform = waveform.astype("float32")
    layer = RandomPolarity(probability, seed=0)
    signs = keras.ops.convert_to_numpy(layer(waveform, training=True)) / waveform
    np.testing.assert_array_equal(np.abs(signs), 1)
    np.testing.assert_array_equal(signs, signs[:, :1] + 0 * signs)
    turned = int((signs[:, 0] < 0).sum())
    assert scipy.stats.binomtest(turned, 500, probability).pvalue > 1e-3


@pytest.mark.parametrize("probability", [-0.1, 1.1, "often", float("nan")])
def test_probabilities_that_are_none(probability):
    with pytest.raises(ValueError, match="`probability` must be a number from 0 to 1"):
        RandomPolarity(probability)
