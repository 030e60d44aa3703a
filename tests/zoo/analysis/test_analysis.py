"""equivariance_report, admissible_sizes, count, turning_picture."""

import keras
import numpy as np
import pytest
from PIL import Image

import zoo
from zoo.layers import (
    GroupAveragePooling2D,
    GroupConv2D,
    GroupGlobalAveragePooling2D,
    GroupMaxPooling2D,
    GroupPooling,
)


def net(*layers, shape=(9, 9, 1), dtype=None):
    image = x = keras.Input(shape, dtype=dtype)
    for layer in layers:
        x = layer(x)
    return keras.Model(image, x)


class EverySecond(keras.layers.Layer):
    """Something that the rules do not know."""

    def call(self, images):
        return images[:, ::2, ::2]


def test_report_rows():
    report = zoo.equivariance_report(zoo.p4mcnn())
    assert report.group == "D4" and len(report.elements) == 8
    assert report.elements[:2] == ("0°", "90°")
    rows = {row.layer: row for row in report.rows}
    assert rows["conv_3"].kind == "GroupConv2D"
    assert rows["conv_3"].output_shape == (None, 10, 10, 8, 7)
    assert all(row.error < 2e-5 for row in report.rows)
    assert all(row.errors[0] == 0 for row in report.rows)  # the identity
    assert "exactly equivariant under D4" in str(report) and "conv_3" in str(report)


def test_report_in_float64():
    keras.config.set_dtype_policy("float64")
    try:
        report = zoo.equivariance_report(zoo.p4cnn())
    finally:
        keras.config.set_dtype_policy("float32")
    assert report.dtype == "float64"
    assert report.exact and report.output_error < 1e-12


def test_what_rounds_more_is_decided_in_float64():
    """Half precision errs by more than 1e-5 and can be exact all the same."""
    keras.config.set_dtype_policy("mixed_float16")
    try:
        half = zoo.p4cnn()
        broken = net(GroupConv2D(2, 3), GroupMaxPooling2D(2, strict=False))
    finally:
        keras.config.set_dtype_policy("float32")
    before = [layer.dtype_policy for layer in half.layers]
    report = zoo.equivariance_report(half)
    assert report.dtype == "float16" and report.output_error > 1e-5
    assert report.float64_error < 1e-12 and report.exact
    assert [layer.dtype_policy for layer in half.layers] == before
    assert half(np.ones((1, 28, 28, 1))).dtype == "float32"
    report = zoo.equivariance_report(broken)
    assert report.float64_error > 0.05 and not report.exact


def test_report_finds_the_layer_that_breaks_it():
    model = net(
        GroupConv2D(4, 3, name="good"),
        GroupMaxPooling2D(2, strict=False, name="bad"),
        GroupConv2D(4, 1, name="after"),
        GroupGlobalAveragePooling2D(),
    )
    report = zoo.equivariance_report(model)
    rows = {row.layer: row.error for row in report.rows}
    assert rows["good"] < 1e-5 < 0.05 < rows["bad"]
    assert rows["after"] > 0.05 and not report.exact
    assert "NOT equivariant" in str(report)


def test_report_agrees_with_a_computation_by_hand():
    model = net(keras.layers.Conv2D(3, 3, data_format="channels_last"))
    report = zoo.equivariance_report(model, "C4", batch_size=2, seed=3)
    x = np.random.default_rng(3).standard_normal((2, 9, 9, 1)).astype("float32")
    y = model(x).numpy()
    for turns, error in enumerate(report.output.errors):
        moved = model(np.rot90(x, turns, axes=(1, 2)).copy()).numpy()
        difference = np.abs(moved - np.rot90(y, turns, axes=(1, 2))).max()
        assert error == pytest.approx(difference / y.std(), rel=1e-5)


