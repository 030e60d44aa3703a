"""Models said in stock Keras layers equal what they were."""

import subprocess
import sys

import keras
import numpy as np
import pytest
from small_models import MODELS, build, draw_again, noise

import zoo
from zoo.layers import (
    GroupAveragePooling2D,
    GroupConv2D,
    GroupDropout,
    GroupGlobalAveragePooling2D,
    GroupMaxPooling2D,
    GroupPooling,
    GroupUpSampling2D,
    LocalResponseNormalization,
    MelSpectrogram,
    ScaleConv1D,
    ScaleLiftConv1D,
    TableConv2D,
    UntiedBias,
    WeightNormalizedConv1D,
)


def net(shape, *layers):
    inputs = x = keras.Input(shape, name="image")
    for layer in layers:
        x = layer(x)
    return keras.Model(inputs, x)


def set_weights(model):
    """Away from the initial ones, where a bias or a running mean would not show."""
    draw_again(model)
    rng = np.random.default_rng(1)
    for variable in model.weights:
        value = 0.3 * rng.standard_normal(variable.shape)
        if variable.path.endswith(("gamma", "moving_variance")):
            value = 1 + np.abs(value)
        if len(variable.shape) == 1:
            variable.assign(value)


def check(model, shape=None, bound=1e-5):
    plain = zoo.to_plain(model)
    ours = [layer for layer in plain.layers if "zoo" in type(layer).__module__]
    assert ours == []
    if not isinstance(model, keras.Sequential):
        assert plain.output_names == model.output_names
    shape = shape or model.input_shape[1:]
    inputs = np.random.default_rng(2).standard_normal((3, *shape)).astype("float32")
    expected = model.predict(inputs, verbose=0).astype("float32")
    found = plain.predict(inputs, verbose=0)
    assert found.shape == expected.shape
    assert np.abs(found - expected).max() < bound * expected.std()
    return plain


@pytest.mark.parametrize("activation", [None, "default"])
@pytest.mark.parametrize("name", MODELS)
def test_every_model(name, activation):
    arguments = {} if activation == "default" else {"classifier_activation": None}
    model = build(name, **arguments)
    set_weights(model)
    plain = check(model)
    assert plain.input.name == model.input.name


def conv(filters, size, **arguments):
    return GroupConv2D(filters, size, **arguments)


NETS = {
    "same_with_stride": lambda: net(
        (9, 9, 2),
        conv(3, 3, strides=2, padding="same"),
        conv(4, 3, activation="softmax"),
    ),
    "same_with_stride_not_strict": lambda: net(
        (8, 8, 2),
        conv(3, 3, strides=2, padding="same", strict=False),
        conv(4, 3, strides=2, padding="same", strict=False, activation="relu"),
    ),
    "dilation_and_stride": lambda: net(
        (13, 13, 2),
        conv(3, 3, group="D4", dilation_rate=2, strides=2),
        conv(4, 3, group="D4", dilation_rate=2, padding="same", activation="relu"),
    ),
    "pooling": lambda: net(
        (9, 9, 2),
        conv(3, 3, padding="same"),
        GroupMaxPooling2D(3, strides=2, padding="same"),
        GroupAveragePooling2D(3, strides=1, padding="same"),
        GroupUpSampling2D(2),
        GroupUpSampling2D(2, interpolation="bilinear"),
        GroupDropout(0.5),
        GroupPooling(mode="mean"),
    ),
    "pooling_not_strict": lambda: net(
        (8, 8, 2),
        conv(3, 3, padding="same"),
        GroupMaxPooling2D(3, strides=2, padding="same", strict=False),
        GroupAveragePooling2D(3, strides=2, padding="same", strict=False),
        GroupGlobalAveragePooling2D(keepdims=True),
    ),
    "pooling_of_planes": lambda: net(
        (8, 8, 2),
        GroupMaxPooling2D(2),
        GroupAveragePooling2D(2),
        GroupUpSampling2D(2),
        conv(3, 3),
        GroupGlobalAveragePooling2D(),
    ),
    "subgroup": lambda: net(
        (8, 8, 2),
        conv(3, 3, group="D4"),
        GroupPooling("D4", subgroup="C2", mode="mean"),
    ),
    "filter_as_large_as_its_input": lambda: net(
        (6, 6, 2),
        conv(3, 3, group="D4"),
        conv(5, 4, group="D4", activation="tanh"),
        conv(5, 1, group="D4", use_bias=False, implementation="expand"),
        GroupPooling("D4"),
    ),
    "spectra": lambda: net(
        (8, 8, 2),
        conv(3, 3, group="D4"),
        conv(4, 3, group="D4", padding="same", implementation="spectral"),
        conv(3, 2, group="D4", strides=2, implementation="spectral"),
        conv(3, 3, group="D4", implementation="spectral"),
    ),
    "stock_layers_between": lambda: net(
        (6, 6, 2),
        conv(4, 3),
        keras.layers.BatchNormalization(),
        keras.layers.LayerNormalization(),
        keras.layers.LeakyReLU(),
        keras.layers.Dense(3),
        keras.layers.Activation("softmax"),
        keras.layers.Flatten(),
    ),
    "local_response_normalization": lambda: net(
        (6, 6, 8),
        LocalResponseNormalization(beta=0.5, divide_alpha_by_n=True, alpha=1.0),
        conv(4, 3),
        LocalResponseNormalization(alpha=1.0),
    ),
    "lecun1989": lambda: net(
        (8, 8, 2),
        TableConv2D([[0, 1], [1, 0], [1, 0]], 3, activation="tanh"),
        UntiedBias(),
    ),
    "mel_spectrogram": lambda: net(
        (2048, 2), MelSpectrogram(8000, 256, 128, 20, power=2.0)
    ),
    "amplitude_spectrogram": lambda: net(
        (2048, 1), MelSpectrogram(8000, 256, 128, 20, power=1.0)
    ),
    "scales": lambda: net(
        (64, 1), ScaleLiftConv1D(4, 5, scales=3), ScaleConv1D(3, 3, scales=2)
    ),
    "weight_normalization": lambda: net(
        (64, 2), WeightNormalizedConv1D(4, 3, dilation_rate=2)
    ),
    "groups_of_channels": lambda: net(
        (9, 9, 4),
        keras.layers.Conv2D(6, 3, groups=2, strides=2, activation="relu"),
        keras.layers.Conv2D(6, 2, groups=3, use_bias=False, padding="same"),
    ),
    "groups_of_channels_1d": lambda: net(
        (30, 4), keras.layers.Conv1D(8, 3, groups=4, dilation_rate=2)
    ),
    "sequential": lambda: keras.Sequential(
        [
            keras.Input((8, 8, 1), name="image"),
            conv(3, 3),
            GroupPooling(),
            keras.layers.Flatten(),
        ]
    ),
    "nested": lambda: net(
        (8, 8, 1),
        net((8, 8, 1), conv(3, 3), keras.layers.BatchNormalization()),
        GroupPooling(),
    ),
    "alexnet_on_d4": lambda: zoo.alexnet(
        group="D4", input_shape=(67, 67, 3), classes=5, classifier_activation=None
    ),
    "features_of_alexnet_on_c4": lambda: zoo.alexnet(
        group="C4", input_shape=(67, 67, 3), include_top=False
    ),
    "resnet_on_d4": lambda: zoo.resnet(group="D4", classifier_activation=None),
    "lenet5_on_c4": lambda: zoo.lenet5(group="C4"),
}


