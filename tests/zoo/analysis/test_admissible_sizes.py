"""admissible_sizes: what it calls exact is exact, for any weights."""

import functools
import random

import keras
import numpy as np
import pytest
from equivariance import act, equivariance_error
from hypothesis import HealthCheck, Phase, assume, given, settings
from hypothesis import strategies as st

import zoo
from zoo.layers import (
    GroupConv2D,
    GroupGlobalAveragePooling2D,
    GroupPooling,
    TableConv2D,
    UntiedBias,
)
from zoo.layers.group.groups import get_group


def net(*layers, shape=(9, 9, 1)):
    image = x = keras.Input(shape)
    for layer in layers:
        x = layer(x)
    return keras.Model(image, x)


def error_with_drawn_weights(model, group, seed=0):
    """In float64, with random numbers in the place of every weight."""
    random = np.random.default_rng(seed)
    model.set_weights(
        [weight + np.abs(random.normal(size=weight.shape)) for weight in model.weights]
    )
    images = random.normal(size=(2, *model.input_shape[1:]))
    before = model(images).numpy()
    turned = model(np.ascontiguousarray(act(get_group(group), 1, images))).numpy()
    if act(get_group(group), 1, before).shape != turned.shape:
        return np.inf
    return equivariance_error(group, model, images)


@pytest.fixture
def in_float64():
    keras.config.set_dtype_policy("float64")
    yield
    keras.config.set_dtype_policy("float32")


@pytest.mark.parametrize(
    "layer",
    [
        keras.layers.LayerNormalization(axis=1),
        keras.layers.LayerNormalization(axis=[1, 2, 3, 4]),
        keras.layers.BatchNormalization(axis=1),
        keras.layers.BatchNormalization(axis=2),
        keras.layers.BatchNormalization(axis=3),
        keras.layers.Softmax(axis=1),
        keras.layers.PReLU(),
        keras.layers.PReLU(shared_axes=[1, 2]),
        keras.layers.PReLU(shared_axes=[1, 3]),
    ],
    ids=lambda layer: f"{layer.name}",
)
def test_layers_along_positions_or_orientations_are_exact_at_no_size(layer):
    model = net(
        GroupConv2D(4, 3, "C4"),
        layer,
        GroupGlobalAveragePooling2D(),
        keras.layers.Dense(2),
        shape=(28, 28, 1),
    )
    assert zoo.admissible_sizes(model, 27, 29) == []


@pytest.mark.parametrize(
    "layer",
    [
        keras.layers.LayerNormalization(),
        keras.layers.LayerNormalization(axis=4),
        keras.layers.LayerNormalization(axis=[1, 2, 3, 4], center=False, scale=False),
        keras.layers.BatchNormalization(axis=4),
        keras.layers.Softmax(axis=-1),
        keras.layers.PReLU(shared_axes=[1, 2, 3]),
        keras.layers.Rescaling([2.0, 3.0, 4.0, 5.0]),
        keras.layers.Activation(zoo.layers.scaled_tanh),
        # A bias of its own for each position, and then the mean over all of them.
        UntiedBias(),
    ],
    ids=lambda layer: f"{layer.name}",
)
def test_layers_that_treat_all_alike_are_exact_where_the_strides_fit(layer):
    model = net(
        GroupConv2D(4, 3, "C4", strides=2, strict=False),
        layer,
        GroupGlobalAveragePooling2D(),
        keras.layers.Dense(2),
    )
    assert zoo.admissible_sizes(model, 6, 10) == [7, 9]


def test_a_softmax_over_all_positions_is_measured_as_exact():
    model = net(GroupConv2D(2, 3), keras.layers.Softmax(axis=(1, 2, 3)))
    assert zoo.admissible_sizes(model, 5, 7) == [5, 6, 7]


class Mirrored(keras.layers.Conv2D):
    """A subclass may do anything: this one is exact."""

    def call(self, images):
        turned = (keras.ops.rot90(images, k, axes=(1, 2)) for k in range(4))
        outputs = (
            keras.ops.rot90(super(Mirrored, self).call(image), -k, axes=(1, 2))
            for k, image in enumerate(turned)
        )
        return sum(outputs)


class Flipped(keras.layers.ReLU):
    """And this one is not."""

    def call(self, images):
        return super().call(images)[:, ::-1] + 2 * images


@pytest.mark.parametrize(
    ("layer", "group", "expected"),
    [
        (Mirrored(2, 3), "C4", [5, 6, 7]),
        (Flipped(), "C4", []),
        (keras.layers.Activation(lambda x: x[:, ::-1] + 2 * x), "C4", []),
        (keras.layers.Dense(2, activation=lambda x: x[:, :1] + x), "C4", []),
        (keras.layers.MaxPooling2D((2, 1)), "C4", []),
        (keras.layers.MaxPooling2D((2, 1)), "C2", [6]),
        (keras.layers.Conv2D(2, 1, strides=(2, 1)), "C4", []),
        (keras.layers.Conv2DTranspose(2, 1, strides=2), "C4", []),
        (keras.layers.Conv2D(2, (3, 1)), "C4", []),
        (keras.layers.Rescaling(np.arange(1, 8.0).reshape(7, 1, 1)), "C4", []),
        (TableConv2D([[0], [0]], 3), "C4", []),
        (keras.layers.ZeroPadding2D(((0, 1), (0, 0))), "C4", []),
    ],
    ids=str,
)
def test_what_is_not_known_is_measured(layer, group, expected):
    model = net(layer, GroupConv2D(2, 1, group), shape=(7, 7, 1))
    assert zoo.admissible_sizes(model, 5, 7) == expected


