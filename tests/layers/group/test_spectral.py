"""The spectral form of GroupConv2D: equal to "expand", with fewer products."""

import keras
import numpy as np
import pytest
from equivariance import TOLERANCES, equivariance_error, noise
from hypothesis import given, settings
from hypothesis import strategies as st

from zoo.layers import GroupConv2D
from zoo.layers.group.groups import GROUP_NAMES, get_group
from zoo.layers.group.spectral import plane
from zoo.layers.group.spectral.convolution import spectrum_of
from zoo.layers.group.spectral.signed_sums import SignedSums


def both(inputs_shape, filters, kernel_size, dtype="float64", **arguments):
    """The layer in both implementations, with the same weights."""
    layers = [
        GroupConv2D(
            filters,
            kernel_size,
            implementation=implementation,
            bias_initializer="normal",
            dtype=dtype,
            **arguments,
        )
        for implementation in ("expand", "spectral")
    ]
    for layer in layers:
        layer.build(inputs_shape)
    layers[1].set_weights(layers[0].get_weights())
    return layers


def gradients(layer, inputs, upstream):
    """Of sum(layer(inputs) * upstream): for the inputs, and for every weight.

    The input's gradient is read as the gradient of a weight that is added to it.
    """
    inputs = keras.ops.convert_to_tensor(inputs)
    backend = keras.backend.backend()
    if backend == "tensorflow":
        import tensorflow as tf

        @tf.function
        def compiled(inputs):
            with tf.GradientTape() as tape:
                tape.watch(inputs)
                total = tf.reduce_sum(layer(inputs) * upstream)
            sources = [inputs, *(weight.value for weight in layer.trainable_weights)]
            return tape.gradient(total, sources)

        found = compiled(inputs)
    elif backend == "jax":
        import jax

        def total(weights, inputs):
            return (layer.stateless_call(weights, [], inputs)[0] * upstream).sum()

        weights = [weight.value for weight in layer.trainable_weights]
        changes, first = jax.jit(jax.grad(total, argnums=(0, 1)))(weights, inputs)
        found = [first, *changes]
    else:
        inputs.requires_grad_(True)
        layer.zero_grad()
        upstream = keras.ops.convert_to_tensor(upstream)
        (layer(inputs) * upstream).sum().backward()
        found = [inputs, *(weight.value for weight in layer.trainable_weights)]
        found = [value.grad for value in found]
    return [keras.ops.convert_to_numpy(value) for value in found]


def assert_equal(layers, inputs, tolerance):
    """Outputs and all gradients, to a relative tolerance."""
    expand, spectral = layers
    expected = keras.ops.convert_to_numpy(expand(inputs))
    found = keras.ops.convert_to_numpy(spectral(inputs))
    assert found.shape == expected.shape == spectral.compute_output_shape(inputs.shape)
    upstream = noise(*expected.shape, dtype=str(inputs.dtype), seed=1)
    for a, b in zip(
        [expected, *gradients(expand, inputs, upstream)],
        [found, *gradients(spectral, inputs, upstream)],
        strict=True,
    ):
        assert b.dtype == a.dtype
        assert np.abs(a - b).max() <= tolerance * np.abs(a).max()


@pytest.mark.parametrize("dtype", TOLERANCES)
@pytest.mark.parametrize("kernel_size", [1, 2, 3])
@pytest.mark.parametrize("group", GROUP_NAMES)
def test_equals_expand(group, kernel_size, dtype):
    inputs = noise(2, 7, 8, get_group(group).order, 3, dtype=dtype)
    layers = both(inputs.shape, 4, kernel_size, dtype, group=group)
    assert_equal(layers, inputs, TOLERANCES[dtype])


@settings(max_examples=15, deadline=None)
@given(data=st.data())
def test_equals_expand_at_any_shape(data):
    group = data.draw(st.sampled_from(GROUP_NAMES))
    is_square = get_group(group).has_quarter_turns

    def pair(low, high):
        sizes = st.integers(low, high)
        one = data.draw(sizes)
        return (one, one if is_square else data.draw(sizes))

    kernel_size, dilation_rate, strides = pair(1, 4), pair(1, 3), pair(1, 3)
    padding = "valid"
    if all(size % 2 for size in kernel_size):
        padding = data.draw(st.sampled_from(["valid", "same"]))
    extent = [
        (size - 1) * rate + 1
        for size, rate in zip(kernel_size, dilation_rate, strict=True)
    ]
    low = extent if padding == "valid" else (1, 1)
    size = [data.draw(st.integers(n, n + 6)) for n in low]
    layers = both(
        (None, *size, get_group(group).order, 2),
        data.draw(st.integers(1, 4)),
        kernel_size,
        group=group,
        strides=strides,
        dilation_rate=dilation_rate,
        padding=padding,
        strict=False,
        activation="softplus",
    )
    images = data.draw(st.integers(1, 3))
    inputs = noise(images, *size, get_group(group).order, 2, dtype="float64")
    assert_equal(layers, inputs, 1e-12)


