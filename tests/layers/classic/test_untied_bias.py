"""A bias for every unit, and the squashing function of 1989."""

import keras
import numpy as np
import pytest

from zoo.layers import UntiedBias, scaled_tanh


def numpy(values):
    return keras.ops.convert_to_numpy(values)


def noise(*shape):
    return np.random.default_rng(0).standard_normal(shape).astype("float32")


@pytest.mark.parametrize("shape", [(4, 3, 2), (7,), (2, 3, 4, 5)])
def test_every_unit_has_its_own(shape):
    layer = UntiedBias(initializer="glorot_uniform" if len(shape) > 1 else "ones")
    inputs = noise(2, *shape)
    outputs = numpy(layer(inputs))
    assert layer.count_params() == np.prod(shape)
    np.testing.assert_allclose(outputs, inputs + numpy(layer.bias), atol=1e-6)
    assert layer.compute_output_shape((None, *shape)) == (None, *shape)


def test_with_a_convolution_it_is_a_convolution_with_untied_biases():
    images = noise(2, 6, 6, 3)
    convolution = keras.layers.Conv2D(4, 3, use_bias=False, data_format="channels_last")
    layer = UntiedBias(initializer="glorot_uniform")
    outputs = numpy(layer(convolution(images)))
    kernel, bias = numpy(convolution.kernel), numpy(layer.bias)
    for row, column in ((0, 0), (1, 3), (3, 2)):
        window = images[1, row : row + 3, column : column + 3]
        expected = np.einsum("hwc,hwcf->f", window, kernel) + bias[row, column]
        np.testing.assert_allclose(outputs[1, row, column], expected, atol=1e-5)


def test_round_trip_and_half_precision():
    layer = UntiedBias("ones", regularizer="l2", dtype="mixed_bfloat16")
    config = keras.saving.serialize_keras_object(layer)
    restored = keras.saving.deserialize_keras_object(config)
    assert config["registered_name"] == "convzoo>UntiedBias"
    assert restored.get_config() == layer.get_config()
    outputs = restored(noise(2, 3, 3, 2))
    assert keras.backend.standardize_dtype(outputs.dtype) == "bfloat16"


def test_refusals():
    with pytest.raises(ValueError, match="all sizes after the batch must be known"):
        UntiedBias().build((None, None, 8, 3))
    layer = UntiedBias()
    layer(noise(2, 3, 3, 2))
    with pytest.raises(ValueError, match="expected axis"):
        layer(noise(2, 4, 3, 2))


@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
def test_scaled_tanh_values(dtype):
    x = np.linspace(-4, 4, 81).astype("float32")
    outputs = scaled_tanh(keras.ops.convert_to_tensor(x, dtype=dtype))
    assert keras.backend.standardize_dtype(outputs.dtype) == dtype
    tolerance = 1e-5 if dtype == "float32" else 0.03
    expected = 1.7159 * np.tanh(2 * x / 3)
    outputs = numpy(keras.ops.cast(outputs, "float32"))
    np.testing.assert_allclose(outputs, expected, atol=tolerance)
    np.testing.assert_allclose(numpy(scaled_tanh(1.0)), 1, atol=1e-4)


def test_scaled_tanh_is_an_activation_that_can_be_saved():
    layer = keras.layers.Activation(scaled_tanh)
    config = keras.saving.serialize_keras_object(layer)
    restored = keras.saving.deserialize_keras_object(config)
    assert restored.activation is scaled_tanh