def test_report_looks_behind_softmax_and_puts_it_back():
    """Tiny weights make the softmax of any net look invariant."""
    image = keras.Input((9, 9, 1))
    small = keras.initializers.RandomNormal(stddev=1e-7)
    x = keras.layers.Flatten()(image)
    x = keras.layers.Dense(5, "softmax", kernel_initializer=small)(x)
    model = keras.Model(image, x)
    assert zoo.equivariance_report(model).output_error > 0.05
    np.testing.assert_allclose(model(np.ones((1, 9, 9, 1))).numpy().sum(), 1, 1e-6)
    for softmax in (keras.layers.Softmax(), keras.ops.softmax):
        x = keras.layers.Dense(5, kernel_initializer=small)(image)
        x = keras.layers.GlobalAveragePooling2D("channels_last")(x)
        report = zoo.equivariance_report(keras.Model(image, softmax(x)))
        assert report.output.errors == report.rows[-1].errors


def test_report_of_sequential_nested_and_subclassed_models():
    inner = net(GroupConv2D(4, 3), GroupConv2D(4, 3))
    sequential = keras.Sequential(
        [keras.Input((9, 9, 1)), inner, GroupGlobalAveragePooling2D()]
    )
    report = zoo.equivariance_report(sequential)
    assert report.exact and report.group == "C4"
    assert [row.kind for row in report.rows][:2] == ["GroupConv2D", "GroupConv2D"]

    class Subclassed(keras.Model):
        def __init__(self):
            super().__init__()
            self.convolve = GroupConv2D(4, 3)
            self.pool = GroupGlobalAveragePooling2D()

        def call(self, images):
            return self.pool(self.convolve(images))

    model = Subclassed()
    with pytest.raises(ValueError, match="leaves the shape of its images open"):
        zoo.equivariance_report(model, "C4")
    model(np.ones((1, 9, 9, 1), "float32"))
    report = zoo.equivariance_report(model, input_shape=(9, 9, 1))
    assert report.exact and report.group == "C4" and report.rows == ()


def test_report_of_a_subgroup_and_of_a_larger_group():
    assert zoo.equivariance_report(zoo.p4mcnn(), "D1").exact
    larger = zoo.equivariance_report(zoo.p4cnn(), "D4")
    assert not larger.exact
    # C4 maps have no flip to be moved by.
    assert np.isnan({row.layer: row.error for row in larger.rows}["conv_2"])


def test_report_through_coset_pooling():
    model = net(
        GroupConv2D(4, 3, group="D4"),
        GroupPooling("D4", subgroup="D1"),
        GroupConv2D(4, 3, group="C4"),
        GroupGlobalAveragePooling2D("C4"),
    )
    report = zoo.equivariance_report(model)
    assert report.group == "C4" and report.exact
    assert all(row.error < 1e-5 for row in report.rows)


def test_report_refuses():
    inputs = [keras.Input((9, 9, 1)), keras.Input((9, 9, 1))]
    two = keras.Model(inputs, keras.layers.Add()(inputs))
    with pytest.raises(ValueError, match="one input"):
        zoo.equivariance_report(two)
    with pytest.raises(ValueError, match="one input"):
        zoo.equivariance_report(net(keras.layers.Dense(2), shape=(5,)))
    with pytest.raises(ValueError, match="Expected one of C1, C2"):
        zoo.equivariance_report(zoo.p4cnn(), "C5")
    with pytest.raises(ValueError, match="square images"):
        zoo.equivariance_report(net(GroupConv2D(2, 3), shape=(9, 7, 1)))
    open_size = net(GroupConv2D(2, 3), shape=(None, None, 1))
    with pytest.raises(ValueError, match="leaves the shape of its images open"):
        zoo.equivariance_report(open_size)
    assert zoo.equivariance_report(open_size, input_shape=(7, 7, 1)).exact
    with pytest.raises(ValueError, match=r"takes images .*\(28, 28, 1\)"):
        zoo.equivariance_report(zoo.p4cnn(), input_shape=(40, 40, 1))
    with pytest.raises(ValueError, match="`batch_size` must be a positive integer"):
        zoo.equivariance_report(zoo.p4cnn(), batch_size=0)
    for function in (zoo.equivariance_report, zoo.count):
        with pytest.raises(ValueError, match="Expected a Keras model.*'p4cnn'"):
            function("p4cnn")
    broken = zoo.p4cnn()
    broken.set_weights([np.full_like(w, np.nan) for w in broken.get_weights()])
    with pytest.raises(ValueError, match="not finite"):
        zoo.equivariance_report(broken)


