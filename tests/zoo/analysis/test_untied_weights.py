"""Reports on untrained models do not call exact what training will break."""

import keras
import numpy as np
import pytest
from equivariance import equivariance_error

import zoo
from zoo.layers import (
    GroupConv2D,
    GroupGlobalAveragePooling2D,
    GroupPooling,
    UntiedBias,
)


def net(*layers, shape=(9, 9, 1)):
    image = x = keras.Input(shape)
    for layer in layers:
        x = layer(x)
    return keras.Model(image, x)


class Gate(keras.layers.Layer):
    """A factor for each position, closed at first; a layer that no rule knows."""

    def build(self, shape):
        self.gate = self.add_weight(name="gate", shape=shape[1:], initializer="zeros")

    def call(self, maps):
        return maps * (1 + self.gate)


BREAKING = {
    "LayerNormalization": lambda: keras.layers.LayerNormalization(axis=1),
    "all axes": lambda: keras.layers.LayerNormalization(axis=[1, 2, 3, 4]),
    "BatchNormalization": lambda: keras.layers.BatchNormalization(axis=1),
    "orientations": lambda: keras.layers.BatchNormalization(axis=3),
    "statistics": lambda: keras.layers.BatchNormalization(2, scale=False, center=False),
    "PReLU": keras.layers.PReLU,
    "PReLU of orientations": lambda: keras.layers.PReLU(shared_axes=[1, 2]),
    "a layer of one's own": Gate,
}


@pytest.mark.parametrize("kind", BREAKING)
def test_weights_that_span_positions_or_orientations_are_drawn(kind):
    layer = BREAKING[kind]()
    model = net(GroupConv2D(2, 3), layer, GroupConv2D(2, 3))
    weights = model.get_weights()
    report = zoo.equivariance_report(model)
    assert not report.exact and report.output_error > 1e-3
    assert set(report.drawn) == {weight.path for weight in layer.weights}
    rows = {row.layer: row.error for row in report.rows}
    first, after = (rows[model.layers[index].name] for index in (1, 2))
    assert first < 1e-5 and after > 1e-3
    assert all(path in str(report) for path in report.drawn)
    # The model is as it was: exact, until it is trained.
    for before, now in zip(weights, model.get_weights(), strict=True):
        np.testing.assert_array_equal(before, now)
    noise = np.random.default_rng(0).standard_normal((2, 9, 9, 1)).astype("float32")
    error = equivariance_error("C4", model, noise)
    # To subtract the mean of each column is not exact with any weights.
    assert (error < 2e-5) == (kind != "LayerNormalization")


def test_training_breaks_what_the_report_says_it_will():
    model = net(GroupConv2D(2, 3), keras.layers.PReLU(), GroupGlobalAveragePooling2D())
    noise = np.random.default_rng(0).standard_normal((8, 9, 9, 1)).astype("float32")
    assert equivariance_error("C4", model, noise) < 1e-5
    assert zoo.equivariance_report(model).output_error > 1e-3
    model.compile(keras.optimizers.SGD(1.0), "mse")
    model.fit(noise, np.ones((8, 2)), epochs=3, verbose=0)
    assert equivariance_error("C4", model, noise) > 1e-3


@pytest.mark.parametrize(
    "layer",
    [
        keras.layers.LayerNormalization(),
        keras.layers.BatchNormalization(),
        keras.layers.PReLU(shared_axes=[1, 2, 3]),
        keras.layers.EinsumDense("bhwgc,cd->bhwgd", (None, None, 4, 3), bias_axes="d"),
    ],
    ids=lambda layer: type(layer).__name__,
)
def test_weights_along_the_channels_are_not_drawn(layer):
    model = net(GroupConv2D(2, 3), layer, GroupGlobalAveragePooling2D())
    report = zoo.equivariance_report(model)
    assert report.exact and report.drawn == report.translation.drawn == ()


def test_a_kernel_of_ones_is_drawn_and_its_bias_is_not():
    """Ones look the same from all sides; so do positions that they are summed over."""
    ones = {"kernel_initializer": "ones"}
    model = net(keras.layers.Conv2D(2, 3, **ones))
    report = zoo.equivariance_report(model, "C4")
    assert report.drawn == (model.layers[1].kernel.path,) and not report.exact
    model = net(
        GroupConv2D(2, 3),
        GroupPooling(),
        keras.layers.Flatten(),
        keras.layers.Dense(2, **ones),
    )
    report = zoo.equivariance_report(model)
    assert report.drawn == (model.layers[-1].kernel.path,) and not report.exact


def test_what_is_broken_anyway_or_frozen_is_measured_as_it_is():
    model = net(keras.layers.Conv2D(2, 3), keras.layers.PReLU())
    assert zoo.equivariance_report(model, "C4").drawn == ()
    model = net(GroupConv2D(2, 3), keras.layers.PReLU(trainable=False))
    report = zoo.equivariance_report(model)
    assert report.exact and report.drawn == ()


