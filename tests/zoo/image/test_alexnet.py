"""AlexNet: counts by layer, exactness under turns, torchvision's weights."""

import subprocess
import sys

import keras
import numpy as np
import pytest

import zoo
from zoo.layers import GroupDropout, LocalResponseNormalization

# conv1 ... conv5, fc6, fc7, fc8; the two towers of a layer added up.
COUNTS = {
    ("2012", None, None): (
        (34_944, 307_456, 885_120, 663_936, 442_624),
        (37_752_832, 16_781_312, 4_097_000),
        60_965_224,
    ),
    ("one_tower", None, None): (
        (34_944, 614_656, 885_120, 1_327_488, 884_992),
        (37_752_832, 16_781_312, 4_097_000),
        62_378_344,
    ),
    ("torchvision", None, None): (
        (23_296, 307_392, 663_936, 884_992, 590_080),
        (37_752_832, 16_781_312, 4_097_000),
        61_100_840,
    ),
    ("2012", "C4", "parameters"): (
        (17_472, 307_328, 884_928, 663_744, 442_496),
        (37_750_784, 16_779_264, 8_193_000),
        65_039_016,
    ),
    ("2012", "C4", "compute"): (
        (8_736, 76_864, 221_280, 165_984, 110_656),
        (9_438_208, 4_195_328, 4_097_000),
        18_314_056,
    ),
    ("2012", "D4", "parameters"): (
        (12_376, 306_090, 881_416, 665_992, 440_730),
        (37_533_608, 16_775_080, 11_585_000),
        68_200_292,
    ),
    ("2012", "D4", "compute"): (
        (4_368, 38_432, 110_640, 82_992, 55_328),
        (4_719_104, 2_097_664, 4_097_000),
        11_205_528,
    ),
    ("one_tower", "D4", "compute"): (
        (4_368, 76_832, 110_640, 165_936, 110_624),
        (4_719_104, 2_097_664, 4_097_000),
        11_382_168,
    ),
    ("torchvision", "D4", "parameters"): (
        (8_372, 312_868, 665_992, 891_163, 596_323),
        (37_950_632, 16_775_080, 11_585_000),
        68_785_430,
    ),
    ("torchvision", "C4", "compute"): (
        (5_824, 76_848, 165_984, 221_248, 147_520),
        (9_438_208, 4_195_328, 4_097_000),
        18_347_960,
    ),
}
SIZES = {"2012": 67, "one_tower": 67, "torchvision": 63}
PAIR = ("conv4_tower1", "conv4_tower2")


def small(variant="2012", **arguments):
    """The smallest input at which the variant is exact, and ten classes."""
    size = SIZES[variant]
    arguments = {"input_shape": (size, size, 3), "classes": 10, **arguments}
    return zoo.alexnet(variant=variant, **arguments)


def noise(model, batch=4, seed=0):
    shape = (batch, *model.input_shape[1:])
    return np.random.default_rng(seed).standard_normal(shape).astype("float32")


def draw_again(model):
    """Glorot's rule: the paper's tiny weights and biases of 1 would hide all."""
    for weight in model.trainable_weights:
        if weight.path.endswith("bias"):
            weight.assign(keras.ops.zeros(weight.shape))
        else:
            weight.assign(keras.initializers.GlorotUniform(seed=0)(weight.shape))


def counts_by_layer(model):
    counts = {}
    for row in zoo.count(model).rows:
        if row.trainable:
            layer = row.layer.split("_")[0]
            counts[layer] = counts.get(layer, 0) + row.trainable
    return tuple(counts.values())


@pytest.mark.parametrize("variant, group, match", COUNTS)
def test_counts_by_layer(variant, group, match):
    convolutions, dense, total = COUNTS[variant, group, match]
    arguments = {} if group is None else {"group": group, "match": match}
    model = zoo.alexnet(variant=variant, **arguments)
    assert counts_by_layer(model) == convolutions + dense
    assert model.count_params() == total


