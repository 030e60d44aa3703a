"""The weight-normalised causal convolution against NumPy and torch's own."""

import keras
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from zoo.layers.classic.weight_normalized_conv_1d import WeightNormalizedConv1D


def numpy(values):
    return keras.ops.convert_to_numpy(values)


def noise(*shape, dtype="float32", seed=0):
    return np.random.default_rng(seed).standard_normal(shape).astype(dtype)


def built(filters=4, kernel_size=3, dilation_rate=2, channels=2, **arguments):
    layer = WeightNormalizedConv1D(filters, kernel_size, dilation_rate, **arguments)
    layer.build((None, None, channels))
    return layer


def draw(layer):
    """Weights of which none is where the initialiser left it."""
    for seed, weight in enumerate(layer.weights):
        weight.assign(noise(*weight.shape, seed=seed))


def expected_outputs(layer, inputs):
    """The sum over all taps, step by step."""
    direction, length, bias = (
        numpy(w) for w in (layer.direction, layer.length, layer.bias)
    )
    kernel = length * direction / np.sqrt((direction**2).sum(axis=(0, 1)))
    outputs = np.zeros((*inputs.shape[:2], layer.filters)) + bias
    for step in range(inputs.shape[1]):
        for tap in range(layer.kernel_size):
            seen = step - (layer.kernel_size - 1 - tap) * layer.dilation_rate
            if seen >= 0:
                outputs[:, step] += inputs[:, seen] @ kernel[tap]
    return outputs


@settings(deadline=None, max_examples=12)
@given(
    steps=st.integers(1, 9),
    channels=st.integers(1, 3),
    filters=st.integers(1, 3),
    kernel_size=st.integers(1, 4),
    dilation_rate=st.integers(1, 3),
)
def test_is_the_formula(steps, channels, filters, kernel_size, dilation_rate):
    layer = built(filters, kernel_size, dilation_rate, channels, dtype="float64")
    draw(layer)
    inputs = noise(2, steps, channels, dtype="float64")
    outputs = numpy(layer(inputs))
    np.testing.assert_allclose(outputs, expected_outputs(layer, inputs), atol=1e-12)
    assert outputs.shape == (
        2,
        *layer.compute_output_shape((None, steps, channels))[1:],
    )


def test_is_what_torch_computes():
    torch = pytest.importorskip("torch")
    layer = built()
    draw(layer)
    plain = torch.nn.Conv1d(2, 4, 3, dilation=2, device="cpu")
    theirs = torch.nn.utils.parametrizations.weight_norm(plain)
    with torch.no_grad():
        parts = theirs.parametrizations.weight
        parts.original0.copy_(torch.tensor(numpy(layer.length))[:, None, None])
        direction = numpy(layer.direction).transpose(2, 1, 0).copy()
        parts.original1.copy_(torch.tensor(direction))
        theirs.bias.copy_(torch.tensor(numpy(layer.bias)))
        inputs = noise(2, 10, 2)
        padded = np.pad(inputs, ((0, 0), (4, 0), (0, 0))).transpose(0, 2, 1).copy()
        outputs = theirs(torch.tensor(padded)).numpy().transpose(0, 2, 1)
    np.testing.assert_allclose(numpy(layer(inputs)), outputs, atol=1e-5)


def test_starts_with_the_filters_of_its_initialiser():
    initializer = keras.initializers.RandomNormal(stddev=0.01, seed=3)
    layer = built(50, 7, kernel_initializer=initializer, channels=20)
    np.testing.assert_allclose(numpy(layer.kernel), numpy(layer.direction), atol=1e-8)
    assert numpy(layer.kernel).std() == pytest.approx(0.01, rel=0.05)
    assert layer.count_params() == 7 * 20 * 50 + 50 + 50
    assert built(use_bias=False).count_params() == 3 * 2 * 4 + 4


