"""The layers beside the convolution, and a net of all of them."""

import keras
import numpy as np
import pytest
from equivariance import TOLERANCES, act, equivariance_error, noise

from zoo.layers import (
    GroupAveragePooling2D,
    GroupConv2D,
    GroupDropout,
    GroupGlobalAveragePooling2D,
    GroupMaxPooling2D,
    GroupPooling,
    GroupUpSampling2D,
)
from zoo.layers.group.groups import GROUP_NAMES, get_group

GROUPS = ("C1", "C2", "C4", "D1", "D2", "D4")
LAYERS = {
    "max": lambda group: GroupMaxPooling2D(2, group=group),
    "max same": lambda group: GroupMaxPooling2D(3, group, strides=1, padding="same"),
    "average": lambda group: GroupAveragePooling2D(2, group=group),
    "average same": lambda group: GroupAveragePooling2D(
        3, group, strides=1, padding="same"
    ),
    "group max": lambda group: GroupPooling(group),
    "group mean": lambda group: GroupPooling(group, mode="mean"),
    "global": lambda group: GroupGlobalAveragePooling2D(group),
    "nearest": lambda group: GroupUpSampling2D(2, group=group),
    "bilinear": lambda group: GroupUpSampling2D(3, group, interpolation="bilinear"),
}


def numpy(values):
    return keras.ops.convert_to_numpy(values)


@pytest.mark.parametrize("dtype", TOLERANCES)
@pytest.mark.parametrize("group", GROUPS)
@pytest.mark.parametrize("name", LAYERS)
def test_equivariant(name, group, dtype):
    maps = noise(2, 6, 6, get_group(group).order, 3, dtype=dtype)
    layer = LAYERS[name](group)
    layer = type(layer).from_config({**layer.get_config(), "dtype": dtype})
    assert equivariance_error(group, layer, maps) < TOLERANCES[dtype]


@pytest.mark.parametrize("name", LAYERS)
def test_shapes_open_and_known(name):
    layer = LAYERS[name]("D4")
    maps = noise(2, 6, 6, 8, 3)
    assert tuple(layer(maps).shape) == layer.compute_output_shape(maps.shape)
    # A pool of 2 with stride 2 is not exact at every size.
    if name not in ("max", "average"):
        channels_last = keras.Input((None, None, 8, 3))
        model = keras.Model(channels_last, LAYERS[name]("D4")(channels_last))
        assert model.output_shape[-1] == 3
        assert tuple(model(maps).shape) == layer.compute_output_shape(maps.shape)


@pytest.mark.parametrize("name", LAYERS)
def test_round_trip(name):
    layer = LAYERS[name]("D4")
    config = keras.saving.serialize_keras_object(layer)
    restored = keras.saving.deserialize_keras_object(config)
    assert restored.get_config() == layer.get_config()
    assert config["registered_name"] == f"convzoo>{type(layer).__name__}"


@pytest.mark.parametrize("name", LAYERS)
def test_mixed_precision_stays_in_half(name):
    layer = LAYERS[name]("C4")
    layer = type(layer).from_config({**layer.get_config(), "dtype": "mixed_bfloat16"})
    outputs = layer(noise(2, 6, 6, 4, 3))
    assert keras.backend.standardize_dtype(outputs.dtype) == "bfloat16"


@pytest.mark.parametrize("name", [name for name in LAYERS if name != "nearest"])
def test_wrong_rank_and_wrong_group(name):
    layer = LAYERS[name]("C4")
    with pytest.raises(ValueError, match=r"expects .*Received: shape=\(2, 6, 6\)"):
        layer.compute_output_shape((2, 6, 6))
    with pytest.raises(ValueError, match="expects 4 orientations"):
        layer.compute_output_shape((2, 6, 6, 8, 3))


@pytest.mark.parametrize(
    "layer, planar",
    [
        (GroupMaxPooling2D, keras.layers.MaxPooling2D),
        (GroupAveragePooling2D, keras.layers.AveragePooling2D),
    ],
)
@pytest.mark.parametrize(
    "size, arguments",
    [
        (6, {"pool_size": 2}),
        (7, {"pool_size": 3, "strides": 2}),
        (7, {"pool_size": 3, "strides": 2, "padding": "same"}),
        (6, {"pool_size": 5, "strides": 1, "padding": "same"}),
    ],
)
def test_pooling_is_that_of_keras_in_each_orientation(layer, planar, size, arguments):
    maps = noise(2, size, size, 4, 3)
    outputs = numpy(layer(group="C4", **arguments)(maps))
    stock = planar(data_format="channels_last", **arguments)
    for orientation in range(4):
        expected = numpy(stock(maps[..., orientation, :]))
        np.testing.assert_allclose(outputs[..., orientation, :], expected, atol=1e-6)
        own = numpy(layer(group="C4", **arguments)(maps[..., orientation, :]))
        np.testing.assert_allclose(own, expected, atol=1e-6)


