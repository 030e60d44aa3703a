"""The temporal convolutional network: counts, causality, and how far back it sees."""

import keras
import numpy as np
import pytest

import zoo
from zoo.audio import tcn


def noise(*shape, seed=0, dtype="float32"):
    return np.random.default_rng(seed).standard_normal(shape).astype(dtype)


def draw(model):
    """Positive weights: no ReLU is off, so a change is never lost on its way."""
    for seed, weight in enumerate(model.weights):
        weight.assign(np.abs(noise(*weight.shape, seed=seed)) + 0.1)


def in_float64(**arguments):
    keras.config.set_dtype_policy("float64")
    try:
        return tcn(**arguments)
    finally:
        keras.config.set_dtype_policy("float32")


def test_counts_by_layer():
    report = zoo.count(tcn())
    counts = {row.layer: row.trainable for row in report.rows}
    assert counts["level_0_1_conv"] == 7 * 25 + 25 + 25
    assert counts["level_0_shortcut"] == 25 + 25
    rest = ["level_0_2_conv"]
    rest += [f"level_{level}_{i}_conv" for level in range(1, 8) for i in (1, 2)]
    assert [counts[name] for name in rest] == 15 * [7 * 25 * 25 + 25 + 25]
    assert counts["top"] == 25 * 10 + 10
    assert report.trainable == report.parameters == 66_910


def test_multiply_adds_by_hand():
    report = zoo.count(tcn())
    rows = {row.layer: row.multiply_adds for row in report.rows}
    assert rows["level_0_1_conv"] == 784 * 7 * 25
    assert rows["level_3_2_conv"] == 784 * 7 * 25 * 25
    expected = 784 * (7 * 25 + 15 * 7 * 25 * 25 + 25) + 25 * 10
    assert report.multiply_adds == expected


@pytest.mark.parametrize(
    "levels, kernel_size, field", [(1, 2, 3), (2, 3, 13), (3, 3, 29), (4, 2, 31)]
)
def test_a_step_sees_just_its_receptive_field(levels, kernel_size, field):
    assert field == 1 + 2 * (kernel_size - 1) * (2**levels - 1)
    model = in_float64(
        include_top=False,
        input_shape=(None, 1),
        levels=levels,
        filters=3,
        kernel_size=kernel_size,
    )
    draw(model)
    waveform = np.abs(noise(1, 40, 1, dtype="float64"))
    before = model(waveform).numpy()
    for changed in (0, 4, 39):
        other = waveform.copy()
        other[0, changed] += 1
        moved = (model(other).numpy() != before).any(axis=-1)[0]
        # None before the change, all from it on, none out of reach again.
        last = min(changed + field, 40)
        assert set(np.flatnonzero(moved)) == set(range(changed, last))


def test_the_field_of_the_defaults_is_longer_than_a_digit():
    model = in_float64(include_top=False, input_shape=(None, 1), filters=2)
    draw(model)
    waveform = np.abs(noise(1, 3_100, 1, dtype="float64"))
    before = model(waveform).numpy()[0, -1]
    for back, is_seen in ((3_060, True), (3_061, False)):
        other = waveform.copy()
        other[0, -1 - back] += 1e6
        assert (model(other).numpy()[0, -1] != before).any() == is_seen


def test_is_causal_at_its_initial_weights_too():
    model = tcn(include_top=False, input_shape=(100, 2), levels=4)
    waveform = noise(2, 100, 2)
    before = model(waveform).numpy()
    waveform[:, 60:] = 7
    after = model(waveform).numpy()
    np.testing.assert_array_equal(after[:, :60], before[:, :60])
    assert (after[:, 60] != before[:, 60]).any()


def test_the_classifier_sees_the_last_step():
    model = tcn(input_shape=(50, 1), levels=3, classifier_activation=None)
    draw(model)
    features = keras.Model(model.input, model.get_layer("level_2_relu").output)
    waveform = noise(3, 50, 1)
    kernel, bias = model.get_layer("top").get_weights()
    expected = features(waveform).numpy()[:, -1] @ kernel + bias
    np.testing.assert_allclose(model(waveform), expected, rtol=1e-5)


def causal(x, layer):
    """A weight-normalised causal convolution, step by step."""
    direction, length, bias = layer.get_weights()
    kernel = length * direction / np.sqrt((direction**2).sum(axis=(0, 1)))
    outputs = np.tile(bias, (*x.shape[:2], 1))
    for tap in range(len(kernel)):
        back = (len(kernel) - 1 - tap) * layer.dilation_rate
        outputs[:, back:] += x[:, : x.shape[1] - back] @ kernel[tap]
    return outputs


def test_whole_net_against_numpy():
    model = in_float64(
        include_top=False, input_shape=(30, 2), levels=3, filters=4, kernel_size=3
    )
    for seed, weight in enumerate(model.weights):
        weight.assign(noise(*weight.shape, seed=seed))
    # The input of a Keras model is float32 also where its layers are not.
    waveform = noise(2, 30, 2)
    x = waveform.astype("float64")
    for level in range(3):
        y = x
        for index in (1, 2):
            layer = model.get_layer(f"level_{level}_{index}_conv")
            assert layer.dilation_rate == 2**level
            y = np.maximum(causal(y, layer), 0)
        if level == 0:
            kernel, bias = model.get_layer("level_0_shortcut").get_weights()
            x = x @ kernel[0] + bias
        x = np.maximum(x + y, 0)
    np.testing.assert_allclose(model(waveform), x, rtol=1e-10, atol=1e-10)


def test_initial_weights():
    model = tcn(filters=60)
    kernel = model.get_layer("level_4_1_conv").kernel.numpy()
    assert kernel.std() == pytest.approx(0.01, rel=0.03)
    assert abs(kernel.mean()) < 3e-4
    shortcut = model.get_layer("level_0_shortcut").kernel.numpy()
    assert shortcut.std() == pytest.approx(0.01, rel=0.3)


def test_dropout_stands_behind_every_convolution():
    model = tcn(levels=2, dropout=0.25)
    layers = [x for x in model.layers if isinstance(x, keras.layers.Dropout)]
    assert [layer.rate for layer in layers] == 4 * [0.25]


def test_any_length_and_a_width_that_stays():
    model = tcn(input_shape=(None, 1), levels=3)
    assert model.input_shape == (None, None, 1)
    assert model(noise(2, 17, 1)).shape == (2, 10)
    same = tcn(input_shape=(None, 5), levels=1, filters=5)
    assert "level_0_shortcut" not in {layer.name for layer in same.layers}


@pytest.mark.parametrize(
    "arguments, message",
    [
        ({"levels": 0}, "`levels` of tcn must be an integer from 1.*levels=0"),
        ({"filters": 2.5}, "`filters` of tcn must be an integer from 1"),
        ({"kernel_size": 1}, "`kernel_size` of tcn must be an integer from 2"),
        ({"levels": True}, "`levels` of tcn"),
        ({"dropout": 1.0}, "`dropout` must be from 0, below 1.*dropout=1.0"),
        ({"dropout": -0.1}, "`dropout` must be"),
        ({"dropout": None}, "`dropout` must be"),
        ({"input_shape": (784,)}, r"must be \(samples, channels\)"),
        ({"pooling": "avg"}, "`pooling` is for include_top=False"),
    ],
)
def test_arguments_that_are_refused(arguments, message):
    with pytest.raises(ValueError, match=message):
        tcn(**arguments)
