"""The five tasks of sound nets: heads, losses, metrics, answers."""

import keras
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import log_loss, roc_auc_score

import zoo
from zoo.audio import m5, sample_cnn
from zoo.audio._head import check_task
from zoo.audio.rating_squared_error import RatingSquaredError
from zoo.audio.tasks import TASKS, decode, loss_for_task, metrics_for_task
from zoo.audio.tempo_crossentropy import TempoCrossentropy
from zoo.training.metrics.macro_roc_auc import MacroRocAuc

CLASSES = 6
UNITS = {"classes": CLASSES, "binary": 1, "tags": CLASSES, "rating": 1, "tempo": 256}
OUTPUTS = {
    "classes": "probabilities",
    "binary": "probability",
    "tags": "tags",
    "rating": "rating",
    "tempo": "tempo",
}
BUILDERS = {
    "m5": lambda **a: m5(input_shape=(1500, 1), classes=CLASSES, filters=8, **a),
    "sample_cnn": lambda **a: sample_cnn(
        input_shape=(243, 1), classes=CLASSES, variant="res", multi_level=True, **a
    ),
}


def numpy(values):
    return keras.ops.convert_to_numpy(values)


def noise(*shape, seed=0):
    return np.random.default_rng(seed).standard_normal(shape).astype("float32")


def targets_of(task, batch=8, seed=0):
    rng = np.random.default_rng(seed)
    return {
        "classes": rng.integers(0, CLASSES, batch),
        "binary": rng.integers(0, 2, batch).astype("float32"),
        "tags": rng.integers(0, 2, (batch, CLASSES)).astype("float32"),
        "rating": rng.uniform(1, 100, batch).astype("float32"),
        "tempo": rng.uniform(30, 285, batch).astype("float32"),
    }[task]


def without_dropout(model):
    for layer in model.layers:
        if isinstance(layer, keras.layers.Dropout):
            layer.rate = 0.0
    return model


@pytest.mark.parametrize("task", TASKS)
@pytest.mark.parametrize("net", BUILDERS)
def test_every_task_builds_trains_and_is_saved(net, task, tmp_path):
    model = without_dropout(BUILDERS[net](task=task))
    assert model.output_names == [OUTPUTS[task]]
    assert model.output_shape == (None, UNITS[task])
    metrics = metrics_for_task(task, CLASSES)
    model.compile(keras.optimizers.SGD(0.01), loss_for_task(task), metrics=metrics)
    inputs, targets = noise(8, *model.input_shape[1:]), targets_of(task)
    results = [
        model.train_on_batch(inputs, targets, return_dict=True) for _ in range(2)
    ]
    assert results[1]["loss"] < results[0]["loss"]
    (metric,) = set(results[0]) - {"loss"}
    assert np.isfinite(results[0][metric])
    model.save(tmp_path / "m.keras")
    restored = zoo.load_model(tmp_path / "m.keras")
    np.testing.assert_array_equal(restored(inputs), model(inputs))
    # It is compiled again with the same loss and metric.
    assert restored.test_on_batch(inputs, targets) == pytest.approx(
        model.test_on_batch(inputs, targets)
    )


@pytest.mark.parametrize("task", TASKS)
def test_outputs_are_the_activation_of_the_logits(task):
    model = BUILDERS["m5"](task=task)
    logits = BUILDERS["m5"](task=task, classifier_activation=None)
    logits.set_weights(model.get_weights())
    assert logits.output_names == ["logits"]
    inputs = 10 * noise(4, 1500, 1)
    x = numpy(logits(inputs))
    expected = {
        "softmax": lambda: np.exp(x) / np.exp(x).sum(axis=-1, keepdims=True),
        "sigmoid": lambda: 1 / (1 + np.exp(-x)),
    }[TASKS[task].activation]()
    if task == "rating":
        expected = 1 + 99 * expected
    outputs = model(inputs)
    np.testing.assert_allclose(outputs, expected, rtol=1e-5, atol=1e-6)
    named = BUILDERS["m5"](task=task, classifier_activation=TASKS[task].activation)
    assert named.output_names == model.output_names