def test_channels_first_is_not_taken_for_channels_last():
    layer = keras.layers.GlobalAveragePooling2D(data_format="channels_first")
    assert zoo.admissible_sizes(net(layer, shape=(7, 7, 7)), 7, 7) == []


def test_group_layers_of_a_smaller_group_are_measured():
    model = net(GroupConv2D(2, 3, "C1"), GroupGlobalAveragePooling2D("C1"))
    assert zoo.admissible_sizes(model, 8, 9) == []


def test_the_trained_weights_count_and_nothing_random_moves():
    slopes = keras.layers.PReLU()
    model = net(GroupConv2D(2, 3), slopes, GroupGlobalAveragePooling2D())
    alpha = np.random.default_rng(0).uniform(0, 1, slopes.alpha.shape)
    slopes.set_weights([alpha])
    model.trainable = False
    state = random.getstate()
    assert zoo.admissible_sizes(model, 8, 9) == []
    assert random.getstate() == state


def test_the_flip_of_d1_leaves_the_height_alone():
    model = net(keras.layers.Conv2D(2, (3, 1)), GroupConv2D(2, 1, "D1"))
    assert zoo.admissible_sizes(model, 8, 9) == [8, 9]


axes = st.one_of(
    st.integers(-4, 4), st.lists(st.integers(1, 4), min_size=1, max_size=4, unique=True)
)
pairs = st.tuples(st.integers(1, 3), st.integers(1, 3))
paddings = st.sampled_from(["valid", "same"])
around = st.tuples(*[st.tuples(st.integers(0, 1), st.integers(0, 1))] * 2)


def layer_of(kind, **arguments):
    """A layer that is made later: some arguments are refused."""
    return st.builds(functools.partial, st.just(kind), **arguments)


windows = {"strides": pairs, "padding": paddings}
LAYERS = st.one_of(
    layer_of(keras.layers.BatchNormalization, axis=st.integers(-4, 4)),
    layer_of(
        keras.layers.LayerNormalization,
        axis=axes,
        center=st.booleans(),
        scale=st.booleans(),
    ),
    layer_of(
        keras.layers.GroupNormalization,
        groups=st.sampled_from([1, -1]),
        axis=st.integers(-3, 4),
    ),
    layer_of(keras.layers.UnitNormalization, axis=axes),
    layer_of(keras.layers.Softmax, axis=axes),
    layer_of(
        keras.layers.PReLU,
        shared_axes=st.lists(st.integers(1, 4), max_size=4, unique=True),
    ),
    layer_of(keras.layers.MaxPooling2D, pool_size=pairs, **windows),
    layer_of(keras.layers.AveragePooling2D, pool_size=pairs, **windows),
    layer_of(keras.layers.Conv2D, filters=st.just(2), kernel_size=pairs, **windows),
    layer_of(
        keras.layers.Conv2DTranspose, filters=st.just(2), kernel_size=pairs, **windows
    ),
    layer_of(keras.layers.DepthwiseConv2D, kernel_size=pairs, **windows),
    layer_of(keras.layers.ZeroPadding2D, padding=around),
    layer_of(keras.layers.Cropping2D, cropping=around),
    layer_of(keras.layers.UpSampling2D, size=pairs),
    layer_of(keras.layers.Flatten),
    layer_of(keras.layers.Permute, dims=st.permutations([1, 2, 3, 4])),
    layer_of(keras.layers.Permute, dims=st.permutations([1, 2, 3])),
)


@pytest.mark.filterwarnings("ignore:You are using a softmax over axis")
@settings(
    max_examples=200,
    deadline=None,
    phases=[Phase.explicit, Phase.reuse, Phase.generate],  # to shrink takes minutes
    suppress_health_check=[
        HealthCheck.filter_too_much,
        HealthCheck.function_scoped_fixture,
        HealthCheck.too_slow,
    ],
)
@given(data=st.data())
def test_where_it_says_exact_a_measurement_agrees(in_float64, data):
    """One stock layer of any kind, axis, stride and padding among group layers."""
    group = data.draw(st.sampled_from(["C2", "C4", "D1", "D4"]))
    size = data.draw(st.integers(4, 7))
    convolution = GroupConv2D(
        2,
        data.draw(st.sampled_from([1, 3])),
        group,
        strides=data.draw(st.sampled_from([1, 2])),
        padding=data.draw(paddings),
        strict=False,
    )
    make = data.draw(LAYERS)
    try:
        layers = [convolution, make()]
    except (ValueError, TypeError):
        assume(False)
    if data.draw(st.booleans(), label="pool the group first"):
        layers.insert(1, GroupPooling(group))
    elif data.draw(st.booleans(), label="the stock layer first"):
        layers.reverse()
    if data.draw(st.booleans(), label="pool all positions"):
        layers.append(GroupGlobalAveragePooling2D(group))
    try:
        model = net(*layers, shape=(size, size, 1))
    except (ValueError, IndexError, TypeError):
        assume(False)
    assume(len(model.output_shape) in (2, 4, 5) and 0 not in model.output_shape)
    if zoo.admissible_sizes(model, size, size):
        # Normalizations of Keras round to float32 in float64 too.
        assert error_with_drawn_weights(model, group) < 1e-5