@pytest.mark.parametrize("size", [(9, 8), (13, 4)])
@pytest.mark.parametrize("group, kernel_size", [("D4", 3), ("C2", 5), ("C4", 1)])
def test_equals_expand_in_many_strips(group, kernel_size, size, monkeypatch):
    """A line at a time, and strips that do not divide the height."""
    inputs = noise(3, *size, get_group(group).order, 2, dtype="float64")
    for strip in (1, 8 * 2 * 3 * size[1] * 4):
        monkeypatch.setattr(plane, "STRIP", strip)
        layers = both(inputs.shape, 4, kernel_size, group=group, padding="same")
        assert_equal(layers, inputs, 1e-12)


@pytest.mark.parametrize("dtype", TOLERANCES)
@pytest.mark.parametrize("group", ["C4", "D2"])
def test_equivariant(group, dtype):
    layer = GroupConv2D(3, 3, group=group, implementation="spectral", dtype=dtype)
    maps = noise(2, 5, 5, get_group(group).order, 2, dtype=dtype)
    assert equivariance_error(group, layer, maps) < TOLERANCES[dtype]


def test_the_products_are_counted():
    """|G|^2 / sum d^3 fewer; three instead of four where an irrep is complex."""
    products = {
        name: sum(
            block.rows * block.inner * block.columns
            for block in spectrum_of(get_group(name))
        )
        for name in GROUP_NAMES
    }
    assert products == {"C1": 1, "C2": 2, "C4": 5, "D1": 2, "D2": 4, "D4": 12}


@pytest.mark.parametrize("group", GROUP_NAMES)
def test_the_spectrum_multiplies_functions_on_the_group(group):
    """The convolution theorem, against the sum over the Cayley table."""
    algebra = get_group(group)
    f, z = np.random.default_rng(0).standard_normal((2, algebra.order))
    expected = np.zeros(algebra.order)
    for h in range(algebra.order):
        for g in range(algebra.order):
            expected[algebra.product[h, g]] += z[h] * f[g]
    found = sum(
        np.einsum("ij,ijs->s", (block.values @ z) @ (block.filters @ f), block.results)
        for block in spectrum_of(algebra)
    )
    np.testing.assert_allclose(found, expected, atol=1e-12)


@settings(max_examples=60, deadline=None)
@given(
    matrix=st.integers(1, 6).flatmap(
        lambda columns: st.lists(
            st.lists(
                st.sampled_from([-1.0, 1.0, 0.5, 0.0]),
                min_size=columns,
                max_size=columns,
            ).filter(any),
            min_size=1,
            max_size=6,
        )
    )
)
def test_shared_sums_are_the_matrix(matrix):
    matrix = np.array(matrix)
    sums = SignedSums(matrix)
    values = np.random.default_rng(0).standard_normal((matrix.shape[1], 3))
    np.testing.assert_allclose(np.stack(sums(values)), matrix @ values, atol=1e-12)
    assert sums.additions <= np.count_nonzero(matrix) - len(matrix)


def test_shared_sums_are_butterflies():
    hadamard = np.array([[1, 1], [1, -1]])
    assert SignedSums(np.kron(hadamard, hadamard)).additions == 8
    assert SignedSums(np.kron(hadamard, np.kron(hadamard, hadamard))).additions == 24


def test_an_image_batch_is_lifted_all_the_same():
    images = noise(2, 8, 8, 2, dtype="float64")
    expand, spectral = both(images.shape, 3, 3)
    np.testing.assert_array_equal(
        keras.ops.convert_to_numpy(spectral(images)),
        keras.ops.convert_to_numpy(expand(images)),
    )


def test_open_height_and_width():
    maps = keras.Input((None, None, 4, 2), dtype="float64")
    layer = GroupConv2D(
        3, 3, padding="same", implementation="spectral", dtype="float64"
    )
    model = keras.Model(maps, layer(maps))
    expand = GroupConv2D(3, 3, padding="same", implementation="expand", dtype="float64")
    expand.build(maps.shape)
    expand.set_weights(layer.get_weights())
    for size in [(5, 9), (8, 3)]:
        inputs = noise(2, *size, 4, 2, dtype="float64")
        np.testing.assert_allclose(
            keras.ops.convert_to_numpy(model(inputs)),
            keras.ops.convert_to_numpy(expand(inputs)),
            atol=1e-12,
        )


@pytest.mark.parametrize("kernel_size", [1, 3])
def test_empty_batch(kernel_size):
    layer = GroupConv2D(3, kernel_size, padding="same", implementation="spectral")
    assert tuple(layer(np.zeros((0, 6, 6, 4, 2), "float32")).shape) == (0, 6, 6, 4, 3)


@pytest.mark.parametrize("policy", ["mixed_bfloat16", "mixed_float16"])
def test_mixed_precision(policy):
    """As near to the float64 result as "expand" in the same policy, within twice."""
    inputs = noise(2, 9, 9, 8, 16)
    exact = both(inputs.shape, 8, 3, group="D4")[0]
    reference = keras.ops.convert_to_numpy(exact(inputs.astype("float64")))
    errors = []
    for layer in both(inputs.shape, 8, 3, policy, group="D4"):
        layer.set_weights(exact.get_weights())
        outputs = layer(inputs)
        assert keras.backend.standardize_dtype(outputs.dtype) == policy[6:]
        outputs = keras.ops.convert_to_numpy(keras.ops.cast(outputs, "float32"))
        errors.append(np.abs(outputs - reference).mean() / reference.std())
    assert errors[1] < 4 * errors[0] + 1e-6