@pytest.mark.parametrize("task", TASKS)
def test_losses_of_logits_and_of_outputs_agree(task):
    logits = noise(8, UNITS[task])
    outputs = keras.ops.softmax(logits) if UNITS[task] > 1 else None
    if TASKS[task].activation == "sigmoid":
        outputs = keras.ops.sigmoid(logits)
    if task == "rating":
        outputs = 1 + 99 * outputs
    targets = targets_of(task)
    assert float(loss_for_task(task)(targets, outputs)) == pytest.approx(
        float(loss_for_task(task, from_logits=True)(targets, logits)), rel=1e-5
    )


@pytest.mark.parametrize("task", TASKS)
@pytest.mark.parametrize("policy", ["mixed_bfloat16", "mixed_float16"])
def test_the_head_is_in_full_precision(task, policy):
    keras.config.set_dtype_policy(policy)
    try:
        model = BUILDERS["m5"](task=task)
    finally:
        keras.config.set_dtype_policy("float32")
    outputs = model(noise(4, 1500, 1))
    assert keras.backend.standardize_dtype(outputs.dtype) == "float32"
    assert model.get_layer("conv_2").compute_dtype == policy[6:]
    # As fine as float32: a whole-number rating could never be told in bfloat16.
    x = keras.KerasTensor((None, UNITS[task]), dtype=policy[6:])
    assert model.layers[-1].compute_output_spec(x).dtype == "float32"
    assert np.isfinite(loss_for_task(task)(targets_of(task, 4), outputs))


def test_a_rating_stays_within_1_and_100():
    model = BUILDERS["m5"](task="rating")
    inputs = noise(4, 1500, 1)
    for bias, expected in ((-200.0, 1.0), (0.0, 50.5), (200.0, 100.0)):
        top = model.get_layer("top")
        top.set_weights([np.zeros_like(top.get_weights()[0]), np.array([bias])])
        outputs = model(inputs)
        np.testing.assert_array_equal(outputs, np.full((4, 1), expected, "float32"))


def test_a_rating_is_not_compared_with_those_of_other_sounds():
    """(batch,) minus (batch, 1) is a table, and its mean a plausible wrong number."""
    targets, outputs = np.array([10.0, 90.0]), np.array([[10.0], [90.0]])
    for shape in ((2,), (2, 1)):
        assert float(RatingSquaredError()(targets.reshape(shape), outputs)) == 0
    (metric,) = metrics_for_task("rating", 0)
    metric.update_state(targets, outputs + 7)
    assert float(metric.result()) == pytest.approx(7)
    assert float(RatingSquaredError()(targets, outputs + 20)) == pytest.approx(0.04)


@settings(deadline=None, max_examples=30)
@given(
    st.integers(30, 285),
    st.floats(-0.5, 0.5, exclude_max=True, width=16),
)
def test_a_tempo_is_rounded_half_up(bpm, offset):
    scores = np.full((1, 256), 1e-3, "float32")
    scores[0, bpm - 30] = 1 - 255e-3
    loss = float(TempoCrossentropy()(np.array([bpm + offset]), scores))
    assert loss == pytest.approx(-np.log(1 - 255e-3), rel=1e-4)


def test_tempo_crossentropy_is_that_of_scikit_learn():
    bpm = targets_of("tempo", 20)
    scores = np.exp(noise(20, 256))
    scores /= scores.sum(axis=-1, keepdims=True)
    expected = log_loss(
        np.floor(bpm + 0.5).astype(int) - 30, scores, labels=list(range(256))
    )
    for targets in (bpm, bpm[:, None]):
        assert float(TempoCrossentropy()(targets, scores)) == pytest.approx(
            expected, rel=1e-5
        )


