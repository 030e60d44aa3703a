"""The table-connected convolution against SciPy and an ordinary masked one."""

import keras
import numpy as np
import pytest
import scipy.signal

from zoo.layers import TableConv2D

TABLE = ((0, 1, 2), (3, 1, 4), (2, 0, 4), (4, 3, 0))


def numpy(values):
    return keras.ops.convert_to_numpy(values)


def noise(*shape, dtype="float32"):
    return np.random.default_rng(0).standard_normal(shape).astype(dtype)


def built(**arguments):
    layer = TableConv2D(TABLE, 3, bias_initializer="glorot_uniform", **arguments)
    layer.build((None, 9, 8, 5))
    return layer


def full_kernel(layer):
    """The ordinary kernel, by a loop over the table."""
    stored = numpy(layer.kernel)
    kernel = np.zeros((*stored.shape[:2], 5, len(TABLE)), stored.dtype)
    for column, row in enumerate(TABLE):
        for place, channel in enumerate(row):
            kernel[:, :, channel, column] = stored[:, :, place, column]
    return kernel


def test_each_filter_sees_the_channels_of_its_row():
    layer = built(dtype="float64")
    images, kernel = noise(2, 9, 8, 5, dtype="float64"), numpy(layer.kernel)
    outputs = numpy(layer(images))
    assert outputs.shape == (2, 7, 6, 4)
    for column, row in enumerate(TABLE):
        expected = numpy(layer.bias)[column] + sum(
            scipy.signal.correlate(images[0, :, :, c], kernel[:, :, i, column], "valid")
            for i, c in enumerate(row)
        )
        np.testing.assert_allclose(outputs[0, :, :, column], expected, atol=1e-12)


@pytest.mark.parametrize("padding", ["valid", "same"])
@pytest.mark.parametrize("strides", [1, 2])
def test_equals_an_ordinary_convolution_of_zeros_elsewhere(padding, strides):
    layer = built(padding=padding, strides=strides, activation="relu")
    stock = keras.layers.Conv2D(
        4,
        3,
        padding=padding,
        strides=strides,
        activation="relu",
        data_format="channels_last",
    )
    stock.build((None, 9, 8, 5))
    stock.set_weights([full_kernel(layer), numpy(layer.bias)])
    outputs = numpy(layer(noise(2, 9, 8, 5)))
    np.testing.assert_allclose(outputs, numpy(stock(noise(2, 9, 8, 5))), atol=1e-5)
    assert layer.compute_output_shape((None, 9, 8, 5)) == (None, *outputs.shape[1:])


def test_only_connections_are_weights():
    assert built().count_params() == 3 * 3 * 3 * 4 + 4
    assert built(use_bias=False).count_params() == 3 * 3 * 3 * 4


def test_initialisers_count_the_channels_that_are_seen():
    layer = TableConv2D(TABLE * 50, 5, kernel_initializer="he_normal")
    layer.build((None, 9, 9, 5))
    deviation = numpy(layer.kernel).std()
    assert deviation == pytest.approx(np.sqrt(2 / (5 * 5 * 3)), rel=0.05)


def test_round_trip_and_half_precision():
    layer = built(activation="tanh", dtype="mixed_bfloat16")
    config = keras.saving.serialize_keras_object(layer)
    restored = keras.saving.deserialize_keras_object(config)
    assert config["registered_name"] == "convzoo>TableConv2D"
    assert restored.get_config() == layer.get_config()
    outputs = restored(noise(2, 9, 8, 5))
    assert keras.backend.standardize_dtype(outputs.dtype) == "bfloat16"


def test_open_sizes():
    image = keras.Input((None, None, 5))
    model = keras.Model(image, TableConv2D(TABLE, 3)(image))
    assert model.output_shape == (None, None, None, 4)
    assert tuple(model(noise(2, 9, 8, 5)).shape) == (2, 7, 6, 4)


@pytest.mark.parametrize(
    "table", [(), ((), ()), ((0, 1), (2,)), ((0, 0),), ((-1, 0),), 3, ((0, "a"),)]
)
def test_tables_that_are_refused(table):
    with pytest.raises(ValueError, match="`table` must list.*Received: table="):
        TableConv2D(table, 3)


def test_other_refusals():
    with pytest.raises(ValueError, match="needs at least 5 channels. Received.*3"):
        TableConv2D(TABLE, 3).build((None, 9, 9, 3))
    with pytest.raises(ValueError, match="`padding` must be 'valid' or 'same'"):
        TableConv2D(TABLE, 3, padding="full")
    with pytest.raises(ValueError, match="`kernel_size` must be a positive integer"):
        TableConv2D(TABLE, 0)
    with pytest.raises(ValueError, match="expected axis -1"):
        built()(noise(2, 9, 8, 4))
