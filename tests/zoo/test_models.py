"""What must hold for every registered model."""

import keras
import numpy as np
import pytest
from equivariance import equivariance_error

import zoo
from zoo.layers.groups import get_group
from zoo.training.losses import loss_for

MODELS = zoo.list_models()
# Scores near +1 and -1, no probabilities.
SCORES = {"lecun1989"}
# Nets whose windows fit an image of 4 x 4 too.
ANY_SIZE = {"lecun1989", "mlp", "resnet"}

# A size at which a large net is quick to build and run.
SMALL = {"alexnet": {"input_shape": (67, 67, 3)}}


def build(name, **arguments):
    return zoo.create_model(name, **{**SMALL.get(name, {}), **arguments})


def draw_again(model):
    """By Glorot's rule: tiny weights and large biases would hide any difference."""
    for seed, weight in enumerate(model.trainable_weights):
        if len(weight.shape) > 1:
            weight.assign(keras.initializers.GlorotUniform(seed)(weight.shape))
        elif weight.path.endswith("bias"):
            weight.assign(keras.ops.zeros(weight.shape))


def noise(model, batch=4, seed=0):
    shape = (batch, *model.input_shape[1:])
    return np.random.default_rng(seed).standard_normal(shape).astype("float32")


@pytest.fixture(params=MODELS)
def name(request):
    return request.param


def test_the_known_models_are_there():
    gcnn = {"z2cnn", "p4cnn", "p4cnn_rotation_pooling", "p4mcnn"}
    classics = {"alexnet", "lecun1989", "lenet5", "mlp", "resnet"}
    assert gcnn | classics == set(MODELS)


def test_builds_as_its_card_says(name):
    card = zoo.card(name)
    model = zoo.create_model(name)
    assert model.name == card.name == name
    assert model.input_shape == (None, *card.input_shape)
    assert model.output_shape == (None, card.classes)
    assert model.input.name == card.input_name
    assert tuple(model.output_names) == card.outputs
    counts = zoo.count(model)
    assert counts.trainable == card.parameters
    assert counts.parameters == model.count_params()
    assert counts.multiply_adds > 0


def test_every_builder_is_public(name):
    assert getattr(zoo, name)().name == name
    assert name in zoo.__all__


def test_outputs_are_probabilities(name):
    model = build(name)
    outputs = keras.ops.convert_to_numpy(model(noise(model)))
    assert np.isfinite(outputs).all()
    if name not in SCORES:
        np.testing.assert_allclose(outputs.sum(axis=-1), 1, atol=1e-5)


def test_logits_are_what_softmax_takes(name):
    model = build(name, classifier_activation="softmax")
    logits = build(name, classifier_activation=None)
    logits.set_weights(model.get_weights())
    assert logits.output_names == ["logits"]
    expected = keras.ops.softmax(logits(noise(model)))
    np.testing.assert_allclose(expected, model(noise(model)), atol=1e-6)


def test_one_step_of_training_lowers_the_loss_and_moves_every_weight(name):
    model = build(name)
    # Dropout would make the two losses differ by chance.
    for layer in model.layers:
        if isinstance(layer, keras.layers.Dropout):
            layer.rate = 0.0
    model.compile(keras.optimizers.SGD(0.01), loss_for(model))
    before = [weight.numpy().copy() for weight in model.trainable_weights]
    images, labels = noise(model, 8), np.arange(8) % model.output_shape[-1]
    first, second = (model.train_on_batch(images, labels) for _ in range(2))
    assert second < first
    for weight, old in zip(model.trainable_weights, before, strict=True):
        # A bias before batch normalisation has no effect, so no gradient.
        if weight.path.endswith("bias") and "top" not in weight.path:
            continue
        assert not np.array_equal(weight.numpy(), old), weight.path


def test_saved_and_loaded(name, tmp_path):
    model = build(name)
    model.save(tmp_path / "m.keras")
    restored = zoo.load_model(tmp_path / "m.keras")
    np.testing.assert_array_equal(restored(noise(model)), model(noise(model)))


def test_config_round_trip(name):
    model = build(name)
    restored = type(model).from_config(model.get_config())
    restored.set_weights(model.get_weights())
    np.testing.assert_array_equal(restored(noise(model)), model(noise(model)))


