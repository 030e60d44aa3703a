"""The baseline: any input shape, no group; and what a convolution saves."""

import keras
import numpy as np
import pytest
from equivariance import noise

import zoo
from zoo.analysis import compare
from zoo.layers import GroupConv2D, TableConv2D


def test_counts_by_layer():
    counts = {row.layer: row.trainable for row in zoo.count(zoo.mlp()).rows}
    assert [counts[n] for n in ("hidden_1", "hidden_2", "top")] == [
        235_500,
        30_100,
        1_010,
    ]
    assert zoo.count(zoo.mlp()).trainable == 266_610


@pytest.mark.parametrize(
    "input_shape, name",
    [
        ((7,), "waveform"),
        ((50, 1), "waveform"),
        ((8, 8, 3), "image"),
        ((4, 8, 8, 1), "video"),
        ((2, 2, 2, 2, 2), "inputs"),
    ],
)
def test_takes_signals_images_and_videos(input_shape, name):
    model = zoo.mlp(input_shape=input_shape, hidden=(5,), classes=3)
    assert model.input.name == name
    assert model(noise(2, *input_shape)).shape == (2, 3)
    numbers = int(np.prod(input_shape))
    assert model.count_params() == numbers * 5 + 5 + 5 * 3 + 3


def test_no_hidden_layer_is_logistic_regression():
    assert zoo.mlp(hidden=()).count_params() == 7_850
    assert zoo.mlp(hidden=(), include_top=False).output_shape == (None, 784)


def test_places_mean_nothing_to_it():
    """With shuffled pixels, and the weights shuffled alike, it is the same net."""
    model, images = zoo.mlp(input_shape=(6, 6, 1)), noise(4, 6, 6, 1)
    order = np.random.default_rng(0).permutation(36)
    expected = model.predict(images, verbose=0)
    kernel, *rest = model.get_weights()
    model.set_weights([kernel[order], *rest])
    shuffled = images.reshape(4, 36)[:, order].reshape(images.shape)
    np.testing.assert_allclose(model.predict(shuffled, verbose=0), expected, atol=1e-6)


@pytest.mark.parametrize(
    "arguments, message",
    [
        ({"group": "C4"}, "no equivariant version.*zoo.lenet5"),
        ({"input_shape": ()}, "`input_shape` of mlp must be"),
        ({"input_shape": (None, 1)}, "`input_shape` of mlp must be"),
        ({"input_shape": 28}, "`input_shape` of mlp must be.*28"),
        ({"hidden": (0,)}, "`hidden` of mlp must be a tuple of positive"),
        ({"hidden": 100}, "`hidden` of mlp must be.*hidden=100"),
        ({"pooling": "avg"}, "`pooling` is for include_top=False"),
        ({"activation": "relo"}, "relo"),
    ],
)
def test_arguments_that_are_refused(arguments, message):
    with pytest.raises(ValueError, match=message):
        zoo.mlp(**arguments)


def test_a_neuron_on_full_hd_against_a_filter():
    grey, colour, layer = compare()
    assert (grey.dense, grey.convolution) == (1920 * 1080 + 1, 3 * 3 + 1)
    assert (colour.dense, colour.convolution) == (3 * 1920 * 1080 + 1, 3 * 3 * 3 + 1)
    assert layer.outputs == (1080, 1920, 64)
    assert layer.dense == (3 * 1920 * 1080 + 1) * (64 * 1920 * 1080)
    assert layer.convolution == 1_792
    assert grey.times > 200_000


def test_rows_of_full_hd_are_what_keras_layers_have():
    grey, colour, layer = compare()
    for row, filters in ((grey, 1), (colour, 1), (layer, 64)):
        convolution = keras.layers.Conv2D(filters, 3, data_format="channels_last")
        convolution.build((None, *row.inputs))
        assert convolution.count_params() == row.convolution
    neuron = keras.layers.Dense(1)
    neuron.build((None, int(np.prod(grey.inputs))))
    assert neuron.count_params() == grey.dense


def test_a_model_against_dense_layers_of_the_same_outputs():
    """Held against dense layers that are really built, where they are small."""
    image = keras.Input((6, 6, 3))
    x = keras.layers.Conv2D(4, 3, data_format="channels_last", name="a")(image)
    x = TableConv2D([(0, 1), (2, 3)], 3, name="b")(x)
    x = GroupConv2D(2, 1, group="C4", name="c")(x)
    model = keras.Model(image, keras.layers.Flatten()(x))
    rows = compare(model)
    assert [row.what for row in rows] == ["a", "b", "c"]
    for row in rows:
        dense = keras.layers.Dense(int(np.prod(row.outputs)))
        dense.build((None, int(np.prod(row.inputs))))
        assert dense.count_params() == row.dense
        assert model.get_layer(row.what).count_params() == row.convolution
        assert row.times == row.dense / row.convolution


def test_what_compare_refuses():
    with pytest.raises(ValueError, match="mlp has no convolution"):
        compare(zoo.mlp())
    with pytest.raises(ValueError, match="sizes of layer stem_conv are open"):
        compare(zoo.resnet(depth=8, input_shape=(None, None, 3)))
    with pytest.raises(ValueError, match="no graph to walk through"):
        compare(keras.Sequential([keras.layers.Dense(3)]))
