"""GroupConv2D: equivariance, values against SciPy, gradients, arguments, errors."""

import itertools

import keras
import numpy as np
import pytest
from equivariance import TOLERANCES, act, equivariance_error, noise
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.signal import correlate2d

from zoo.layers import GroupConv2D
from zoo.layers.group.groups import GROUP_NAMES, get_group


def reference(layer, inputs):
    """The definition, one SciPy correlation for each pair of orientations."""
    group = get_group(layer.group)
    kernel = keras.ops.convert_to_numpy(layer.kernel)
    if inputs.ndim == 4:
        inputs = inputs[:, :, :, None]
    outputs = []
    for s in range(group.order):
        turned = group.act_on_grid(s, kernel)
        if kernel.shape[2] > 1:
            turned = group.act_on_orientations(s, turned, axis=2)
        filters = []
        for f in range(layer.filters):
            images = []
            for image in inputs:
                total = 0
                for i, c in itertools.product(*map(range, kernel.shape[2:4])):
                    total = total + correlate2d(
                        image[:, :, i, c], turned[:, :, i, c, f], mode="valid"
                    )
                images.append(total)
            filters.append(np.stack(images))
        outputs.append(np.stack(filters, axis=-1))
    outputs = np.stack(outputs, axis=3)
    return outputs + keras.ops.convert_to_numpy(layer.bias)


@pytest.mark.parametrize("strides", [1, 2, 3])
@pytest.mark.parametrize("kernel_size", range(1, 8))
@pytest.mark.parametrize("group", GROUP_NAMES)
@pytest.mark.parametrize("dtype", TOLERANCES)
def test_equivariant(group, kernel_size, strides, dtype):
    size = kernel_size + 2 * strides
    layer = GroupConv2D(3, kernel_size, group=group, strides=strides, dtype=dtype)
    images = noise(2, size, size, 2, dtype=dtype)
    assert equivariance_error(group, layer, images) < TOLERANCES[dtype]
    layer = GroupConv2D(3, kernel_size, group=group, strides=strides, dtype=dtype)
    maps = noise(2, size, size, get_group(group).order, 2, dtype=dtype)
    assert equivariance_error(group, layer, maps) < TOLERANCES[dtype]