def test_length_and_direction_are_apart():
    layer, inputs = built(), noise(1, 8, 2)
    before = numpy(layer(inputs))
    layer.direction.assign(3 * layer.direction)
    np.testing.assert_allclose(numpy(layer(inputs)), before, atol=1e-6)
    layer.length.assign(2 * layer.length)
    np.testing.assert_allclose(numpy(layer(inputs)), 2 * before, atol=1e-6)


@pytest.mark.parametrize("changed", [0, 5, 11])
def test_no_step_sees_a_later_one(changed):
    layer, inputs = built(kernel_size=3, dilation_rate=2), noise(1, 12, 2)
    other = inputs.copy()
    other[0, changed] += 1
    differs = (numpy(layer(other)) != numpy(layer(inputs))).any(axis=-1)[0]
    sees_it = {changed, changed + 2, changed + 4}
    assert set(np.flatnonzero(differs)) == {step for step in sees_it if step < 12}


def test_every_weight_is_trained():
    layer = built()
    model = keras.Sequential([keras.Input((8, 2)), layer])
    model.compile(keras.optimizers.SGD(0.1), "mse")
    before = [numpy(weight).copy() for weight in layer.weights]
    inputs, targets = noise(4, 8, 2), noise(4, 8, 4, seed=1)
    losses = [model.train_on_batch(inputs, targets) for _ in range(2)]
    assert losses[1] < losses[0]
    for weight, old in zip(layer.weights, before, strict=True):
        assert not np.allclose(numpy(weight), old), weight.name


def test_saved_and_loaded(tmp_path):
    """The length of a trained layer is no longer the norm that it started as."""
    model = keras.Sequential([keras.Input((None, 2)), built()])
    draw(model.layers[0])
    model.save(tmp_path / "m.keras")
    restored = keras.saving.load_model(tmp_path / "m.keras")
    inputs = noise(2, 9, 2)
    np.testing.assert_array_equal(numpy(restored(inputs)), numpy(model(inputs)))
    config = keras.saving.serialize_keras_object(model.layers[0])
    assert config["registered_name"] == "convzoo>WeightNormalizedConv1D"
    assert restored.layers[0].get_config() == model.layers[0].get_config()


def test_half_precision_keeps_the_norm_in_full():
    layer = built(16, 7, channels=64, dtype="mixed_float16")
    outputs = layer(noise(2, 9, 64))
    assert keras.backend.standardize_dtype(outputs.dtype) == "float16"
    for weight in layer.weights:
        assert keras.backend.standardize_dtype(weight.dtype) == "float32"
    # Squares of 1e-4 are zero in half precision.
    layer.direction.assign(1e-4 * layer.direction / keras.ops.std(layer.direction))
    assert np.isfinite(numpy(layer(noise(2, 9, 64)))).all()
    full = built(16, 7, channels=64)
    full.set_weights([numpy(weight) for weight in layer.weights])
    expected, found = numpy(full(noise(2, 9, 64))), numpy(layer(noise(2, 9, 64)))
    np.testing.assert_allclose(found, expected, atol=0.02)


@pytest.mark.parametrize("name", ["filters", "kernel_size", "dilation_rate"])
@pytest.mark.parametrize("size", [0, -1, 2.0, True, "3", None])
def test_sizes_that_are_refused(name, size):
    sizes = {"filters": 4, "kernel_size": 3, "dilation_rate": 1, name: size}
    with pytest.raises(
        ValueError, match=f"`{name}` must be a positive integer.*{name}"
    ):
        WeightNormalizedConv1D(**sizes)


def test_inputs_that_are_refused():
    with pytest.raises(ValueError, match="needs to know the number of channels"):
        WeightNormalizedConv1D(4, 3).build((None, 8, None))
    with pytest.raises(ValueError, match="expected axis -1"):
        built()(noise(2, 8, 3))
    with pytest.raises(ValueError, match="expected ndim=3"):
        WeightNormalizedConv1D(4, 3)(noise(2, 8))