@pytest.mark.parametrize("name", NETS)
def test_nets_of_all_layers(name):
    model = NETS[name]()
    set_weights(model)
    check(model)


def test_any_size():
    model = net(
        (None, None, 2),
        conv(3, 3, padding="same"),
        keras.layers.BatchNormalization(),
        LocalResponseNormalization(),
        conv(4, 3, padding="same"),
        GroupPooling(),
    )
    set_weights(model)
    plain = check(model, (12, 10, 2))
    assert plain.input_shape == (None, None, None, 2)


def test_a_layer_that_is_used_twice_has_one_equivalent():
    image = keras.Input((8, 8, 1), name="image")
    shared = conv(3, 3, name="shared")
    left, right = shared(image), shared(keras.ops.flip(image, axis=1))
    model = keras.Model(image, keras.layers.Add()([left, right]))
    set_weights(model)
    plain = check(model)
    assert [layer.name for layer in plain.layers].count("shared") == 1


def test_skip_connections():
    image = keras.Input((8, 8, 1), name="image")
    x = conv(3, 3, padding="same")(image)
    y = conv(3, 3, padding="same", activation="relu")(x)
    joined = keras.layers.Concatenate()([keras.layers.Add()([x, y]), x])
    model = keras.Model(image, GroupPooling()(joined))
    set_weights(model)
    check(model)


def test_half_precision_becomes_whole():
    model = net((8, 8, 2), conv(3, 3, dtype="mixed_bfloat16"), GroupPooling())
    set_weights(model)
    plain = check(model, bound=3e-2)
    assert {layer.compute_dtype for layer in plain.layers} == {"float32"}


def test_regularizers_stay_behind():
    model = net((8, 8, 2), conv(3, 3, kernel_regularizer="l2"))
    assert model.losses and not zoo.to_plain(model).losses


def test_the_model_itself_is_left_alone():
    model = zoo.p4cnn()
    before = model.get_weights(), model.get_config()
    zoo.to_plain(model)
    for old, new in zip(before[0], model.get_weights(), strict=True):
        np.testing.assert_array_equal(old, new)
    assert model.get_config() == before[1]


def test_what_has_no_graph_is_refused():
    class Own(keras.Model):
        def call(self, inputs):
            return inputs

    with pytest.raises(ValueError, match="subclassed or not built"):
        zoo.to_plain(Own())
    with pytest.raises(ValueError, match="[Kk]eras"):
        zoo.to_plain("p4cnn")
    open_length = net((None, 1), ScaleLiftConv1D(4, 5, scales=3), ScaleConv1D(3, 3))
    with pytest.raises(ValueError, match="fixed length"):
        zoo.to_plain(open_length)


def test_it_loads_where_this_package_is_not(tmp_path):
    """The control: the model itself does not load there."""
    model = zoo.p4cnn(classifier_activation=None)
    draw_again(model)
    model.save(tmp_path / "model.keras")
    zoo.to_plain(model).save(tmp_path / "plain.keras")
    images = noise(model, 3)
    np.save(tmp_path / "images.npy", images)
    program = """
import sys
sys.modules["zoo"] = None  # any import of it fails
import keras, numpy
model = keras.saving.load_model("plain.keras")
numpy.save("outputs.npy", model.predict(numpy.load("images.npy"), verbose=0))
try:
    keras.saving.load_model("model.keras")
except Exception:
    print("needs the package")
"""
    done = subprocess.run(
        [sys.executable, "-I", "-c", program],
        cwd=tmp_path,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    assert "needs the package" in done.stdout
    expected = model.predict(images, verbose=0)
    found = np.load(tmp_path / "outputs.npy")
    assert np.abs(found - expected).max() < 1e-5 * expected.std()