@pytest.mark.parametrize("strides, size", [(1, 6), (2, 7), (3, 7)])
@pytest.mark.parametrize("kernel_size", [1, 3, 5])
@pytest.mark.parametrize("group", ["C2", "C4", "D1", "D4"])
def test_equivariant_with_same_padding(group, kernel_size, strides, size):
    layer = GroupConv2D(
        3, kernel_size, group=group, strides=strides, padding="same", dtype="float64"
    )
    images = noise(2, size, size, 2, dtype="float64")
    assert equivariance_error(group, layer, images) < 1e-12
    assert layer(images).shape[1] == -(-size // strides)


def test_not_equivariant_where_strict_would_refuse():
    """The control: without the condition the error is large."""
    layer = GroupConv2D(3, 3, strides=2, strict=False, dtype="float64")
    images = noise(2, 8, 8, 2, dtype="float64")
    assert equivariance_error("C4", layer, images) > 0.05


@pytest.mark.parametrize("group", ["C4", "D1"])
def test_plain_convolution_is_not_equivariant(group):
    """The control of the whole file."""
    layer = keras.layers.Conv2D(3, 3, data_format="channels_last")
    assert equivariance_error(group, layer, noise(2, 9, 9, 2)) > 0.05


@pytest.mark.parametrize("height, width", [(9, 6), (5, 8)])
def test_equivariant_on_images_that_are_not_square(height, width):
    layer = GroupConv2D(3, 3, group="D4", dtype="float64")
    images = noise(2, height, width, 2, dtype="float64")
    assert equivariance_error("D4", layer, images) < 1e-12


@pytest.mark.parametrize("group", ["C2", "D1", "D2"])
def test_rectangular_kernels_without_quarter_turns(group):
    layer = GroupConv2D(
        3, (3, 2), group=group, strides=(1, 2), dilation_rate=(2, 1), dtype="float64"
    )
    images = noise(2, 7, 8, 2, dtype="float64")
    assert equivariance_error(group, layer, images) < 1e-12


def test_turned_filters_stand_in_the_documented_order():
    layer = GroupConv2D(3, 3)
    images = noise(2, 8, 8, 2)
    before, after = (
        keras.ops.convert_to_numpy(layer(np.ascontiguousarray(x)))
        for x in (images, np.rot90(images, axes=(1, 2)))
    )
    for r in range(4):
        turned = np.rot90(before[..., r - 1, :], axes=(1, 2))
        np.testing.assert_allclose(after[..., r, :], turned, atol=1e-5)


@pytest.mark.parametrize("kernel_size", [1, 2, 3])
@pytest.mark.parametrize("group", GROUP_NAMES)
def test_values_against_scipy(group, kernel_size):
    layer = GroupConv2D(
        2, kernel_size, group=group, bias_initializer="normal", dtype="float64"
    )
    for inputs in (
        noise(2, 5, 6, 3, dtype="float64"),
        noise(2, 5, 6, get_group(group).order, 3, dtype="float64"),
    ):
        layer = GroupConv2D(
            2, kernel_size, group=group, bias_initializer="normal", dtype="float64"
        )
        outputs = keras.ops.convert_to_numpy(layer(inputs))
        np.testing.assert_allclose(outputs, reference(layer, inputs), atol=1e-12)


@pytest.mark.parametrize("dilation_rate", [2, 3])
def test_dilation_against_a_kernel_with_holes(dilation_rate):
    images = noise(2, 10, 10, 2, dtype="float64")
    dilated = GroupConv2D(3, 3, dilation_rate=dilation_rate, dtype="float64")
    outputs = keras.ops.convert_to_numpy(dilated(images))
    extent = 2 * dilation_rate + 1
    dense = GroupConv2D(3, extent, dtype="float64")
    dense.build(images.shape)
    kernel = np.zeros(dense.kernel.shape)
    stored = keras.ops.convert_to_numpy(dilated.kernel)
    kernel[::dilation_rate, ::dilation_rate] = stored
    dense.kernel.assign(kernel)
    expected = keras.ops.convert_to_numpy(dense(images))
    np.testing.assert_allclose(outputs, expected, atol=1e-12)


@pytest.mark.parametrize("strides, dilation_rate", [(1, 1), (2, 1), (1, 2)])
@pytest.mark.parametrize("padding", ["valid", "same"])
def test_gradients_against_finite_differences(padding, strides, dilation_rate):
    """A step of SGD with learning rate 1 moves each weight by minus its gradient."""
    size = 7
    model = keras.Sequential(
        [
            keras.Input((size, size, 2), dtype="float64"),
            GroupConv2D(2, 3, group="D4", dtype="float64"),
            GroupConv2D(
                3,
                3,
                group="D4",
                strides=strides,
                dilation_rate=dilation_rate,
                padding=padding,
                activation="softplus",
                dtype="float64",
            ),
        ]
    )
    images = noise(2, size, size, 2, dtype="float64")
    targets = noise(2, *model.output_shape[1:], dtype="float64", seed=1)
    # A loss computes in float32 unless told otherwise.
    model.compile(
        keras.optimizers.SGD(1.0), keras.losses.MeanSquaredError(dtype="float64")
    )

    def loss():
        outputs = keras.ops.convert_to_numpy(model(images))
        return np.mean((outputs - targets) ** 2)

    before = model.get_weights()
    expected = []
    for index, weight in enumerate(before):
        place = tuple(size // 2 for size in weight.shape)
        losses = []
        for step in (1e-5, -1e-5):
            moved = [value.copy() for value in before]
            moved[index][place] += step
            model.set_weights(moved)
            losses.append(loss())
        expected.append((losses[0] - losses[1]) / 2e-5)
    model.set_weights(before)
    model.train_on_batch(images, targets)
    for weight, after, gradient in zip(
        before, model.get_weights(), expected, strict=True
    ):
        place = tuple(size // 2 for size in weight.shape)
        assert gradient != 0
        np.testing.assert_allclose((weight - after)[place], gradient, rtol=1e-6)


def test_weights_and_fan_in():
    layer = GroupConv2D(5, 3, group="D4", kernel_initializer="he_normal")
    layer.build((None, 8, 8, 8, 40))
    assert tuple(layer.kernel.shape) == (3, 3, 8, 40, 5)
    assert tuple(layer.bias.shape) == (5,)
    spread = keras.ops.convert_to_numpy(layer.kernel).std()
    np.testing.assert_allclose(spread, np.sqrt(2 / (3 * 3 * 8 * 40)), rtol=0.03)


def test_regularizers_constraints_and_no_bias():
    layer = GroupConv2D(
        4,
        3,
        use_bias=False,
        kernel_regularizer=keras.regularizers.L2(0.5),
        activity_regularizer=keras.regularizers.L1(0.1),
        kernel_constraint=keras.constraints.NonNeg(),
    )
    outputs = keras.ops.convert_to_numpy(layer(noise(2, 6, 6, 2)))
    assert layer.bias is None
    kernel = keras.ops.convert_to_numpy(layer.kernel)
    penalties = [keras.ops.convert_to_numpy(value) for value in layer.losses]
    expected = [0.5 * (kernel**2).sum(), 0.1 * np.abs(outputs).sum() / 2]  # batch of 2
    np.testing.assert_allclose(sorted(penalties), sorted(expected), rtol=1e-4)
    constrained = layer.kernel.constraint(layer.kernel)
    assert keras.ops.convert_to_numpy(constrained).min() >= 0


def test_activation():
    linear = GroupConv2D(4, 3)
    images = noise(2, 6, 6, 2)
    expected = np.maximum(keras.ops.convert_to_numpy(linear(images)), 0)
    rectified = GroupConv2D(4, 3, activation="relu")
    rectified.build(images.shape)
    rectified.set_weights(linear.get_weights())
    np.testing.assert_array_equal(
        keras.ops.convert_to_numpy(rectified(images)), expected
    )


def test_open_height_and_width():
    image = keras.Input((None, None, 2))
    x = GroupConv2D(4, 3, padding="same", activation="relu")(image)
    x = GroupConv2D(3, 3, dilation_rate=2)(x)
    model = keras.Model(image, x)
    assert model.output_shape == (None, None, None, 4, 3)
    for height, width in [(9, 9), (8, 11)]:
        assert model(noise(2, height, width, 2)).shape == (
            2,
            height - 4,
            width - 4,
            4,
            3,
        )
    assert equivariance_error("C4", model, noise(2, 9, 9, 2)) < 1e-5


@pytest.mark.parametrize("group", ["C1", "D1"])
def test_an_open_size_is_exact_where_the_group_leaves_it_alone(group):
    strides = 2 if group == "C1" else (2, 1)
    image = keras.Input((None, None, 2))
    model = keras.Model(image, GroupConv2D(4, 3, group=group, strides=strides)(image))
    assert equivariance_error(group, model, noise(2, 8, 8, 2)) < 1e-5


def test_round_trip_of_every_argument():
    layer = GroupConv2D(
        5,
        (3, 3),
        group="D4",
        strides=2,
        padding="same",
        activation="tanh",
        use_bias=False,
        implementation="expand",
        strict=False,
        kernel_initializer="he_normal",
        bias_initializer="ones",
        kernel_regularizer=keras.regularizers.L2(0.25),
        bias_regularizer=keras.regularizers.L1(0.25),
        activity_regularizer=keras.regularizers.L2(0.125),
        kernel_constraint=keras.constraints.MaxNorm(3),
        bias_constraint=keras.constraints.NonNeg(),
        name="a_name",
        dtype="float64",
    )
    config = keras.saving.serialize_keras_object(layer)
    restored = keras.saving.deserialize_keras_object(config)
    assert isinstance(restored, GroupConv2D)
    assert restored.get_config() == layer.get_config()
    assert config["registered_name"] == "convzoo>GroupConv2D"


def test_saved_and_loaded(tmp_path):
    image = keras.Input((9, 9, 2))
    x = GroupConv2D(4, 3, group="D2", activation="relu")(image)
    model = keras.Model(image, GroupConv2D(3, 3, group="D2")(x))
    model.save(tmp_path / "m.keras")
    restored = keras.saving.load_model(tmp_path / "m.keras")
    images = noise(2, 9, 9, 2)
    np.testing.assert_array_equal(
        keras.ops.convert_to_numpy(model(images)),
        keras.ops.convert_to_numpy(restored(images)),
    )


def test_mixed_precision():
    layer = GroupConv2D(4, 3, dtype="mixed_bfloat16")
    outputs = layer(noise(2, 6, 6, 2))
    assert keras.backend.standardize_dtype(outputs.dtype) == "bfloat16"
    assert keras.backend.standardize_dtype(layer.kernel.dtype) == "float32"


def test_one_step_of_training_lowers_the_loss():
    model = keras.Sequential([keras.Input((8, 8, 2)), GroupConv2D(3, 3)])
    model.compile(keras.optimizers.SGD(0.01), "mse")
    images, targets = noise(4, 8, 8, 2), noise(4, 6, 6, 4, 3, seed=1)
    losses = [float(model.train_on_batch(images, targets)) for _ in range(2)]
    assert losses[1] < losses[0]


@settings(max_examples=40, deadline=None)
@given(
    group=st.sampled_from(GROUP_NAMES),
    size=st.integers(1, 14),
    kernel_size=st.integers(1, 6),
    strides=st.integers(1, 4),
    dilation_rate=st.integers(1, 3),
    padding=st.sampled_from(["valid", "same"]),
)
def test_built_means_exact(group, size, kernel_size, strides, dilation_rate, padding):
    """What strict lets through is equivariant; what it refuses says why."""
    try:
        layer = GroupConv2D(
            2,
            kernel_size,
            group=group,
            strides=strides,
            dilation_rate=dilation_rate,
            padding=padding,
            dtype="float64",
        )
        layer.build((None, size, size, 1))
    except ValueError as error:
        assert "Received" in str(error) or "Expected" in str(error)
        return
    images = noise(1, size, size, 1, dtype="float64")
    values = keras.ops.convert_to_numpy(layer(images))
    assert values.shape == layer.compute_output_shape(images.shape)
    for element in range(get_group(group).order):
        moved = np.ascontiguousarray(act(get_group(group), element, images))
        after = keras.ops.convert_to_numpy(layer(moved))
        expected = act(get_group(group), element, values)
        np.testing.assert_allclose(after, expected, atol=1e-12)


@pytest.mark.parametrize(
    "arguments, message",
    [
        ({"group": "C3"}, "Expected one of C1, C2, C4, D1, D2, D4.*'C3'"),
        ({"filters": 0}, "`filters` must be a positive integer.*filters=0"),
        ({"filters": 2.5}, "`filters` must be a positive integer"),
        ({"kernel_size": 0}, "`kernel_size` must be a positive integer.*0"),
        ({"kernel_size": (3, 3, 3)}, "`kernel_size` must be a positive integer"),
        ({"kernel_size": "3"}, "`kernel_size` must be a positive integer"),
        ({"kernel_size": (3, 5)}, "`kernel_size` must be equal on both.*C2, D2"),
        ({"strides": (1, 2)}, "`strides` must be equal on both"),
        ({"dilation_rate": (1, 2)}, "`dilation_rate` must be equal on both"),
        ({"strides": 0}, "`strides` must be a positive integer"),
        ({"padding": "causal"}, "'valid' or 'same'.*'causal'"),
        ({"padding": "same", "kernel_size": 2}, "must be odd.*padding='valid'"),
        (
            {"padding": "same", "kernel_size": 2, "strict": False},
            "must be odd",
        ),
        ({"implementation": "fast"}, "`implementation` must be one of.*'fast'"),
    ],
)
def test_arguments_that_are_refused(arguments, message):
    with pytest.raises(ValueError, match=message):
        GroupConv2D(**{"filters": 4, "kernel_size": 3, **arguments})


@pytest.mark.parametrize(
    "arguments, shape, message",
    [
        ({}, (2, 8, 8), r"expects an image batch.*Received: shape=\(2, 8, 8\)"),
        ({}, (2, 8, 8, 3, 1), "expects 4 orientations"),
        ({"strides": 2}, (2, 8, 8, 1), r"mod 2 = 1. Use height 7 or 9.*strict=False"),
        ({"strides": 3}, (2, 4, 4, 1), r"mod 3 = 1. Use height 3 or 6"),
        ({"strides": 2}, (2, None, None, 1), r"height is unknown \(None\)"),
        ({"kernel_size": 5}, (2, 4, 4, 1), "smaller than the window. Expected at lea"),
        ({}, (2, 8, 8, None), "channels must be known"),
    ],
)
def test_inputs_that_are_refused(arguments, shape, message):
    layer = GroupConv2D(**{"filters": 4, "kernel_size": 3, **arguments})
    with pytest.raises(ValueError, match=message):
        layer.build(shape)


def test_a_size_that_comes_later_is_checked_too():
    layer = GroupConv2D(4, 3, strides=2)
    layer(noise(2, 7, 7, 1))
    with pytest.raises(ValueError, match="not exactly equivariant at height 8"):
        layer(noise(2, 8, 8, 1))
    with pytest.raises(ValueError, match="axis -1 of input shape to have value 1"):
        layer(noise(2, 7, 7, 3))


@pytest.mark.parametrize("made_for, taken_for", [("C4", "D2"), ("D2", "C4")])
def test_maps_of_another_group_are_refused(made_for, taken_for):
    """Both have four orientations: only the layer before can tell."""
    image = keras.Input((8, 8, 1))
    x = GroupConv2D(4, 3, group=made_for)(image)
    x = keras.layers.BatchNormalization()(x)
    x = keras.layers.Add()([x, x])
    with pytest.raises(ValueError, match=f"feature map of group {made_for}"):
        GroupConv2D(4, 3, group=taken_for)(x)


def test_mixed_groups_are_refused():
    image = keras.Input((8, 8, 1))
    maps = [GroupConv2D(4, 3, group=group)(image) for group in ("C4", "D2")]
    mixed = keras.layers.Concatenate()(maps)
    with pytest.raises(ValueError, match="mixes feature maps of different groups"):
        GroupConv2D(4, 3, group="C4")(mixed)


def test_empty_batch_and_whole_numbers():
    layer = GroupConv2D(3, 3)
    images = np.arange(2 * 6 * 6 * 1).reshape(2, 6, 6, 1).astype("uint8")
    expected = keras.ops.convert_to_numpy(layer(images.astype("float32")))
    outputs = keras.ops.convert_to_numpy(layer(images))
    np.testing.assert_allclose(outputs, expected, rtol=1e-6)
    empty = np.zeros((0, 6, 6, 1), "float32")
    assert tuple(layer(empty).shape) == (0, 4, 4, 4, 3)


def test_numpy_integers_are_integers():
    layer = GroupConv2D(np.int64(3), np.int32(3), strides=np.int64(2))
    config = layer.get_config()
    assert (config["filters"], config["kernel_size"], config["strides"]) == (
        3,
        (3, 3),
        (2, 2),
    )
    assert all(type(value) is int for value in layer.kernel_size)


@pytest.mark.parametrize("size", [1, 2, 3, 4])
@pytest.mark.parametrize("group", GROUP_NAMES)
def test_a_window_over_the_whole_input_is_the_same_either_way(group, size):
    """There "auto" turns the input instead of the filter."""
    for inputs in (
        noise(2, size, size, 3, dtype="float64"),
        noise(2, size, size, get_group(group).order, 3, dtype="float64"),
    ):
        auto, expand = (
            GroupConv2D(4, size, group, implementation=implementation, dtype="float64")
            for implementation in ("auto", "expand")
        )
        for layer in (auto, expand):
            layer.build(inputs.shape)
        expand.set_weights(auto.get_weights())
        np.testing.assert_allclose(
            keras.ops.convert_to_numpy(auto(inputs)),
            keras.ops.convert_to_numpy(expand(inputs)),
            atol=1e-12,
        )
    empty = np.zeros((0, *inputs.shape[1:]))
    assert tuple(auto(empty).shape) == (0, 1, 1, get_group(group).order, 4)
