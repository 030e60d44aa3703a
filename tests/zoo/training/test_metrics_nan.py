"""NaN stays NaN: in every metric, in evaluation, and to the end of a run."""

import json
import sys

import keras
import numpy as np
import pytest
import tensorflow as tf
import tiny_data

import zoo
from zoo.audio.tasks import TASKS, metrics_for_task
from zoo.training import evaluate, metrics, train
from zoo.training.callbacks.validation import Validation
from zoo.training.distributed.together import Together
from zoo.training.evaluation import measure
from zoo.training.metrics.keras_metrics import with_stock_metrics
from zoo.training.sounds import measure_sounds
from zoo.training.top_k import top_k_correct

CLASSES = 6
random = np.random.default_rng(0)
RIGHTS = np.eye(CLASSES, dtype="float32")[random.integers(0, CLASSES, 12)]
TEMPO = random.uniform(40, 200, 12).astype("float32")

# Of each task: targets and outputs.
OF_TASKS = {
    "classes": (RIGHTS.argmax(-1), random.dirichlet(np.ones(CLASSES), 12)),
    "binary": (RIGHTS[:, :1], random.uniform(size=(12, 1))),
    "tags": (RIGHTS, random.uniform(size=(12, CLASSES))),
    "rating": (TEMPO[:, None] / 2, random.uniform(1, 100, (12, 1))),
    "tempo": (TEMPO, random.dirichlet(np.ones(256), 12)),
}
SIGNALS = random.normal(size=(12, 50)), random.normal(size=(12, 50))
BY_TEMPO = TEMPO, TEMPO * random.choice([1, 2, 1.5], 12)


def cases():
    for task in TASKS:
        (metric,) = metrics_for_task(task, CLASSES)
        yield pytest.param(metric, *OF_TASKS[task], id=task)
    for name in metrics.__all__:
        if name == "MacroRocAuc":
            yield pytest.param(metrics.MacroRocAuc(CLASSES), *OF_TASKS["tags"], id=name)
        elif name == "TempoAccuracy":
            for kind in (0, 1, 2):
                own = metrics.TempoAccuracy(kind)
                yield pytest.param(own, *BY_TEMPO, id=f"{name}-{kind}")
                yield pytest.param(own, *OF_TASKS["tempo"], id=f"{name}-{kind}-scores")
        elif name == "ScaleInvariantSDR":
            yield pytest.param(metrics.ScaleInvariantSDR(), *SIGNALS, id=name)
        elif name == "SongAccuracy":
            own = metrics.SongAccuracy()
            yield pytest.param(own, *OF_TASKS["classes"], id=name)
            targets, outputs = OF_TASKS["binary"]
            targets = targets.astype("int64")
            yield pytest.param(own, targets, outputs, id=f"{name}-binary")
        elif name != "song_scores":
            task = {
                "BinaryAccuracy": "binary",
                "MeanAbsoluteError": "rating",
                "SparseCategoricalAccuracy": "classes",
            }[name]
            yield pytest.param(getattr(metrics, name)(), *OF_TASKS[task], id=name)


def updated(metric, targets, outputs, first=0, weights=None):
    """The result after examples that are each a song of its own."""
    songs = {}
    if isinstance(metric, metrics.SongAccuracy):
        songs = {"songs": np.arange(first, first + len(targets))}
    metric.update_state(targets, outputs, sample_weight=weights, **songs)
    return float(metric.result())


@pytest.mark.parametrize(("metric", "targets", "outputs"), [*cases()])
def test_one_nan_makes_the_result_nan_unless_it_has_no_weight(metric, targets, outputs):
    metric.reset_state()
    weights = np.r_[1.0, 2.0, 1.0, 0.0, 0.5, np.ones(7)]
    plain = updated(metric, targets, outputs)
    metric.reset_state()
    weighted = updated(metric, targets, outputs, weights=weights)
    assert np.isfinite([plain, weighted]).all()

    broken = np.array(outputs, "float64")
    broken[3:4].flat[-1] = np.nan
    metric.reset_state()
    assert updated(metric, targets, broken, weights=weights) == weighted
    metric.reset_state()
    assert np.isnan(updated(metric, targets, broken))
    # It stays, whatever comes after.
    assert np.isnan(updated(metric, targets, outputs, first=12))
    metric.reset_state()
    assert updated(metric, targets, outputs) == plain

    broken[:] = np.nan
    metric.reset_state()
    assert np.isnan(updated(metric, targets, broken))


@pytest.mark.parametrize("task", TASKS)
@pytest.mark.parametrize("steps_per_execution", [1, 3])
def test_a_compiled_model_of_nan_has_no_metric(task, steps_per_execution):
    targets, outputs = OF_TASKS[task]
    model = keras.Sequential([keras.Input(outputs.shape[1:]), keras.layers.Identity()])
    (metric,) = metrics_for_task(task, CLASSES)
    model.compile(
        loss=lambda y_true, y_pred: keras.ops.mean(y_pred, axis=-1),  # Keras wants some
        metrics=[metric],
        steps_per_execution=steps_per_execution,
    )
    name = metric.name
    arguments = {"batch_size": 5, "verbose": 0, "return_dict": True}
    assert np.isfinite(model.evaluate(outputs, targets, **arguments)[name])
    broken = np.array(outputs)
    broken[7] = np.nan
    assert np.isnan(model.evaluate(broken, targets, **arguments)[name])


def test_top_k_of_nan_is_nan():
    scores = np.array([[0.1, 0.9, 0.0], [0.5, np.nan, 0.2]])
    expected = [1, np.nan]
    np.testing.assert_array_equal(top_k_correct(np.array([1, 0]), scores, 2), expected)