def test_sizes_and_multiply_adds_are_the_papers():
    model = zoo.alexnet(include_top=False)
    heights = [
        model.get_layer(name).output.shape[1]
        for name in ("conv1", "pool1", "conv2", "pool2", "conv3", "conv5", "pool5")
    ]
    assert heights == [55, 27, 27, 13, 13, 13, 6]
    in_convolutions = zoo.count(model).multiply_adds
    assert in_convolutions + 9216 * 4096 + 4096 * 4096 + 4096 * 1000 == 724_406_816


def test_initial_weights_are_the_papers():
    model = small()
    for layer in model.layers:
        if not layer.weights:
            continue
        kernel, bias = layer.get_weights()
        assert kernel.std() == pytest.approx(0.01, rel=0.05)
        one = layer.name.startswith(("conv2", "conv4", "conv5", "fc6", "fc7"))
        np.testing.assert_array_equal(bias, 1.0 if one else 0.0)


def test_initial_weights_of_torchvision_are_torchs():
    kernel = small("torchvision").get_layer("conv3").get_weights()[0]
    bound = 1 / np.sqrt(3 * 3 * 192)
    assert np.abs(kernel).max() == pytest.approx(bound, rel=0.01)
    assert kernel.std() == pytest.approx(bound / np.sqrt(3), rel=0.01)


def test_towers_see_half_of_the_channels():
    model = small(include_top=False)
    draw_again(model)
    images = noise(model)
    inside = keras.Model(model.input, [model.get_layer(n).output for n in PAIR])
    before = [value.numpy() for value in inside(images)]
    kernel, bias = model.get_layer("conv3").get_weights()
    kernel[..., :192] += 0.1
    model.get_layer("conv3").set_weights([kernel, bias])
    after = [value.numpy() for value in inside(images)]
    assert not np.allclose(before[0], after[0])
    np.testing.assert_array_equal(before[1], after[1])


def test_no_grouped_convolution():
    """Keras runs `groups=` on TensorFlow slowly, and not on every server."""
    layers = [*small().layers, *small(group="C4").layers]
    assert all(getattr(layer, "groups", 1) == 1 for layer in layers)


def test_normalisation_and_dropout_stand_where_they_should():
    def names(model, kind):
        return [layer.name for layer in model.layers if isinstance(layer, kind)]

    for variant in ("2012", "one_tower"):
        model = small(variant)
        assert names(model, LocalResponseNormalization) == ["norm1", "norm2"]
        assert names(model, keras.layers.Dropout) == ["dropout6", "dropout7"]
    model = small("torchvision")
    assert names(model, LocalResponseNormalization) == []
    assert names(model, keras.layers.Dropout) == ["dropout5", "dropout6"]
    model = small(group="C4")
    assert names(model, GroupDropout) == ["dropout6", "dropout7"]
    assert names(model, keras.layers.Conv2D) == names(model, keras.layers.Dense) == []


@pytest.mark.parametrize("group", [None, "C4"])
@pytest.mark.parametrize("variant", SIZES)
def test_a_step_lowers_the_loss_and_every_weight_has_a_gradient(variant, group):
    model = small(variant, group=group, match="compute")
    draw_again(model)
    for layer in model.layers:
        if isinstance(layer, keras.layers.Dropout):
            layer.rate = 0.0
    before = model.get_weights()
    images, labels = noise(model, 8), np.arange(8) % 10
    model.compile(keras.optimizers.SGD(0.01), "sparse_categorical_crossentropy")
    first, second = (model.train_on_batch(images, labels) for _ in range(2))
    assert second < first
    for weight, old in zip(model.trainable_weights, before, strict=False):
        assert not np.array_equal(weight.numpy(), old), weight.path


def test_the_papers_initial_weights_train():
    model = small()
    # The paper's rate of 0.01 is for 1,000 classes: with ten, fc8 would overshoot.
    model.compile(keras.optimizers.SGD(1e-3), "sparse_categorical_crossentropy")
    images, labels = noise(model, 8), np.arange(8)
    losses = [model.train_on_batch(images, labels) for _ in range(6)]
    assert losses[-1] < losses[0]


@pytest.mark.parametrize("group", ["C4", "D4"])
def test_scores_at_227_do_not_turn(group):
    model = zoo.alexnet(group=group, classes=10)
    draw_again(model)
    report = zoo.equivariance_report(model, batch_size=2)
    assert report.group == group
    assert len(report.elements) == {"C4": 4, "D4": 8}[group]
    assert report.output_error < 1e-5, str(report)