def test_weights_of_a_subclassed_model_are_drawn():
    class Subclassed(keras.Model):
        def __init__(self):
            super().__init__()
            self.convolve = GroupConv2D(4, 3)
            self.rectify = keras.layers.PReLU()
            self.pool = GroupGlobalAveragePooling2D()

        def call(self, images):
            return self.pool(self.rectify(self.convolve(images)))

    model = Subclassed()
    model(np.ones((1, 9, 9, 1), "float32"))
    report = zoo.equivariance_report(model, input_shape=(9, 9, 1))
    assert report.drawn == (model.rectify.alpha.path,) and not report.exact


def test_weights_of_nested_and_shared_layers_are_drawn():
    shared = keras.layers.PReLU()
    image = keras.Input((9, 9, 1))
    x = shared(GroupConv2D(2, 3)(image))
    inner = keras.Model(image, shared(GroupConv2D(2, 3, padding="same")(x)))
    model = keras.Sequential([keras.Input((9, 9, 1)), inner])
    report = zoo.equivariance_report(model)
    assert report.drawn == (shared.alpha.path,) and not report.exact


def test_a_bias_of_each_position_and_a_mean_over_all_of_them():
    """Its row shows it, and the output is exact whatever it learns."""
    model = net(GroupConv2D(2, 3), UntiedBias(), GroupGlobalAveragePooling2D())
    report = zoo.equivariance_report(model)
    assert report.drawn and report.exact
    assert report.rows[1].error > 1e-3


def test_an_output_that_is_the_same_for_all_images_says_nothing():
    """A softmax over the rows, and then the mean of it: always 1 / rows."""
    model = net(
        GroupConv2D(2, 3),
        keras.layers.Softmax(axis=1),
        GroupGlobalAveragePooling2D(),
        keras.layers.Dense(3),
    )
    report = zoo.equivariance_report(model)
    assert np.isnan(report.output_error) and not report.exact


def merged(*layers):
    """Layers on maps whose orientations were merged into the channels."""
    return net(
        GroupConv2D(2, 3),
        keras.layers.Reshape((7, 7, 8)),
        *layers,
        keras.layers.Reshape((7, 7, 4, 2)),
        GroupGlobalAveragePooling2D(),
    )


def zero_branch():
    image = keras.Input((9, 9, 1))
    x = GroupPooling()(GroupConv2D(4, 3)(image))
    branch = keras.layers.Conv2D(4, 3, padding="same", use_bias=False)(x)
    zero = keras.layers.BatchNormalization(gamma_initializer="zeros", name="zero")
    x = keras.layers.Add()([x, zero(branch)])
    return keras.Model(image, keras.layers.GlobalAveragePooling2D()(x))


@pytest.mark.parametrize(
    "model",
    [
        merged(keras.layers.BatchNormalization()),
        merged(keras.layers.PReLU(shared_axes=[1, 2])),
        net(
            GroupConv2D(2, 3),
            GroupPooling(),
            keras.layers.Permute((3, 1, 2)),
            keras.layers.BatchNormalization(),
            keras.layers.Permute((2, 3, 1)),
        ),
        zero_branch(),
    ],
    ids=["merged", "merged PReLU", "permuted", "zero branch"],
)
def test_what_shows_at_the_output_only(model):
    report = zoo.equivariance_report(model)
    assert not report.exact and report.output_error > 1e-3 and report.drawn
    assert zoo.admissible_sizes(model, 9, 9) == []


def test_a_report_leaves_statistics_seeds_and_policies_as_they_are():
    image = keras.Input((9, 9, 1))
    policies = keras.dtype_policies.DTypePolicyMap()
    policies["group"] = keras.DTypePolicy("mixed_float16")
    x = GroupConv2D(2, 3, name="group", dtype=policies)(image)
    x = keras.layers.Dropout(0.5, seed=0)(x, training=True)
    model = keras.Model(image, keras.layers.BatchNormalization()(x, training=True))
    before = [np.array(variable) for variable in model.variables]
    zoo.equivariance_report(model)
    for variable, value in zip(model.variables, before, strict=True):
        np.testing.assert_array_equal(variable, value)
    assert model.get_layer("group").compute_dtype == "float16"
    assert policies["group"].name == "mixed_float16"


def test_a_model_that_does_more_than_its_graph_says():
    class Flipping(keras.Model):
        def call(self, images):
            maps = super().call(images)
            return maps[:, ::-1] + 2 * maps

    image = keras.Input((9, 9, 1))
    model = Flipping(image, GroupPooling()(GroupConv2D(2, 3)(image)))
    assert not zoo.equivariance_report(model, "C4").exact


def test_orientations_pooled_by_other_layers():
    highest = keras.layers.Lambda(lambda x: keras.ops.max(x, axis=3, keepdims=True))
    model = net(GroupConv2D(2, 3), highest, keras.layers.GlobalAveragePooling3D())
    assert zoo.equivariance_report(model).exact
    assert zoo.admissible_sizes(model, 8, 9) == [8, 9]