def net(outputs, name):
    """A model that returns what it is given."""
    inputs = keras.Input(outputs.shape[1:])
    named = keras.layers.Activation("linear", name=name)(inputs)
    return keras.Model(inputs, named)


@pytest.mark.parametrize("task", TASKS)
def test_measured_sounds_with_one_nan_have_no_number(task):
    targets, outputs = OF_TASKS[task]
    outputs = outputs.astype("float32")
    songs = np.arange(12) // 2
    # Both clips of a song have its class.
    targets = targets[songs * 2]
    if task == "binary":
        targets = targets[:, 0]
    model = net(outputs, TASKS[task].output)

    def measured(outputs):
        data = tf.data.Dataset.from_tensor_slices((outputs, targets)).batch(5)
        return measure_sounds(model, data, task, songs)

    plain = measured(outputs)
    outputs = outputs.copy()
    outputs[4, 0] = np.nan
    result = measured(outputs)
    assert result["examples"] == 12
    if task in ("classes", "binary"):
        assert plain["confusion"].sum() == 12
        assert result["confusion"].sum() == 11
        assert "song_accuracy" in result
    for name in set(result) - {"examples", "confusion"}:
        assert np.isfinite(plain[name]) and np.isnan(result[name]), name


@pytest.mark.parametrize("views", [1, 10])
def test_measured_images_with_one_nan_have_no_number(views):
    images = random.uniform(size=(12, 6, 6, 1)).astype("float32")
    inputs = keras.Input((6, 6, 1) if views == 1 else (4, 4, 1))
    flat = keras.layers.Flatten()(inputs)
    top = keras.layers.Dense(CLASSES, "softmax", name="probabilities")(flat)
    model = keras.Model(inputs, top)

    def measured(images):
        data = tf.data.Dataset.from_tensor_slices((images, np.arange(12) % CLASSES))
        return measure(model, data.batch(5), views)

    plain = measured(images)
    images[4, 3, 3] = np.nan
    result = measured(images)
    assert (result["examples"], result["confusion"].sum()) == (12, 11)
    assert plain["confusion"].sum() == 12
    names = set(result) - {"examples", "confusion"}
    assert {"loss", "accuracy", "error", "top_5_accuracy", "top_5_error"} == names
    for name in names:
        assert np.isfinite(plain[name]) and np.isnan(result[name]), name


@pytest.mark.parametrize("task", TASKS)
def test_validation_of_nan(task):
    targets, outputs = OF_TASKS[task]
    outputs = outputs.astype("float32")
    outputs[0, 0] = np.nan
    model = net(outputs, "outputs")
    data = tf.data.Dataset.from_tensor_slices((outputs, targets)).batch(5)
    loss = zoo.audio.tasks.loss_for_task(task)
    own = metrics_for_task(task, CLASSES)
    validation = Validation(data, loss, own, Together(None))
    validation.set_model(model)
    validation.on_train_begin()
    logs = {}
    validation.on_epoch_end(0, logs)
    assert len(logs) == 2 and np.isnan(list(logs.values())).all(), logs


def test_a_run_whose_last_step_diverges_ends_with_nan(monkeypatch, tmp_path):
    """The loss of the last epoch was finite, the weights after it are not."""
    tiny_data.install(monkeypatch)

    def diverge(model, data):
        for weight in model.trainable_weights:
            weight.assign(np.full(weight.shape, np.nan))

    monkeypatch.setattr(
        sys.modules["zoo.training.train"], "reestimate_batch_normalization", diverge
    )
    options = {"epochs": 1, "batch_size": 96}
    result = train("tiny_net", "tiny", tmp_path / "run", **options)
    unknown = {name for name, value in result.items() if np.isnan(value)}
    assert unknown == {
        "test_error",
        "test_accuracy",
        "test_loss",
        "train_accuracy",
        "equivariance_error",
    }

    def strict(text):
        raise ValueError(f"{text} is no JSON")

    for name in ("metrics.json", "card.json"):
        json.loads((tmp_path / "run" / name).read_text(), parse_constant=strict)
    for name in ("training_curves.png", "confusion_matrix.png"):
        assert (tmp_path / "run" / name).stat().st_size > 0
    again = train("tiny_net", "tiny", tmp_path / "run", **options)
    np.testing.assert_equal(again, result)
    evaluated = evaluate(tmp_path / "run", "tiny")
    assert np.isnan(evaluated["accuracy"]) and not evaluated["confusion"].any()
    card = zoo.ModelCard.from_json((tmp_path / "run" / "card.json").read_text())
    assert np.isnan(card.results[-1].value)


def test_a_model_is_saved_with_metrics_of_keras_alone():
    """So that Keras reads it where this package is not installed."""
    model = keras.Sequential([keras.Input((3,)), keras.layers.Dense(2, "softmax")])
    loss = "sparse_categorical_crossentropy"
    model.compile("sgd", loss, metrics=metrics_for_task("classes", 2))
    x, y = np.random.default_rng(0).normal(size=(8, 3)), np.arange(8) % 2
    model.fit(x, y, verbose=0)
    before = model.evaluate(x, y, verbose=0, return_dict=True)
    assert "convzoo>" in json.dumps(model.get_compile_config())
    model = with_stock_metrics(model)
    config = json.dumps(model.get_compile_config())
    assert "convzoo>" not in config and "SparseCategoricalAccuracy" in config
    assert model.evaluate(x, y, verbose=0, return_dict=True) == before
    assert int(model.optimizer.iterations) == 1