def test_scores_of_the_plain_net_turn():
    model = zoo.alexnet(classes=10)
    draw_again(model)
    assert zoo.equivariance_report(model, "C4", batch_size=2).output_error > 0.05


@pytest.mark.parametrize("match", ["parameters", "compute"])
@pytest.mark.parametrize("variant, group", [("2012", "D4"), ("one_tower", "D2")])
def test_exact_in_float64(variant, group, match):
    keras.config.set_dtype_policy("float64")
    try:
        model = small(variant, group=group, match=match)
    finally:
        keras.config.set_dtype_policy("float32")
    draw_again(model)
    assert zoo.equivariance_report(model, batch_size=2).output_error < 1e-12


def test_torchvisions_native_size_is_exact_with_a_group():
    model = zoo.alexnet(variant="torchvision", group="C4", include_top=False)
    assert model.input_shape == (None, 223, 223, 3)
    assert zoo.admissible_sizes(model, 220, 230) == [223]
    assert zoo.equivariance_report(model, batch_size=1).exact


def test_features_pooled_over_the_group_do_not_turn():
    model = small(group="D4", include_top=False, pooling="avg")
    assert model.output_shape == (None, 90)
    assert zoo.equivariance_report(model, batch_size=2).exact


@pytest.mark.parametrize("group", [None, "D4"])
def test_saved_and_loaded(group, tmp_path):
    model = small(group=group, match="compute")
    model.save(tmp_path / "m.keras")
    restored = zoo.load_model(tmp_path / "m.keras")
    np.testing.assert_array_equal(restored(noise(model)), model(noise(model)))


def test_loads_in_a_fresh_process(tmp_path):
    small(include_top=False).save(tmp_path / "m.keras")
    program = f"import zoo; print(zoo.load_model({str(tmp_path / 'm.keras')!r}).name)"
    printed = subprocess.run(
        [sys.executable, "-c", program], check=True, capture_output=True, text=True
    )
    assert printed.stdout.strip() == "alexnet"


@pytest.mark.parametrize(
    "arguments, message",
    [
        ({"variant": "2013"}, "`variant` must be one of .*'2012'.*variant='2013'"),
        ({"match": "none"}, "`match` must be one of .*match='none'"),
        ({"group": "C5"}, "C5"),
        ({"group": "C4", "input_shape": (228, 228, 3)}, "mod 4 = 1. Use height 227"),
        (
            {"group": "C4", "input_shape": (224, 224, 3), "variant": "torchvision"},
            "mod 4 = 1. Use height 227 or 231|mod 4 = 1",
        ),
        ({"input_shape": (66, 227, 3)}, r"images from 67 x 67.*\(66, 227, 3\)"),
        ({"input_shape": (62, 62, 3), "variant": "torchvision"}, "images from 63 x 63"),
        ({"input_shape": (None, None, 3)}, "need a fixed height and width"),
    ],
)
def test_arguments_that_are_refused(arguments, message):
    with pytest.raises(ValueError, match=message):
        zoo.alexnet(**{"classes": 10, **arguments})


def test_open_sizes_without_the_top():
    model = zoo.alexnet(include_top=False, input_shape=(None, None, 3), pooling="avg")
    images = np.zeros((1, 80, 100, 3), "float32")
    assert model(images).shape == (1, 256)


def test_weights_that_do_not_fit_are_named(tmp_path):
    path = tmp_path / "m.weights.h5"
    small().save_weights(path)
    fc8 = r"layer 'fc8' expects \[\(4096, 7\), \(7,\)\].*has \[\(4096, 10\), \(10,\)\]"
    with pytest.raises(ValueError, match=fc8):
        small(weights=path, classes=7)
    missing = "layer 'conv2' expects .* the file has none of that name.*more layers"
    with pytest.raises(ValueError, match=missing):
        small("one_tower", weights=path, group="C4")
    small(weights=path, include_top=False)  # the file may hold more
    path.write_bytes(b"no weights")
    with pytest.raises(ValueError, match="can't be read as a weights file of Keras"):
        small(weights=path)


