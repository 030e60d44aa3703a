"""LeCun 1989: counts, values against NumPy, the loss, and that it learns."""

import keras
import numpy as np
import pytest
from equivariance import noise

import zoo
from zoo.image.lecun1989 import TABLE
from zoo.training.losses import PlusMinusOneSquaredError, loss_for

UNITS = {"H1": 8 * 8 * 12, "H2": 4 * 4 * 12, "H3": 30, "out": 10}


def images(count=8):
    return np.tanh(noise(count, 16, 16, 1))


def test_counts_by_layer():
    counts = {row.layer: row.trainable for row in zoo.count(zoo.lecun1989()).rows}
    assert counts["H1"] + counts["H1_bias"] == 1_068
    assert counts["H2"] + counts["H2_bias"] == 2_592
    assert counts["H3"] == 5_790
    assert counts["out"] == 310
    assert sum(counts.values()) == 9_760


def test_units_and_connections_are_those_of_the_paper():
    model = zoo.lecun1989()
    sizes = {n: int(np.prod(model.get_layer(n).output.shape[1:])) for n in UNITS}
    assert sizes == UNITS
    assert 16 * 16 + sum(sizes.values()) == 1_256
    # A connection is a product with a weight, or a bias.
    multiply_adds = zoo.count(model).multiply_adds
    assert multiply_adds == 63_660
    assert multiply_adds + sum(sizes.values()) == 64_660


def test_the_table_spreads_evenly():
    assert len(TABLE) == 12 and {len(row) for row in TABLE} == {8}
    seen = [sum(channel in row for row in TABLE) for channel in range(12)]
    assert seen == [8] * 12


@pytest.mark.parametrize("activation", ["scaled_tanh", "tanh"])
def test_values_against_numpy(activation):
    """Three slices, as in the reproduction, for the table."""

    def squash(x):
        return np.tanh(x) if activation == "tanh" else 1.7159 * np.tanh(2 * x / 3)

    def convolve(x, kernel):
        x = np.pad(x, ((0, 0), (2, 2), (2, 2), (0, 0)), constant_values=-1)
        windows = np.lib.stride_tricks.sliding_window_view(x, (5, 5), axis=(1, 2))
        return np.einsum("bhwcij,ijcf->bhwf", windows[:, ::2, ::2], kernel)

    model = zoo.lecun1989(activation=activation)
    rng = np.random.default_rng(1)
    weights = [0.3 * rng.standard_normal(w.shape) for w in model.get_weights()]
    model.set_weights(weights)
    w1, b1, w2, b2, w3, b3, w4, b4 = weights
    x = squash(convolve(images(), w1) + b1)
    slices = [x[..., :8], x[..., 4:], np.concatenate([x[..., :4], x[..., 8:]], -1)]
    x = np.concatenate(
        [convolve(s, w2[..., 4 * n : 4 * n + 4]) for n, s in enumerate(slices)], -1
    )
    x = squash(x + b2).reshape(8, -1)
    expected = squash(squash(x @ w3 + b3) @ w4 + b4)
    np.testing.assert_allclose(model(images()), expected, atol=1e-4)


def test_initial_weights():
    model = zoo.lecun1989()
    for name, inputs in {"H1": 25, "H2": 200, "H3": 192, "out": 30}.items():
        kernel = model.get_layer(name).get_weights()[0]
        limit = 2.4 / np.sqrt(inputs)
        assert 0.9 * limit < np.abs(kernel).max() <= limit
    assert (model.get_layer("out").bias.numpy() == -1).all()
    assert (model.get_layer("H1_bias").bias.numpy() == 0).all()


def test_the_card_turns_0_to_1_into_minus_1_to_1():
    pixels = np.array([[[[0.0], [0.5], [1.0]]]])
    prepared = zoo.preprocess_input(pixels, "lecun1989")
    np.testing.assert_array_equal(prepared, [[[[-1.0], [0.0], [1.0]]]])


def test_what_stands_at_the_end():
    assert zoo.lecun1989().output_names == ["scores"]
    assert zoo.lecun1989(activation="tanh").output_names == ["scores"]
    softmax = zoo.lecun1989(classifier_activation="softmax")
    assert softmax.output_names == ["probabilities"]
    np.testing.assert_allclose(np.sum(softmax(images()), -1), 1, atol=1e-5)
    assert zoo.lecun1989(classifier_activation=None).output_names == ["logits"]
    assert zoo.lecun1989(include_top=False).output_shape == (None, 4, 4, 12)
    assert zoo.lecun1989(include_top=False, pooling="max").output_shape == (None, 12)


def test_one_step_of_training_lowers_the_loss_and_moves_every_weight():
    model = zoo.lecun1989()
    model.compile(keras.optimizers.SGD(0.03), loss_for(model), metrics=["accuracy"])
    before, labels = model.get_weights(), np.arange(8)
    first, second = (
        model.train_on_batch(images(), labels, return_dict=True)["loss"]
        for _ in range(2)
    )
    assert second < first
    for old, new in zip(before, model.get_weights(), strict=True):
        assert not np.array_equal(old, new)


def test_saved_with_its_loss_and_loaded(tmp_path):
    model = zoo.lecun1989()
    model.compile("sgd", loss_for(model))
    model.train_on_batch(images(), np.arange(8))
    model.save(tmp_path / "m.keras")
    restored = zoo.load_model(tmp_path / "m.keras")
    np.testing.assert_array_equal(restored(images()), model(images()))
    assert isinstance(restored.loss, PlusMinusOneSquaredError)


def test_the_loss_is_the_squared_error_to_plus_and_minus_one():
    outputs, labels = noise(6, 10), np.arange(6)
    targets = 2 * np.eye(10)[labels] - 1
    expected = np.mean((targets - outputs) ** 2)
    for shaped in (labels, labels[:, None]):
        loss = PlusMinusOneSquaredError()(shaped, outputs)
        np.testing.assert_allclose(loss, expected, rtol=1e-5)


@pytest.mark.parametrize("activation", ["softmax", None])
def test_the_loss_of_other_outputs_is_cross_entropy(activation):
    model = zoo.lenet5(classifier_activation=activation)
    outputs, labels = model(noise(4, 32, 32, 1)), np.arange(4)
    probabilities = outputs if activation else keras.ops.softmax(outputs)
    expected = -np.log(np.asarray(probabilities)[labels, labels]).mean()
    np.testing.assert_allclose(loss_for(model)(labels, outputs), expected, rtol=1e-4)


@pytest.mark.parametrize(
    "arguments, message",
    [
        ({"activation": "relu"}, "`activation` must be one of.*'relu'"),
        ({"input_shape": (None, None, 1)}, "all sizes after the batch must be known"),
    ],
)
def test_arguments_that_are_refused(arguments, message):
    with pytest.raises(ValueError, match=message):
        zoo.lecun1989(**arguments)


def test_it_has_no_group():
    with pytest.raises(TypeError, match="group"):
        zoo.lecun1989(group="C4")
    assert zoo.equivariance_report(zoo.lecun1989(), group="C4").output_error > 0.05