def test_mixed_precision(name):
    keras.config.set_dtype_policy("mixed_bfloat16")
    try:
        model = build(name)
    finally:
        keras.config.set_dtype_policy("float32")
    outputs = model(noise(model))
    assert keras.backend.standardize_dtype(outputs.dtype) == "float32"
    assert model.trainable_weights[0].dtype == "float32"
    assert np.isfinite(outputs).all()


def test_weights_from_a_file(name, tmp_path):
    model = build(name)
    for file in ("m.weights.h5", "m.keras"):
        path = tmp_path / file
        model.save(path) if path.suffix == ".keras" else model.save_weights(path)
        restored = build(name, weights=path)
        np.testing.assert_array_equal(restored(noise(model)), model(noise(model)))
    with pytest.raises(ValueError, match=f"do not fit {name}"):
        build(name, weights=path, classes=7)


def test_weights_by_name(name):
    for weights in zoo.card(name).weights:
        model = build(name, weights=weights)
        assert np.isfinite(model(noise(model))).all()


def test_without_the_classifier(name):
    channels = build(name, include_top=False).output_shape[-1]
    for pooling in ("avg", "max"):
        model = build(name, include_top=False, pooling=pooling)
        assert model.output_shape == (None, channels)
        if zoo.card(name).group:
            report = zoo.equivariance_report(model)
            assert report.output_error < 1e-5


@pytest.mark.parametrize("training", [False, True])
def test_equivariant_to_its_group_and_only_then(name, training):
    card = zoo.card(name)
    keras.config.set_dtype_policy("float64")
    try:
        model = build(name, classifier_activation=None)
    finally:
        keras.config.set_dtype_policy("float32")
    draw_again(model)
    images = noise(model).astype("float64")
    error = equivariance_error(
        card.group or "C4", lambda x: model(x, training=training), images
    )
    if card.group:
        assert error < 1e-12
    else:
        assert error > 0.05


def test_float32_error_is_within_rounding(name):
    card = zoo.card(name)
    model = build(name)
    if not card.group:
        draw_again(model)
    report = zoo.equivariance_report(model)
    if card.group:
        assert report.group == card.group
        assert report.exact and report.output_error < 1e-5
    else:
        assert report.output_error > 0.05 and not report.exact


def test_other_classes_channels_and_admissible_sizes(name):
    size = zoo.card(name).input_shape[0]
    sizes = zoo.admissible_sizes(build(name), size, size + 6) or [size]
    model = build(name, input_shape=(sizes[-1], sizes[-1], 3), classes=3)
    assert model(noise(model, 2)).shape == (2, 3)


@pytest.mark.parametrize(
    "arguments, message",
    [
        ({"classes": 0}, "`classes` must be a positive integer.*classes=0"),
        ({"classes": "ten"}, "`classes` must be a positive integer"),
        ({"pooling": "avg"}, "`pooling` is for include_top=False"),
        ({"pooling": "sum", "include_top": False}, "None, 'avg' or 'max'"),
        ({"input_shape": (28, 28)}, r"must be \(height, width, channels\)"),
        ({"input_shape": (28, 28, None)}, r"must be \(height, width, channels\)"),
        ({"input_shape": (28, -28, 1)}, r"must be \(height, width, channels\)"),
        ({"input_shape": (4, 4, 1)}, "smaller than the window|zero or negative"),
        ({"weights": "imagenet"}, "`weights` of .* must be None.*'imagenet'"),
        ({"weights": "nowhere.keras"}, "`weights` of .* must be None"),
        ({"classifier_activation": "softmix"}, "softmix"),
    ],
)
def test_arguments_that_are_refused(name, arguments, message):
    shape = arguments.get("input_shape")
    takes_it = (shape == (4, 4, 1) and name in ANY_SIZE) or (
        shape == (28, 28) and name == "mlp"
    )
    if takes_it:
        assert zoo.create_model(name, input_shape=shape).output_shape == (None, 10)
        return
    with pytest.raises(ValueError, match=message):
        zoo.create_model(name, **arguments)


def test_groups_on_cards_exist(name):
    if zoo.card(name).group:
        get_group(zoo.card(name).group)