def torchvisions_module(torch, classes):
    """torchvision's AlexNet, its layers under the names of its state dict."""
    nn = torch.nn
    module = nn.Module()
    module.features = nn.Sequential(
        *(nn.Conv2d(3, 64, 11, stride=4, padding=2), nn.ReLU(), nn.MaxPool2d(3, 2)),
        *(nn.Conv2d(64, 192, 5, padding=2), nn.ReLU(), nn.MaxPool2d(3, 2)),
        *(nn.Conv2d(192, 384, 3, padding=1), nn.ReLU()),
        *(nn.Conv2d(384, 256, 3, padding=1), nn.ReLU()),
        *(nn.Conv2d(256, 256, 3, padding=1), nn.ReLU(), nn.MaxPool2d(3, 2)),
    )
    module.classifier = nn.Sequential(
        *(nn.Dropout(), nn.Linear(256 * 6 * 6, 4096), nn.ReLU()),
        *(nn.Dropout(), nn.Linear(4096, 4096), nn.ReLU(), nn.Linear(4096, classes)),
    )
    for parameter in module.parameters():  # torch's own start leaves little to compare
        fan_in = parameter[0].numel()
        nn.init.normal_(parameter, std=0.1 if fan_in == 1 else (2 / fan_in) ** 0.5)
    return module.eval()


def test_torchvisions_weights(tmp_path):
    torch = pytest.importorskip("torch", reason="torch is not installed")
    torch.manual_seed(0)
    module, path = torchvisions_module(torch, 10), tmp_path / "alexnet.pth"
    torch.save(module.state_dict(), path)
    arguments = {"variant": "torchvision", "weights": path, "classes": 10}
    model = zoo.alexnet(**arguments, classifier_activation=None)
    images = noise(model)
    with torch.no_grad():
        maps = module.features(torch.from_numpy(images.transpose(0, 3, 1, 2)))
        expected = module.classifier(torch.flatten(maps, 1)).numpy()
    assert expected.std() > 0.5
    np.testing.assert_allclose(model(images), expected, rtol=0, atol=1e-4)

    features = zoo.alexnet(**arguments, include_top=False)(images)
    maps = maps.numpy().transpose(0, 2, 3, 1)
    np.testing.assert_allclose(features, maps, rtol=0, atol=1e-4)
    fc8 = r"layer 'fc8' expects \[\(4096, 7\), .*'classifier.6' has.*\(4096, 10\)"
    with pytest.raises(ValueError, match=fc8):
        zoo.alexnet(**{**arguments, "classes": 7})
    with pytest.raises(ValueError, match=r"layer 'fc6' expects \[\(256, 4096\)"):
        zoo.alexnet(**arguments, input_shape=(63, 63, 3))
    for other in ({"variant": "2012"}, {"group": "C4", "match": "compute"}):
        with pytest.raises(ValueError, match="path of a .keras or .weights.h5 file"):
            zoo.alexnet(**{**arguments, **other})


def test_files_that_are_no_state_dict(tmp_path):
    torch = pytest.importorskip("torch", reason="torch is not installed")
    path = tmp_path / "other.pth"
    torch.save({"layer.weight": torch.zeros(3)}, path)
    missing = "Missing: classifier.1.bias, .*Not part of the net: layer.weight"
    with pytest.raises(ValueError, match=missing):
        small("torchvision", weights=path)
    path.write_bytes(b"no state dict")
    with pytest.raises(ValueError, match="can't be read as a state dict"):
        small("torchvision", weights=path)


def test_without_torch(tmp_path, monkeypatch):
    path = tmp_path / "alexnet.pth"
    path.write_bytes(b"")
    monkeypatch.setitem(sys.modules, "torch", None)
    with pytest.raises(ValueError, match="takes torch, which is not installed"):
        small("torchvision", weights=path)


def test_the_card_tells_one_net_from_seven():
    card = zoo.card("alexnet")
    assert [result.value for result in card.results] == [40.7, 18.2]
    assert any("15.3" in note and "seven" in note for note in card.notes)