def test_trains():
    def losses(implementation):
        keras.utils.set_random_seed(0)
        model = keras.Sequential(
            [
                keras.Input((8, 8, 2)),
                GroupConv2D(4, 3, activation="relu"),
                GroupConv2D(3, 3, implementation=implementation),
            ]
        )
        model.compile(keras.optimizers.SGD(0.01), "mse")
        images, targets = noise(4, 8, 8, 2), noise(4, 4, 4, 4, 3, seed=1)
        return [float(model.train_on_batch(images, targets)) for _ in range(3)]

    spectral = losses("spectral")
    assert spectral[2] < spectral[0]
    np.testing.assert_allclose(spectral, losses("expand"), rtol=1e-5)


@pytest.mark.skipif(
    keras.backend.backend() != "tensorflow", reason="XLA as TensorFlow calls it"
)
def test_xla_compiles_once_for_all_batches():
    """A step that takes its batch for a constant is compiled anew for each."""
    import tensorflow as tf

    layers = both((None, 5, 5, 4, 2), 3, 3)

    def step_of(layer):
        @tf.function(jit_compile=True)
        def step(maps):
            with tf.GradientTape() as tape:
                total = tf.reduce_sum(layer(maps) ** 2)
            return tape.gradient(total, layer.trainable_variables)

        return step

    expand, spectral = map(step_of, layers)
    inputs = tf.constant(noise(2, 5, 5, 4, 2, dtype="float64"))
    for a, b in zip(expand(inputs), spectral(inputs), strict=True):
        np.testing.assert_allclose(a, b, atol=1e-12 * np.abs(a).max())
    signature = spectral.experimental_get_compiler_ir(inputs)(stage="hlo")
    assert "f64[2,5,5,4,2]" in signature.split("->")[0]


def takes(group, channels, kernel_size=3, **arguments):
    layer = GroupConv2D(channels, kernel_size, group, **arguments)
    layer.build((None, 9, 9, get_group(group).order, channels))
    return layer._takes_spectral()


@pytest.fixture
def no_accelerator(monkeypatch):
    """What the machine of the test has, has no part in the rule's tests."""
    monkeypatch.setattr(keras.distribution, "list_devices", lambda: ["cpu:0"])


# Group, channels an orientation, window, stride; where the spectrum was faster.
BOTH, NONE = ("tensorflow", "jax"), ()
MEASURED = [
    ("C4", 64, 3, 1, ("tensorflow",)),
    ("C4", 128, 3, 1, BOTH),
    ("D4", 32, 3, 1, ("tensorflow",)),
    ("D4", 64, 3, 1, BOTH),
    ("D2", 64, 3, 1, ("tensorflow",)),
    ("C2", 128, 3, 1, ("tensorflow",)),
    ("C4", 32, 1, 1, ("jax",)),
    ("C4", 64, 1, 1, BOTH),
    ("C4", 64, 1, 2, BOTH),
    ("C4", 64, 3, 2, NONE),
    ("D4", 16, 5, 1, NONE),
    # The width of p4cnn.
    *((group, 10, 3, 1, NONE) for group in GROUP_NAMES if group != "C1"),
]


@pytest.mark.parametrize("group, channels, kernel_size, strides, faster_on", MEASURED)
def test_auto_takes_what_was_measured_to_be_faster(
    group, channels, kernel_size, strides, faster_on, no_accelerator
):
    def takes_spectral(**arguments):
        arguments = {"strides": strides, **arguments}
        return takes(group, channels, kernel_size, **arguments)

    assert takes_spectral() == (keras.backend.backend() in faster_on)
    assert takes_spectral(implementation="spectral")
    assert not takes_spectral(implementation="expand")


def test_auto_expands_on_an_accelerator(monkeypatch):
    """An H100 ran the ordinary convolution faster at every width."""
    monkeypatch.setattr(keras.distribution, "list_devices", lambda: ["gpu:0"])
    assert not takes("C4", 256)
    assert takes("C4", 256, implementation="spectral")


@pytest.mark.parametrize("channels", [4, 64])
def test_a_dense_head_of_one_pixel(channels, no_accelerator, monkeypatch):
    """Turned inputs where it is narrow, the spectrum where it is wide: equal."""
    inputs = noise(3, 1, 1, 4, channels, dtype="float64")
    expand, _ = both(inputs.shape, channels, 1)
    auto = GroupConv2D(channels, 1, dtype="float64")
    auto.build(inputs.shape)
    auto.set_weights(expand.get_weights())
    is_wide = channels == 64 and keras.backend.backend() in ("tensorflow", "jax")
    other_way = "_correlate_turned_inputs" if is_wide else "_correlate_spectra"
    monkeypatch.setattr(auto, other_way, None)
    assert_equal([expand, auto], inputs, 1e-12)