@pytest.mark.parametrize("bpm", [0.0, 29.4, 285.5, 286.0, np.nan, np.inf, -120.0])
def test_a_tempo_outside_the_classes_is_never_moved_into_them(bpm):
    scores = np.full((2, 256), 1 / 256, "float32")
    assert np.isnan(float(TempoCrossentropy()(np.array([120.0, bpm]), scores)))
    assert np.isfinite(float(TempoCrossentropy()(np.array([29.5, 285.4]), scores)))


@pytest.mark.parametrize("shape", [(2, 255), (2, 257), (2, 1), (256,), (2, 4, 256)])
def test_tempo_crossentropy_refuses_other_classes(shape):
    with pytest.raises(ValueError, match=r"\(batch, 256\).*Received: shape="):
        TempoCrossentropy().call(np.array([120.0, 90.0]), np.zeros(shape, "float32"))


@pytest.mark.parametrize("loss", [TempoCrossentropy, RatingSquaredError])
def test_losses_can_be_saved(loss):
    config = keras.saving.serialize_keras_object(loss(from_logits=True, name="l"))
    restored = keras.saving.deserialize_keras_object(config)
    assert config["registered_name"] == f"convzoo>{loss.__name__}"
    assert restored.from_logits is True and restored.name == "l"


def test_metrics_are_those_of_numpy_and_scikit_learn():
    rng = np.random.default_rng(0)

    def measure(task, targets, outputs):
        (metric,) = metrics_for_task(task, CLASSES)
        for part in (slice(0, 20), slice(20, None)):
            metric.update_state(targets[part], outputs[part])
        return float(metric.result())

    labels, scores = rng.integers(0, CLASSES, 50), rng.uniform(size=(50, CLASSES))
    right = (scores.argmax(-1) == labels).mean()
    assert measure("classes", labels, scores) == pytest.approx(right)
    yes, outputs = rng.integers(0, 2, 50), rng.uniform(size=(50, 1))
    right = ((outputs[:, 0] > 0.5) == yes).mean()
    assert measure("binary", yes, outputs) == pytest.approx(right)
    bpm = rng.integers(30, 286, 50)
    estimates = np.eye(256)[np.where(rng.uniform(size=50) < 0.3, 99, bpm - 30)]
    right = (np.abs(estimates.argmax(-1) + 30 - bpm) <= 0.04 * bpm).mean()
    assert measure("tempo", bpm.astype("float32"), estimates) == pytest.approx(right)


def test_macro_roc_auc_is_that_of_scikit_learn():
    """Of rare tags: Keras's own 200 even thresholds tell few of their scores apart."""
    rng = np.random.default_rng(0)
    tags = rng.uniform(size=(500, 30)) < 0.05
    logits = rng.normal(size=tags.shape) - 4 + 1.2 * tags
    scores = 1 / (1 + np.exp(-logits))
    metric = MacroRocAuc(30)
    for part in np.array_split(np.arange(500), 7):
        metric.update_state(tags[part], scores[part])
    expected = roc_auc_score(tags, scores, average="macro")
    assert float(metric.result()) == pytest.approx(expected, abs=1e-9)


def test_macro_roc_auc_leaves_out_what_has_no_area():
    rng = np.random.default_rng(0)
    tags, scores = rng.integers(0, 2, (40, 4)), rng.uniform(size=(40, 4))
    tags[:, 0], tags[:, 2] = 0, 1
    (metric,) = metrics_for_task("tags", 4)
    metric.update_state(tags, scores)
    expected = roc_auc_score(tags[:, [1, 3]], scores[:, [1, 3]], average="macro")
    assert float(metric.result()) == pytest.approx(expected, abs=1e-9)
    metric.reset_state()
    metric.update_state(tags[:, [0, 2, 0, 2]], scores)
    assert np.isnan(float(metric.result()))


