"""LeNet-5: counts, layer by layer, plain and with a group."""

import keras
import numpy as np
import pytest
from equivariance import equivariance_error, noise

import zoo

LAYERS = ("C1", "C3", "C5", "F6", "top")
COUNTS = {
    (None, "parameters"): (156, 2_416, 48_120, 10_164, 850),
    ("C4", "parameters"): (78, 2_408, 48_060, 10_122, 1_690),
    ("D4", "parameters"): (52, 2_406, 50_442, 10_110, 2_410),
    ("C4", "compute"): (52, 804, 12_030, 2_541, 850),
    ("D4", "compute"): (26, 402, 6_015, 1_210, 810),
}
TOTALS = (61_706, 62_358, 65_420, 16_277, 8_463)


def exact_net(**arguments):
    """In float64, on logits."""
    keras.config.set_dtype_policy("float64")
    try:
        return zoo.lenet5(classifier_activation=None, **arguments)
    finally:
        keras.config.set_dtype_policy("float32")


@pytest.mark.parametrize("net, total", list(zip(COUNTS, TOTALS, strict=True)))
def test_counts_by_layer(net, total):
    group, match = net
    report = zoo.count(zoo.lenet5(group=group, match=match))
    counts = {row.layer: row.trainable for row in report.rows}
    assert tuple(counts[name] for name in LAYERS) == COUNTS[net]
    assert report.trainable == sum(COUNTS[net]) == total


def test_sizes_are_those_of_the_table():
    model = zoo.lenet5()
    sizes = [model.get_layer(n).output.shape[1] for n in ("C1", "S2", "C3", "S4", "C5")]
    assert sizes == [28, 14, 10, 5, 1]


@pytest.mark.parametrize("match", ["parameters", "compute"])
@pytest.mark.parametrize("group", ["C4", "D4", "D2"])
def test_exactly_invariant_at_32(group, match):
    model = exact_net(group=group, match=match)
    images = noise(4, 32, 32, 1, dtype="float64")
    assert equivariance_error(group, model, images) < 1e-12
    report = zoo.equivariance_report(zoo.lenet5(group=group, match=match))
    assert report.group == group and report.exact


def test_without_the_group_it_does_not_turn():
    """The control."""
    images = noise(4, 32, 32, 1, dtype="float64")
    assert equivariance_error("C4", exact_net(), images) > 0.05


def test_features_turn_and_pooled_features_do_not():
    maps = zoo.lenet5(group="C4", include_top=False)
    assert maps.output_shape == (None, 1, 1, 4, 60)
    assert zoo.equivariance_report(maps).exact
    pooled = zoo.lenet5(group="C4", include_top=False, pooling="avg")
    assert pooled.output_shape == (None, 60)
    assert zoo.equivariance_report(pooled).exact


def test_admissible_sizes():
    assert zoo.admissible_sizes(zoo.lenet5(group="C4"), 28, 44) == [32, 36, 40, 44]
    larger = zoo.lenet5(group="C4", input_shape=(40, 40, 1))
    assert zoo.equivariance_report(larger).exact


@pytest.mark.parametrize("group", [None, "D4"])
def test_one_step_of_training_lowers_the_loss_and_moves_every_weight(group):
    model = zoo.lenet5(group=group)
    model.compile(keras.optimizers.SGD(0.01), "sparse_categorical_crossentropy")
    before = model.get_weights()
    images, labels = noise(8, 32, 32, 1), np.arange(8)
    first, second = (model.train_on_batch(images, labels) for _ in range(2))
    assert second < first
    for old, new in zip(before, model.get_weights(), strict=True):
        assert not np.array_equal(old, new)


@pytest.mark.parametrize(
    "arguments, message",
    [
        ({"input_shape": (30, 30, 1), "group": "C4"}, "not exactly equivariant"),
        ({"input_shape": (28, 28, 1), "group": "C4"}, "smaller than the window"),
        ({"input_shape": (32, 36, 1), "group": "C4"}, "must be equal on both"),
        ({"input_shape": (None, None, 1)}, "need a fixed height and width"),
        ({"group": "C5"}, "C5"),
        ({"match": "weights"}, "`match` must be one of"),
    ],
)
def test_arguments_that_are_refused(arguments, message):
    with pytest.raises(ValueError, match=message):
        zoo.lenet5(**arguments)
