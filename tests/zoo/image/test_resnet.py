"""The CIFAR ResNet: counts, layer by layer, and how exactly the deep net turns."""

import keras
import numpy as np
import pytest
from equivariance import equivariance_error, noise

import zoo

WIDTHS = {None: (32, 64, 128), "D4": (11, 23, 45)}
TOTALS = {None: 2_639_434, "D4": 2_622_878}
ORDERS = {None: 1, "D4": 8}
GROUP_NETS = [
    ("C4", "parameters"),
    ("C4", "compute"),
    ("D4", "compute"),
    ("D1", "parameters"),
]


def counts_of(model):
    return {row.layer: row.trainable for row in zoo.count(model).rows}


@pytest.mark.parametrize("group", TOTALS)
def test_counts_by_layer(group):
    counts = counts_of(zoo.resnet(group=group))
    order = ORDERS[group]
    # A filter of a group convolution sees every orientation; a bias and two numbers of
    # the normalisation are shared by all.
    width = before = WIDTHS[group][0]
    assert counts["stem_conv"] == 3 * 3 * 3 * width + width
    assert counts["stem_norm"] == 2 * width
    for number, width in enumerate(WIDTHS[group], start=1):
        for index in range(1, 8):
            block = f"stage_{number}_block_{index}"
            assert counts[f"{block}_conv_1"] == 9 * order * before * width + width
            assert counts[f"{block}_conv_2"] == 9 * order * width * width + width
            assert counts[f"{block}_norm_1"] == counts[f"{block}_norm_2"] == 2 * width
            if before != width:
                assert counts[f"{block}_shortcut"] == order * before * width + width
            before = width
        assert f"stage_{number}_block_2_shortcut" not in counts
    assert "stage_1_block_1_shortcut" not in counts
    assert counts["top"] == order * width * 10 + 10
    assert sum(counts.values()) == TOTALS[group]


def test_sizes_and_places_of_the_layers():
    model = zoo.resnet()
    heights = [
        model.get_layer(f"stage_{number}_block_7_relu_2").output.shape[1]
        for number in (1, 2, 3)
    ]
    assert heights == [32, 16, 8]
    convolutions = [layer for layer in model.layers if "conv" in layer.name]
    # The 44th is the top, which on its own map of 1 x 1 would be a dense layer.
    assert len([c for c in convolutions if not c.name.endswith("_pad")]) == 43
    assert len([layer for layer in model.layers if "norm" in layer.name]) == 43


def test_the_planar_convolution_of_stride_2_pads_both_sides():
    """By sliding windows; TensorFlow's own "same" would pad the far side only."""
    net = zoo.resnet(depth=8, include_top=False)
    first = net.get_layer("stage_2_block_1_conv_1")
    pad = net.get_layer("stage_2_block_1_conv_1_pad")
    maps = noise(2, 8, 8, 32)
    padded = np.pad(maps, ((0, 0), (1, 1), (1, 1), (0, 0)))
    windows = np.lib.stride_tricks.sliding_window_view(padded, (3, 3), axis=(1, 2))
    kernel = first.get_weights()[0]
    expected = np.einsum("bhwcij,ijcf->bhwf", windows[:, ::2, ::2], kernel)
    np.testing.assert_allclose(first(pad(maps)), expected, atol=1e-4)


def exact_net(**arguments):
    """In float64, on logits."""
    keras.config.set_dtype_policy("float64")
    try:
        return zoo.resnet(classifier_activation=None, **arguments)
    finally:
        keras.config.set_dtype_policy("float32")


@pytest.mark.parametrize("training", [False, True])
@pytest.mark.parametrize("group, match", GROUP_NETS)
def test_exactly_equivariant_at_32(group, match, training):
    model = exact_net(depth=8, group=group, match=match)
    images = noise(2, 32, 32, 3, dtype="float64")
    error = equivariance_error(group, lambda x: model(x, training=training), images)
    assert error < 1e-12


def test_the_44_layers_turn_exactly():
    """At 16, which is quicker. At 32 the error in float32 was 1.9e-6 when measured."""
    net = {"group": "D4", "input_shape": (16, 16, 3)}
    images = noise(1, 16, 16, 3, dtype="float64")
    assert equivariance_error("D4", exact_net(**net), images) < 1e-12
    model = zoo.resnet(**net, classifier_activation=None)
    assert equivariance_error("D4", model, images.astype("float32")) < 1e-5


def test_strides_are_exact_at_33_and_refused_at_32():
    with pytest.raises(ValueError, match="Use height 31 or 33"):
        zoo.resnet(depth=8, group="D4", downsampling="stride")
    strided = {"group": "C4", "downsampling": "stride", "input_shape": (33, 33, 3)}
    model = exact_net(depth=8, **strided)
    images = noise(2, 33, 33, 3, dtype="float64")
    assert equivariance_error("C4", model, images) < 1e-12


def test_without_the_group_it_does_not_turn():
    """The control, for both ways of halving."""
    for downsampling in ("stride", "pool"):
        model = exact_net(depth=8, downsampling=downsampling)
        images = noise(2, 32, 32, 3, dtype="float64")
        assert equivariance_error("C4", model, images) > 0.05


def test_admissible_sizes():
    net = zoo.resnet(depth=8, group="D4")
    assert zoo.admissible_sizes(net, 28, 40) == [28, 32, 36, 40]


def test_one_step_of_training_lowers_the_loss():
    model = zoo.resnet(depth=8, group="C4", match="compute", input_shape=(16, 16, 3))
    model.compile(keras.optimizers.SGD(0.01), "sparse_categorical_crossentropy")
    images, labels = noise(8, 16, 16, 3), np.arange(8)
    first, second = (model.train_on_batch(images, labels) for _ in range(2))
    assert second < first


def test_open_sizes_without_a_group():
    model = zoo.resnet(depth=8, input_shape=(None, None, 3))
    assert model(noise(2, 20, 28, 3)).shape == (2, 10)


@pytest.mark.parametrize(
    "arguments, message",
    [
        ({"depth": 43}, "`depth` must be 6 n \\+ 2.*depth=43"),
        ({"depth": 2}, "`depth` must be 6 n \\+ 2"),
        ({"depth": "44"}, "`depth` must be 6 n \\+ 2"),
        ({"downsampling": "max"}, "`downsampling` must be None or one of.*'max'"),
        ({"group": "C3"}, "C3"),
        ({"match": "none"}, "`match` must be one of"),
        ({"group": "C4", "input_shape": (30, 30, 3)}, "not exactly equivariant"),
    ],
)
def test_arguments_that_are_refused(arguments, message):
    with pytest.raises(ValueError, match=message):
        zoo.resnet(**{"depth": 8, **arguments})