def test_macro_roc_auc_is_saved_and_refuses():
    config = keras.saving.serialize_keras_object(MacroRocAuc(7, name="auc"))
    restored = keras.saving.deserialize_keras_object(config)
    assert config["registered_name"] == "convzoo>MacroRocAuc"
    assert (restored.num_labels, restored.name) == (7, "auc")
    for labels in (0, True, 2.0, None):
        with pytest.raises(ValueError, match="`num_labels` must be a positive"):
            MacroRocAuc(labels)
    for shape in ((2, 6), (2,), (2, 7, 1)):
        with pytest.raises(ValueError, match=r"`y_pred` of shape \(batch, 7\)"):
            MacroRocAuc(7).update_state(np.zeros((2, 7)), np.zeros(shape))
    with pytest.raises(ValueError, match=r"`y_true` of shape \(batch, 7\)"):
        MacroRocAuc(7).update_state(np.zeros(2), np.zeros((2, 7)))


def test_macro_roc_auc_takes_weights():
    rng = np.random.default_rng(0)
    tags, scores = rng.integers(0, 2, (60, 3)), rng.uniform(size=(60, 3))
    weights = rng.uniform(0, 2, 60)
    metric = MacroRocAuc(3)
    metric.update_state(tags, scores, sample_weight=weights)
    expected = roc_auc_score(tags, scores, average="macro", sample_weight=weights)
    assert float(metric.result()) == pytest.approx(expected, abs=1e-9)


@pytest.mark.parametrize("task", TASKS)
def test_answers(task):
    outputs = {
        "classes": [[0.2, 0.7, 0.1], [0.5, 0.1, 0.4]],
        "binary": [[0.7], [0.5]],
        "tags": [[0.2, 0.7, 0.6], [0.5, 0.9, 0.4]],
        "rating": [[1.0], [72.5]],
        "tempo": np.eye(256)[[0, 255]],
    }[task]
    expected = {
        "classes": [1, 0],
        "binary": [True, False],
        "tags": [[False, True, True], [False, True, False]],
        "rating": [1.0, 72.5],
        "tempo": [30, 285],
    }[task]
    answers = decode(task, np.array(outputs, "float32"))
    np.testing.assert_array_equal(answers, expected)
    kind = TASKS[task].answer.split()[0]
    assert answers.dtype == kind
    assert decode(task, np.zeros((0, UNITS[task]))).shape[0] == 0


@pytest.mark.parametrize("task", TASKS)
def test_outputs_that_have_no_answer(task):
    bad = {
        "logits": np.full((2, UNITS[task]), -3.0),
        "NaN": np.full((2, UNITS[task]), np.nan),
        "above": np.full((2, UNITS[task]), 101.0),
        "one axis": np.full((UNITS[task],), 1.0),
    }
    if TASKS[task].units:
        bad["units"] = np.full((2, UNITS[task] + 1), 1.0)
    for outputs in bad.values():
        with pytest.raises(ValueError, match=f"Outputs for task='{task}' must be"):
            decode(task, outputs)


@pytest.mark.parametrize("task", ["genre", "Classes", "", None, 1, ["classes"]])
def test_tasks_that_are_refused(task):
    message = "`task` must be one of 'classes', 'binary', 'tags', 'rating', 'tempo'"
    for refuse in (
        check_task,
        loss_for_task,
        lambda task: metrics_for_task(task, 3),
        lambda task: decode(task, np.zeros((1, 1))),
        *(lambda task, build=build: build(task=task) for build in BUILDERS.values()),
    ):
        with pytest.raises(ValueError, match=message):
            refuse(task)


@pytest.mark.parametrize(
    "task, activation",
    [
        ("binary", "softmax"),  # of one number it is always 1
        ("classes", "sigmoid"),
        ("rating", "softmax"),
        ("tempo", "sigmoid"),
        ("tags", "softmax"),
        ("classes", "softmix"),
        ("classes", "relu"),
    ],
)
def test_activations_that_would_mean_something_else(task, activation):
    with pytest.raises(ValueError, match=f"with task='{task}' must be.*'{activation}'"):
        BUILDERS["m5"](task=task, classifier_activation=activation)