def test_pooling_pads_symmetrically_where_tensorflow_does_not():
    layer = GroupMaxPooling2D(3, strides=2, padding="same", strict=False)
    maps = noise(2, 8, 8, 4, 3)
    padded = np.pad(
        maps,
        ((0, 0), (1, 1), (1, 1), (0, 0), (0, 0)),
        constant_values=-np.inf,
    )
    windows = np.lib.stride_tricks.sliding_window_view(padded, (3, 3), axis=(1, 2))
    expected = windows[:, ::2, ::2].max(axis=(-1, -2))
    np.testing.assert_array_equal(numpy(layer(maps)), expected)


@pytest.mark.parametrize("layer", [GroupMaxPooling2D, GroupAveragePooling2D])
def test_pooling_refuses_what_is_not_exact(layer):
    with pytest.raises(ValueError, match="mod 2 = 1. Use height 6 or 8"):
        layer(2).build((None, 7, 7, 4, 3))
    with pytest.raises(ValueError, match="is unknown"):
        layer(2).build((None, None, None, 4, 3))
    with pytest.raises(ValueError, match="`pool_size` must be equal on both"):
        layer((2, 3))
    with pytest.raises(ValueError, match="must be odd"):
        layer(2, padding="same")
    layer(2, strict=False).build((None, None, 7, 4, 3))
    layer(2, group="C1").build((None, None, 7, 1, 3))


def test_group_pooling_values():
    maps = noise(2, 5, 5, 8, 3)
    np.testing.assert_array_equal(numpy(GroupPooling("D4")(maps)), maps.max(axis=3))
    means = numpy(GroupPooling("D4", mode="mean")(maps))
    np.testing.assert_allclose(means, maps.mean(axis=3), atol=1e-6)


@pytest.mark.parametrize("mode", ["max", "mean"])
@pytest.mark.parametrize("group", GROUP_NAMES)
def test_coset_pooling_is_equivariant(group, mode):
    """Under g, coset j takes the value of the coset that g moves there."""
    algebra = get_group(group)
    maps = noise(2, 5, 5, algebra.order, 3)
    for subgroup in algebra.subgroup_names:
        layer = GroupPooling(group, mode=mode, subgroup=subgroup)
        before = numpy(layer(maps))
        assert before.shape[3] == algebra.order // get_group(subgroup).order
        for element in range(algebra.order):
            moved = np.ascontiguousarray(act(algebra, element, maps))
            expected = algebra.act_on_grid(element, before, axes=(1, 2))
            permutation = algebra.coset_permutation(element, subgroup)
            expected = expected[:, :, :, permutation]
            np.testing.assert_allclose(numpy(layer(moved)), expected, atol=1e-6)


def test_coset_pooling_over_everything_and_nothing():
    maps = noise(2, 5, 5, 8, 3)
    everything = numpy(GroupPooling("D4", subgroup="D4")(maps))
    np.testing.assert_array_equal(everything[:, :, :, 0], maps.max(axis=3))
    nothing = numpy(GroupPooling("D4", subgroup="C1")(maps))
    np.testing.assert_array_equal(nothing, maps)


def test_a_map_pooled_over_flips_is_a_map_of_the_turns():
    image = keras.Input((9, 9, 1))
    x = GroupConv2D(4, 3, group="D4")(image)
    x = GroupPooling("D4", subgroup="D1")(x)
    x = GroupConv2D(4, 3, group="C4")(x)
    model = keras.Model(image, x)
    assert equivariance_error("C4", model, noise(2, 9, 9, 1)) < 1e-5


def test_a_map_pooled_otherwise_is_not():
    image = keras.Input((9, 9, 1))
    x = GroupPooling("D4", subgroup="D1")(GroupConv2D(4, 3, group="D4")(image))
    with pytest.raises(ValueError, match="group D4 pooled over D1"):
        GroupConv2D(4, 3, group="D2")(x)


def test_group_pooling_refuses():
    with pytest.raises(ValueError, match="`mode` must be one of"):
        GroupPooling("C4", mode="min")
    with pytest.raises(ValueError, match="'D1' is not a subgroup of C4"):
        GroupPooling("C4", subgroup="D1")


def test_global_average_values():
    maps = noise(2, 5, 5, 4, 3)
    expected = maps.mean(axis=(1, 2, 3))
    means = numpy(GroupGlobalAveragePooling2D()(maps))
    np.testing.assert_allclose(means, expected, atol=1e-6)
    kept = GroupGlobalAveragePooling2D(keepdims=True)(maps)
    assert tuple(kept.shape) == (2, 1, 1, 1, 3)