def test_report_says_nothing_of_a_constant():
    zero = net(GroupConv2D(2, 3, kernel_initializer="zeros"))
    report = zoo.equivariance_report(zero)
    assert np.isnan(report.output_error) and not report.exact


@pytest.mark.parametrize(
    "layers, expected",
    [
        ([GroupConv2D(2, 3)], [3, 4, 5, 6, 7, 8, 9]),
        ([GroupConv2D(2, 3, strides=2, strict=False)], [3, 5, 7, 9]),
        ([GroupConv2D(2, 3, strides=2, padding="same", strict=False)], [1, 3, 5, 7, 9]),
        ([GroupConv2D(2, 4, strides=2, strict=False)], [4, 6, 8]),
        ([GroupConv2D(2, 1), GroupAveragePooling2D(3)], [3, 6, 9]),
        (
            [GroupConv2D(2, 1), GroupPooling(), keras.layers.MaxPooling2D(2)],
            [2, 4, 6, 8],
        ),
        (
            [
                GroupConv2D(2, 1),
                GroupPooling(),
                keras.layers.MaxPooling2D(3, 2, padding="same"),
            ],
            [1, 3, 5, 7, 9],
        ),
        ([GroupConv2D(2, 3), keras.layers.Flatten()], []),
        (
            [GroupConv2D(2, 7), GroupPooling(), keras.layers.Flatten()],
            [7],
        ),
        (
            [
                GroupConv2D(2, 3),
                GroupPooling(),
                GroupMaxPooling2D(2, group="C1"),
            ],
            [4, 6, 8],
        ),
        ([keras.layers.ZeroPadding2D(((0, 1), (0, 1))), GroupConv2D(2, 3)], []),
        ([keras.layers.Cropping2D(((0, 1), (1, 0))), GroupConv2D(2, 3)], []),
        ([keras.layers.ZeroPadding2D(1), GroupConv2D(2, 5)], [3, 4, 5, 6, 7, 8, 9]),
        ([GroupConv2D(2, 1), GroupPooling(), EverySecond()], [1, 3, 5, 7, 9]),
        ([GroupConv2D(2, 5), keras.layers.Reshape((-1,)), keras.layers.Dense(2)], []),
        ([keras.layers.DepthwiseConv2D(1, strides=2)], [1, 3, 5, 7, 9]),
        ([keras.layers.Conv2D(2, 3)], []),
        ([keras.layers.Conv2D(2, 1, strides=2)], [1, 3, 5, 7, 9]),
    ],
)
def test_admissible_sizes_are_those_measured_as_exact(layers, expected):
    model = net(*layers)
    sizes = zoo.admissible_sizes(model, 1, 9)
    assert sizes == expected
    for size in range(4, 10):
        try:
            resized = keras.models.clone_model(
                model, input_tensors=keras.Input((size, size, 1))
            )
        except ValueError:
            assert size not in sizes
            continue
        error = zoo.equivariance_report(resized, "C4").output_error
        if not np.isnan(error):
            assert (error < 1e-5) == (size in sizes), size


def test_admissible_sizes_refuse():
    with pytest.raises(ValueError, match="one input"):
        zoo.admissible_sizes(net(keras.layers.Dense(2), shape=(5,)), 1, 3)
    with pytest.raises(ValueError, match="1 <= low <= high"):
        zoo.admissible_sizes(zoo.p4cnn(), 9, 3)
    with pytest.raises(ValueError, match="subclassed"):
        zoo.admissible_sizes(keras.Model(), 1, 3)


