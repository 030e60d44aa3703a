"""The nets of Cohen and Welling 2016: their counts, layer by layer."""

import keras
import numpy as np
import pytest

import zoo

# Parameters of conv_1, conv_2 ... conv_6, top; moving statistics are not among them.
LAYERS = {
    "z2cnn": (200, 3_620, 3_210),
    "p4cnn_rotation_pooling": (200, 3_620, 3_210),
    "p4cnn": (100, 3_610, 6_410),
    "p4mcnn": (70, 3_535, 8_970),
}
TOTALS = {
    "z2cnn": 21_750,
    "p4cnn_rotation_pooling": 21_750,
    "p4cnn": 24_680,
    "p4mcnn": 26_799,
}


@pytest.mark.parametrize("name", TOTALS)
def test_counts_by_layer(name):
    model = zoo.create_model(name)
    counts = {row.layer: row.trainable for row in zoo.count(model).rows}
    first, middle, top = LAYERS[name]
    assert counts["conv_1"] == first
    assert [counts[f"conv_{index}"] for index in range(2, 7)] == [middle] * 5
    assert counts["top"] == top
    assert zoo.count(model).trainable == TOTALS[name]


@pytest.mark.parametrize("name", TOTALS)
def test_sizes_are_those_of_the_table(name):
    model = zoo.create_model(name)
    heights = {layer.name: layer.output.shape[1] for layer in model.layers}
    convolutions = [heights[f"conv_{index}"] for index in range(1, 7)]
    assert convolutions == [26, 24, 10, 8, 6, 4]
    assert heights["pool"] == 12 and heights["top"] == 1


def test_dropout_stands_where_the_authors_put_it():
    layers = [layer.name for layer in zoo.z2cnn().layers if "dropout" in layer.name]
    assert layers == [f"dropout_{index}" for index in (1, 3, 4, 5, 6)]
    assert all(
        layer.rate == 0.3
        for layer in zoo.z2cnn().layers
        if isinstance(layer, keras.layers.Dropout)
    )
    for name in ("p4cnn", "p4mcnn", "p4cnn_rotation_pooling"):
        kinds = {type(layer).__name__ for layer in zoo.create_model(name).layers}
        assert not any("Dropout" in kind for kind in kinds)


def test_initial_weights():
    kernel = zoo.p4cnn().get_layer("conv_3").kernel.numpy()
    assert kernel.std() == pytest.approx(np.sqrt(1 / (3 * 3 * 4 * 10)), rel=0.05)


def test_layers_start_differently():
    """One initialiser object for all of them would draw the same numbers."""
    model = zoo.p4cnn()
    second, third = (model.get_layer(f"conv_{i}").kernel.numpy() for i in (2, 3))
    assert not np.array_equal(second, third)


def test_an_odd_size_is_refused_with_the_remedy():
    with pytest.raises(ValueError, match="mod 2 = 1. Use height 24 or 26"):
        zoo.p4cnn(input_shape=(29, 29, 1))
    assert zoo.z2cnn(input_shape=(29, 29, 1)).output_shape == (None, 10)


def test_admissible_sizes():
    assert zoo.admissible_sizes(zoo.p4cnn(), 20, 33) == [28, 30, 32]
    features = zoo.p4cnn(include_top=False)
    assert zoo.admissible_sizes(features, 20, 33) == [22, 24, 26, 28, 30, 32]
    assert zoo.admissible_sizes(zoo.z2cnn(), 20, 33) == []