def test_upsampling_values():
    maps = noise(2, 3, 4, 4, 2)
    outputs = numpy(GroupUpSampling2D((2, 3), group="D2")(maps))
    np.testing.assert_array_equal(outputs, maps.repeat(2, axis=1).repeat(3, axis=2))
    with pytest.raises(ValueError, match="`size` must be equal on both"):
        GroupUpSampling2D((2, 3), group="C4")
    with pytest.raises(ValueError, match="`interpolation` must be one of"):
        GroupUpSampling2D(2, interpolation="cubic")


@pytest.mark.parametrize("factor", [2, 3, 4])
def test_bilinear_is_that_of_keras(factor):
    images = noise(2, 5, 4, 3)
    ours = numpy(GroupUpSampling2D(factor, "C4", interpolation="bilinear")(images))
    stock = keras.layers.UpSampling2D(
        factor, data_format="channels_last", interpolation="bilinear"
    )
    np.testing.assert_allclose(ours, numpy(stock(images)), atol=1e-5)


def test_dropout_shares_its_mask_over_the_group():
    ones = np.ones((2, 5, 5, 8, 6), "float32")
    dropped = numpy(GroupDropout(0.5, seed=1)(ones, training=True))
    assert 0.3 < (dropped == 0).mean() < 0.7
    assert np.array_equal(dropped, np.broadcast_to(dropped[:, :, :, :1], ones.shape))
    assert len(np.unique(dropped[0, :, :, 0, 0])) == 2  # differs between positions
    np.testing.assert_allclose(dropped[dropped > 0], 2.0)
    np.testing.assert_array_equal(numpy(GroupDropout(0.5)(ones)), ones)


def test_plain_dropout_does_not_share_it():
    """The control."""
    ones = np.ones((2, 5, 5, 8, 6), "float32")
    dropped = numpy(keras.layers.Dropout(0.5, seed=1)(ones, training=True))
    assert not np.array_equal(
        dropped, np.broadcast_to(dropped[:, :, :, :1], ones.shape)
    )


def test_dropout_round_trip_and_refusals():
    layer = GroupDropout(0.25, seed=3, name="d")
    config = keras.saving.serialize_keras_object(layer)
    restored = keras.saving.deserialize_keras_object(config)
    assert restored.get_config() == layer.get_config()
    assert restored.noise_shape == (None, None, None, 1, None)
    with pytest.raises(ValueError):
        GroupDropout(1.5)
    with pytest.raises(ValueError, match="expected ndim=5, found ndim=4"):
        layer(np.ones((2, 5, 5, 6)))


@pytest.mark.parametrize("training", [False, True])
@pytest.mark.parametrize("dtype", TOLERANCES)
@pytest.mark.parametrize("group", GROUPS)
def test_a_net_of_several_layers(group, dtype, training):
    """Batch statistics run over positions and orientations: no turn changes them."""
    keras.config.set_dtype_policy(dtype)
    try:
        image = keras.Input((14, 14, 2), dtype=dtype)
        x = image
        for filters in (4, 8):
            x = GroupConv2D(filters, 3, group=group)(x)
            x = keras.layers.BatchNormalization()(x)
            x = keras.layers.Activation("relu")(x)
        x = GroupMaxPooling2D(2, group=group)(x)
        x = GroupConv2D(16, 3, group=group, strides=2, padding="same")(x)
        x = GroupUpSampling2D(2, group=group)(x)
        x = keras.layers.LayerNormalization()(x)
        # On torch Keras's Dense multiplies in float32 under float64 too, and a matrix's
        # rows need not be summed alike: there the same map is said in a layer of ours.
        if (keras.backend.backend(), dtype) == ("torch", "float64"):
            x = GroupConv2D(5, 1, group=group)(x)
        else:
            x = keras.layers.Dense(5)(x)
        x = GroupPooling(group)(x)
        model = keras.Model(image, x)
    finally:
        keras.config.set_dtype_policy("float32")
    error = equivariance_error(
        group,
        lambda images: model(images, training=training),
        noise(4, 14, 14, 2, dtype=dtype),
    )
    # On JAX and torch Keras takes batch statistics in float32, in float64 too.
    if training and keras.backend.backend() != "tensorflow":
        dtype = "float32"
    assert error < TOLERANCES[dtype]


def test_without_group_layers_the_same_net_fails():
    """The control."""
    image = keras.Input((14, 14, 2))
    x = keras.layers.Conv2D(12, 3, data_format="channels_last")(image)
    x = keras.layers.BatchNormalization()(x)
    x = keras.layers.Conv2D(5, 3, data_format="channels_last")(x)
    model = keras.Model(image, x)
    assert equivariance_error("C4", model, noise(4, 14, 14, 2)) > 0.05