def test_count_multiply_adds_by_hand():
    image = keras.Input((10, 12, 3))
    x = keras.layers.Conv2D(8, 3, groups=1, name="plain")(image)
    x = keras.layers.DepthwiseConv2D(3, name="depthwise")(x)
    x = keras.layers.SeparableConv2D(4, 3, name="separable")(x)
    x = keras.layers.Conv2DTranspose(5, 2, strides=2, name="transposed")(x)
    x = GroupConv2D(6, 3, group="D4", name="lift")(x)
    x = GroupConv2D(7, 1, group="D4", name="group")(x)
    x = GroupGlobalAveragePooling2D("D4")(x)
    x = keras.layers.Dense(2, name="dense")(x)
    report = zoo.count(keras.Model(image, x))
    found = {row.layer: row.multiply_adds for row in report.rows}
    assert found["plain"] == 8 * 10 * 9 * 3 * 8
    assert found["depthwise"] == 6 * 8 * 9 * 8
    assert found["separable"] == 4 * 6 * (9 * 8 + 8 * 4)
    assert found["transposed"] == 4 * 6 * 4 * 4 * 5
    assert found["lift"] == 6 * 10 * 8 * 9 * 5 * 6
    assert found["group"] == 6 * 10 * 8 * 8 * 6 * 7
    assert found["dense"] == 7 * 2
    assert report.multiply_adds == sum(found.values())
    assert f"{report.multiply_adds:,}" in str(report)


def test_count_of_open_sizes_unknown_kinds_and_shared_layers():
    report = zoo.count(net(GroupConv2D(2, 3), shape=(None, None, 1)))
    assert report.multiply_adds is None and report.trainable == 20
    recurrent = net(keras.layers.LSTM(3), shape=(5, 2))
    assert zoo.count(recurrent).multiply_adds is None
    shared = keras.layers.Dense(4)
    image = keras.Input((4,))
    model = keras.Model(image, shared(shared(image)))
    counts = zoo.count(model)
    assert counts.parameters == model.count_params() == 20
    assert [row.multiply_adds for row in counts.rows] == [16, 16]


def test_count_of_a_layer_in_two_models_and_of_a_nested_open_one():
    layer = GroupConv2D(2, 3)
    net(layer, shape=(8, 8, 1))
    larger = net(layer, shape=(64, 64, 1))
    assert zoo.count(larger).rows[0].output_shape == (None, 62, 62, 4, 2)
    assert zoo.count(larger).multiply_adds == 62 * 62 * 4 * 9 * 2
    nested = net(net(GroupConv2D(2, 3), shape=(None, None, 1)), shape=(8, 8, 1))
    assert zoo.count(nested).multiply_adds == 6 * 6 * 4 * 9 * 2
    matrix = net(lambda x: keras.ops.matmul(x, np.ones((2, 3), "float32")), shape=(2,))
    assert zoo.count(matrix).multiply_adds is None


def test_count_refuses():
    with pytest.raises(ValueError, match="no graph"):
        zoo.count(keras.Model())


def test_turning_picture(tmp_path):
    path = tmp_path / "turning.png"
    image = np.random.default_rng(0).random((28, 28, 1))
    zoo.analysis.turning_picture(zoo.p4cnn(), image, path)
    with Image.open(path) as picture:
        assert picture.format == "PNG" and picture.width > 800
    with pytest.raises(ValueError, match="no layer with a feature map"):
        zoo.analysis.turning_picture(zoo.z2cnn(), image, path)
    with pytest.raises(ValueError, match="no layer 'conv_9'"):
        zoo.analysis.turning_picture(zoo.p4cnn(), image, path, layer="conv_9")
    with pytest.raises(ValueError, match="one square image"):
        zoo.analysis.turning_picture(zoo.p4cnn(), image[:20], path)
    assert [file.name for file in tmp_path.iterdir()] == ["turning.png"]
