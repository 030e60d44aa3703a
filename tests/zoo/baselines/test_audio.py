"""Dense baselines on sound, and the two nets of MNIST-1D."""

import numpy as np
import pytest

import zoo
from zoo.audio import audio_mlp, features_mlp, mnist1d_cnn, mnist1d_mlp

LAYERS = {
    audio_mlp: {"hidden_1": 2_048_256, "hidden_2": 32_896, "top": 1_290},
    features_mlp: {"hidden_1": 5_248, "hidden_2": 8_256, "top": 650},
    mnist1d_cnn: {"conv_1": 150, "conv_2": 1_900, "conv_3": 1_900, "top": 1_260},
    mnist1d_mlp: {"hidden_1": 4_100, "hidden_2": 10_100, "top": 1_010},
}


def noise(*shape, seed=0):
    return np.random.default_rng(seed).standard_normal(shape).astype("float32")


@pytest.mark.parametrize("builder", LAYERS)
def test_counts_by_layer(builder):
    report = zoo.count(builder())
    counts = {row.layer: row.trainable for row in report.rows if row.trainable}
    assert counts == LAYERS[builder]
    assert report.parameters == sum(counts.values())


def test_published_counts():
    assert mnist1d_cnn().count_params() == 5_210
    assert mnist1d_mlp().count_params() == 15_210


def test_multiply_adds_by_hand():
    rows = {row.layer: row.multiply_adds for row in zoo.count(mnist1d_cnn()).rows}
    assert rows["conv_1"] == 19 * 5 * 25
    assert rows["conv_2"] == 10 * 3 * 25 * 25
    assert rows["conv_3"] == 5 * 3 * 25 * 25
    assert rows["top"] == 125 * 10


def test_lengths_of_the_cnn():
    model = mnist1d_cnn()
    lengths = [model.get_layer(f"conv_{i}").output.shape[1] for i in (1, 2, 3)]
    assert lengths == [19, 10, 5]
    assert mnist1d_cnn(include_top=False).output_shape == (None, 5, 25)


def test_mnist1d_nets_against_torch():
    torch = pytest.importorskip("torch")
    functional, signal = torch.nn.functional, noise(3, 40, 1)

    def weights(model, layer):
        layer = model.get_layer(layer)
        layer.bias.assign(noise(*layer.bias.shape))
        return map(torch.tensor, layer.get_weights())

    cnn = mnist1d_cnn(classifier_activation=None)
    x = torch.tensor(signal).permute(0, 2, 1)
    for index in (1, 2, 3):
        kernel, bias = weights(cnn, f"conv_{index}")
        x = functional.conv1d(x, kernel.permute(2, 1, 0), bias, stride=2, padding=1)
        x = x.relu()
    kernel, bias = weights(cnn, "top")
    expected = x.permute(0, 2, 1).reshape(3, -1) @ kernel + bias
    np.testing.assert_allclose(cnn(signal), expected.numpy(), atol=1e-5)

    mlp = mnist1d_mlp(classifier_activation=None)
    (first, a), (second, b), (top, c) = (
        weights(mlp, name) for name in ("hidden_1", "hidden_2", "top")
    )
    h = (torch.tensor(signal)[..., 0] @ first + a).relu()
    expected = (h + (h @ second + b).relu()) @ top + c
    np.testing.assert_allclose(mlp(signal), expected.numpy(), atol=1e-5)


def test_samples_mean_nothing_to_a_dense_net():
    """With shuffled samples, and the weights shuffled alike, it is the same net."""
    model, sounds = audio_mlp(input_shape=(50, 2), hidden=(8,)), noise(4, 50, 2)
    order = np.random.default_rng(0).permutation(100)
    expected = model(sounds).numpy()
    kernel, *rest = model.get_weights()
    model.set_weights([kernel[order], *rest])
    shuffled = sounds.reshape(4, 100)[:, order].reshape(sounds.shape)
    np.testing.assert_allclose(model(shuffled), expected, atol=1e-6)


def test_features_of_any_number():
    model = features_mlp(input_shape=(13,), hidden=(), task="tempo")
    assert model.input.name == "features"
    assert model.count_params() == 13 * 256 + 256
    assert model(noise(2, 13)).shape == (2, 256)
    features = features_mlp(input_shape=(13,), hidden=(), include_top=False)
    assert features.output_shape == (None, 13)


@pytest.mark.parametrize(
    "builder, arguments, message",
    [
        (audio_mlp, {"input_shape": (None, 1)}, "must know how many.*zoo.m5"),
        (audio_mlp, {"hidden": 128}, "`hidden` must be a tuple.*hidden=128"),
        (audio_mlp, {"hidden": (0,)}, "`hidden` must be a tuple"),
        (audio_mlp, {"input_shape": (8_000,)}, r"must be \(samples, channels\)"),
        (features_mlp, {"hidden": (True,)}, "`hidden` must be a tuple"),
        (features_mlp, {"input_shape": (None,)}, r"must be \(features,\)"),
        (features_mlp, {"input_shape": (40, 1)}, r"must be \(features,\)"),
        (features_mlp, {"input_shape": 40}, r"must be \(features,\)"),
        (features_mlp, {"input_shape": (True,)}, r"must be \(features,\)"),
        (mnist1d_cnn, {"input_shape": (None, 1)}, "dense layers of mnist1d_cnn"),
        (mnist1d_mlp, {"input_shape": (None, 1)}, "dense layers of mnist1d_mlp"),
        (mnist1d_cnn, {"input_shape": (2, 1)}, "needs at least 3 samples"),
        (mnist1d_cnn, {"task": "digits"}, "`task` must be one of"),
    ],
)
def test_arguments_that_are_refused(builder, arguments, message):
    with pytest.raises(ValueError, match=message):
        builder(**arguments)


def test_the_shortest_signal_and_an_open_one():
    assert mnist1d_cnn(input_shape=(3, 1))(noise(2, 3, 1)).shape == (2, 10)
    features = mnist1d_cnn(input_shape=(None, 1), include_top=False, pooling="max")
    assert features(noise(2, 77, 1)).shape == (2, 25)
