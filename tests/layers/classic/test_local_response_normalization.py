"""Local response normalisation against its formula, TensorFlow and torch."""

import keras
import numpy as np
import pytest
from equivariance import TOLERANCES, equivariance_error, noise
from keras import ops

from zoo.layers import LocalResponseNormalization

# The paper's constants hardly move anything; these do.
STRONG = {"k": 1.5, "alpha": 0.7, "beta": 0.75}


def numpy(values):
    return ops.convert_to_numpy(values)


def by_the_formula(x, k, n, alpha, beta):
    """One channel after another, as the paper writes the sum."""
    x = x.astype("float64")
    channels = x.shape[-1]
    outputs = np.empty_like(x)
    for i in range(channels):
        near = slice(max(0, i - n // 2), min(channels, i + (n - 1) // 2 + 1))
        outputs[..., i] = x[..., i] / (k + alpha * (x[..., near] ** 2).sum(-1)) ** beta
    return outputs


@pytest.mark.parametrize("dtype, tolerance", [("float32", 1e-6), ("float64", 1e-14)])
@pytest.mark.parametrize("beta", [0.75, 0.5, 1.2, 0.0])
@pytest.mark.parametrize("n", [1, 2, 3, 4, 5, 99])
def test_is_the_formula(n, beta, dtype, tolerance):
    maps = noise(2, 3, 4, 11, dtype=dtype)
    constants = {**STRONG, "beta": beta, "n": n}
    outputs = LocalResponseNormalization(**constants, dtype=dtype)(maps)
    expected = by_the_formula(maps, **constants)
    np.testing.assert_allclose(numpy(outputs), expected, rtol=0, atol=tolerance)


def test_defaults_are_the_papers():
    config = LocalResponseNormalization().get_config()
    expected = {"k": 2.0, "n": 5, "alpha": 1e-4, "beta": 0.75}
    assert {name: config[name] for name in expected} == expected
    assert config["divide_alpha_by_n"] is False


@pytest.mark.parametrize("n", [1, 3, 5])
def test_equals_tensorflows(n):
    tf = pytest.importorskip("tensorflow")
    maps = 3 * noise(2, 5, 5, 16)
    expected = tf.nn.local_response_normalization(maps, n // 2, 1.5, 0.7, 0.75)
    outputs = LocalResponseNormalization(n=n, **STRONG)(maps)
    np.testing.assert_allclose(numpy(outputs), expected.numpy(), atol=1e-6)


@pytest.mark.parametrize("n", [1, 2, 4, 5])
def test_equals_torchs(n):
    torch = pytest.importorskip("torch", reason="torch is not installed")
    maps = 3 * noise(2, 5, 5, 16)
    module = torch.nn.LocalResponseNorm(n, alpha=0.7, beta=0.75, k=1.5)
    expected = module(torch.from_numpy(maps.transpose(0, 3, 1, 2)))
    expected = expected.numpy().transpose(0, 2, 3, 1)
    outputs = LocalResponseNormalization(n=n, divide_alpha_by_n=True, **STRONG)(maps)
    np.testing.assert_allclose(numpy(outputs), expected, atol=1e-6)


def gradient(layer, maps, weights):
    """Of sum(weights * layer(maps)), on whichever backend runs."""

    def loss(x):
        return ops.sum(layer(x) * ops.convert_to_tensor(weights))

    backend = keras.backend.backend()
    if backend == "jax":
        import jax

        return numpy(jax.grad(loss)(ops.convert_to_tensor(maps)))
    if backend == "torch":
        x = ops.convert_to_tensor(maps).requires_grad_()
        loss(x).backward()
        return numpy(x.grad)
    import tensorflow as tf

    x = tf.constant(maps)
    with tf.GradientTape() as tape:
        tape.watch(x)
        value = loss(x)
    return tape.gradient(value, x).numpy()


@pytest.mark.parametrize("beta", [0.75, 1.2])
@pytest.mark.parametrize("n", [4, 5])
def test_gradient_is_that_of_the_formula(n, beta):
    maps, weights = (noise(1, 2, 2, 7, dtype="float64", seed=s) for s in (0, 1))
    constants = {**STRONG, "beta": beta, "n": n}
    layer = LocalResponseNormalization(**constants, dtype="float64")
    expected, step = np.empty_like(maps), 1e-5
    for index in np.ndindex(*maps.shape):
        moved = [maps.copy(), maps.copy()]
        moved[0][index] -= step
        moved[1][index] += step
        low, high = ((weights * by_the_formula(m, **constants)).sum() for m in moved)
        expected[index] = (high - low) / (2 * step)
    np.testing.assert_allclose(gradient(layer, maps, weights), expected, atol=1e-9)


@pytest.mark.parametrize("dtype", TOLERANCES)
@pytest.mark.parametrize("group", ["C4", "D2", "D4"])
def test_keeps_orientations_apart(group, dtype):
    order = {"C4": 4, "D2": 4, "D4": 8}[group]
    maps = noise(2, 6, 6, order, 5, dtype=dtype)
    layer = LocalResponseNormalization(**STRONG, dtype=dtype)
    assert equivariance_error(group, layer, maps) < TOLERANCES[dtype]
    single = numpy(layer(maps))[..., 1, :]
    alone = LocalResponseNormalization(**STRONG, dtype=dtype)(maps[..., 1, :])
    np.testing.assert_allclose(single, numpy(alone), atol=1e-6)


def test_half_precision_outside_and_float32_inside():
    layer = LocalResponseNormalization(dtype="mixed_float16")
    # The square of 1000 is beyond float16.
    outputs = layer(np.full((1, 2, 2, 8), 1000, "float16"))
    assert keras.backend.standardize_dtype(outputs.dtype) == "float16"
    expected = by_the_formula(np.full((1, 2, 2, 8), 1000.0), 2.0, 5, 1e-4, 0.75)
    np.testing.assert_allclose(numpy(outputs), expected, rtol=1e-3)


def test_open_sizes_shape_and_round_trip():
    maps = keras.Input((None, None, 6))
    layer = LocalResponseNormalization(n=3, divide_alpha_by_n=True, name="norm")
    model = keras.Model(maps, layer(maps))
    assert model.output_shape == (None, None, None, 6)
    config = keras.saving.serialize_keras_object(layer)
    assert config["registered_name"] == "convzoo>LocalResponseNormalization"
    restored = keras.saving.deserialize_keras_object(config)
    assert restored.get_config() == layer.get_config()
    images = noise(2, 4, 5, 6)
    np.testing.assert_array_equal(numpy(restored(images)), numpy(model(images)))


@pytest.mark.parametrize(
    "arguments, message",
    [
        ({"n": 0}, "`n` must be a positive integer. Received: n=0"),
        ({"n": 2.5}, "`n` must be a positive integer"),
        ({"k": 0.0}, "`k` must be positive.*Received: k=0.0"),
        ({"alpha": -1.0}, "`alpha` must be at least 0.*alpha=-1.0"),
        ({"beta": -0.5}, "`beta` must be at least 0.*beta=-0.5"),
    ],
)
def test_constants_that_are_refused(arguments, message):
    with pytest.raises(ValueError, match=message):
        LocalResponseNormalization(**arguments)


@pytest.mark.parametrize("shape", [(2, 3), (2, 3, 3, None), (2, 3, 3, 3, 3, 3)])
def test_shapes_that_are_refused(shape):
    with pytest.raises(ValueError, match="expects a map.*Received: input_shape"):
        LocalResponseNormalization().build(shape)
