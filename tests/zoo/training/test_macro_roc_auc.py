"""The area under the ROC curve by rank, against scikit-learn."""

import json
import sys
from types import SimpleNamespace

import keras
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import roc_auc_score
from two_workers import HELPERS, end, start

from zoo.training.callbacks.backup import Backup
from zoo.training.distributed.interruptions import Preempted
from zoo.training.distributed.together import Together
from zoo.training.fit import compile_for
from zoo.training.metrics import MacroRocAuc, TempoAccuracy, macro_roc_auc
from zoo.training.recipes import find_recipe


def examples(labels=5, count=400, seed=0):
    random = np.random.default_rng(seed)
    return random, (random.uniform(size=(count, labels)) < 0.2).astype("float32")


def updated(tags, scores, weights=None, batches=3):
    metric = MacroRocAuc(tags.shape[1])
    for part in np.array_split(np.arange(len(tags)), batches):
        own = None if weights is None else weights[part]
        metric.update_state(tags[part], scores[part], sample_weight=own)
    return float(metric.result())


@pytest.mark.parametrize("kind", ["float32", "float64"])
def test_scores_of_rare_tags(kind):
    """Thresholds from sigmoid(-12) to sigmoid(12) told few of them apart."""
    random, tags = examples()
    logits = random.normal(-14, 2, tags.shape) + 1.5 * tags
    scores = (1 / (1 + np.exp(-logits))).astype(kind)
    expected = roc_auc_score(tags, scores, average="macro")
    assert expected > 0.6
    assert updated(tags, scores) == pytest.approx(expected, abs=1e-9)
    # The rank is that of the logits too, which are negative.
    assert updated(tags, logits) == pytest.approx(expected, abs=1e-6)


def test_tiny_scores():
    random, tags = examples()
    scores = 10 ** (random.uniform(-9, -6, tags.shape) + 0.7 * tags)
    expected = roc_auc_score(tags, scores, average="macro")
    assert expected > 0.6
    assert updated(tags, scores) == pytest.approx(expected, abs=1e-9)


def test_neighbouring_floating_point_numbers_are_told_apart():
    for kind in ("float32", "float64"):
        one = np.ones((1, 1), kind)
        scores = np.concatenate([one, np.nextafter(one, 2)])
        assert updated(np.array([[0], [1]]), scores, batches=2) == 1


def test_infinite_scores_have_a_rank():
    tags = np.array([[0], [1], [0], [1]])
    scores = np.array([[-np.inf], [0.5], [np.inf], [np.inf]])
    assert updated(tags, scores) == 2.5 / 4


@settings(max_examples=60, deadline=None)
@given(
    st.integers(1, 40),
    st.integers(1, 4),
    st.integers(1, 6),
    st.sampled_from([2, 5, 1000]),
    st.booleans(),
    st.integers(0, 10**6),
)
def test_any_batches_ties_and_weights(count, labels, batches, values, weighted, seed):
    random = np.random.default_rng(seed)
    tags = random.integers(0, 2, (count, labels))
    scores = (random.integers(0, values, tags.shape) / values).astype("float32")
    weights = random.choice([0.0, 0.3, 1.0, 2.5], count) if weighted else None
    counts = np.ones(count, bool) if weights is None else weights > 0
    expected = [
        roc_auc_score(tag, score, sample_weight=weights)
        for tag, score in zip(tags.T, scores.T, strict=True)
        if len(set(tag[counts])) == 2
    ]
    expected = np.mean(expected) if expected else np.nan
    measured = updated(tags, scores, weights, batches)
    assert measured == pytest.approx(expected, abs=1e-9, nan_ok=True)


def test_a_tag_that_holds_by_a_share_is_two_examples():
    shares, scores = np.array([[0.25], [1], [0]]), np.array([[0.4], [0.6], [0.5]])
    expected = roc_auc_score(
        [1, 0, 1, 0], [0.4, 0.4, 0.6, 0.5], sample_weight=[0.25, 0.75, 1, 1]
    )
    assert updated(shares, scores) == pytest.approx(expected)


@pytest.mark.parametrize(
    ("tags", "weights", "message"),
    [
        ([[-1], [1]], None, "`y_true` between 0 and 1. Received: values -1.0 to 1.0"),
        ([[0], [1]], [1, -1], "one number >= 0 for each of 2 examples"),
        ([[0], [1]], [1, np.nan], "one number >= 0 for each of 2 examples"),
        ([[0], [1]], [1, 1, 1], "one number >= 0 for each of 2 examples"),
        ([[0]], None, "of one shape"),
    ],
)
def test_what_has_no_rank_is_refused(tags, weights, message):
    with pytest.raises(ValueError, match=message):
        MacroRocAuc(1).update_state(tags, [[0.1], [0.2]], sample_weight=weights)


def tagger(rate=0.0, **compiled):
    keras.utils.set_random_seed(0)
    model = keras.Sequential([keras.Input((4,)), keras.layers.Dense(3, "sigmoid")])
    optimizer = keras.optimizers.SGD(rate)
    model.compile(optimizer, "mse", metrics=[MacroRocAuc(3)], **compiled)
    return model


def tagged(count=90):
    random, tags = examples(3, count)
    return random.normal(size=(count, 4)).astype("float32"), tags


@pytest.mark.parametrize("steps_per_execution", [1, 4])
def test_a_compiled_model_evaluates_exactly(steps_per_execution):
    inputs, tags = tagged()
    model = tagger(steps_per_execution=steps_per_execution)
    expected = roc_auc_score(tags, model.predict(inputs, verbose=0), average="macro")
    for _ in range(2):  # the second time from nothing
        result = model.evaluate(inputs, tags, batch_size=8, verbose=0, return_dict=True)
        assert result["roc_auc"] == pytest.approx(expected, abs=1e-9)


@pytest.mark.parametrize("steps_per_execution", [1, 4])
def test_the_log_of_an_epoch_is_of_what_each_step_saw(steps_per_execution):
    inputs, tags = tagged()
    own = tagger(0.5)
    expected = []
    for _ in range(2):
        scores = []
        for first in range(0, 90, 10):
            batch = slice(first, first + 10)
            scores.append(own.predict_on_batch(inputs[batch]))
            own.train_on_batch(inputs[batch], tags[batch])
        expected.append(roc_auc_score(tags, np.concatenate(scores), average="macro"))
    model = tagger(0.5, steps_per_execution=steps_per_execution)
    history = model.fit(
        inputs, tags, batch_size=10, epochs=2, shuffle=False, verbose=0
    ).history
    assert history["roc_auc"] == pytest.approx(expected, abs=1e-9)
    assert abs(expected[0] - expected[1]) > 1e-3


def test_an_epoch_ranks_its_examples_a_few_times(monkeypatch):
    counts = []
    area = macro_roc_auc._macro_area

    def counted(tags, scores, weights):
        counts.append(len(tags))
        return area(tags, scores, weights)

    monkeypatch.setattr(macro_roc_auc, "_macro_area", counted)
    inputs, tags = tagged(600)
    tagger().fit(inputs, tags, batch_size=2, verbose=0)
    assert counts[-1] == 600
    # The last of all of them, and each before of 4 / 5 at most of the next.
    assert sum(counts) < 600 * (1 + 1 / (1 - 4 / 5))


def test_two_devices_of_one_process(tmp_path):
    script = [sys.executable, "-W", "ignore", HELPERS / "mirrored_roc_auc.py"]
    log = tmp_path / "log"
    assert end([start([*script, tmp_path / "areas"], log)], 300) == [0], log.read_text()
    areas = json.loads((tmp_path / "areas").read_text())
    expected = pytest.approx(areas["expected"], abs=1e-9)
    assert areas["evaluated"] == expected
    assert areas["trained"] == [expected] * 2


def test_a_model_that_xla_compiles_is_told_what_to_do():
    inputs, tags = tagged()
    with pytest.raises(Exception, match="MacroRocAuc_needs_jit_compile_False"):
        tagger(jit_compile=True).fit(inputs, tags, verbose=0)


def test_a_function_that_jax_compiles_is_told_what_to_do():
    jax = pytest.importorskip("jax")
    metric = MacroRocAuc(1)
    with pytest.raises(TypeError, match="MacroRocAuc takes arrays: update it outside"):
        jax.jit(lambda x: metric.update_state([[1.0]], x))(np.ones((1, 1)))


@pytest.mark.parametrize(
    ("metric", "expected"), [(MacroRocAuc(3), False), (TempoAccuracy(), "auto")]
)
def test_training_leaves_xla_out_for_a_metric_on_the_host(
    metric, expected, monkeypatch
):
    model = tagger()
    given = {}
    monkeypatch.setattr(model, "compile", lambda **arguments: given.update(arguments))
    recipe = find_recipe("cosine", epochs=1, batch_size=8)
    compile_for(model, recipe, 4, "mse", lambda: [metric], Together(None))
    assert given["jit_compile"] == expected
    assert given["metrics"] == [metric]


def test_an_epoch_goes_on_in_another_process_with_all_its_examples(tmp_path):
    inputs, tags = tagged()
    model = tagger()
    expected = roc_auc_score(tags, model.predict(inputs, verbose=0), average="macro")
    told_to_stop = SimpleNamespace(asked=False)

    class StopAfter4(keras.callbacks.Callback):
        def on_train_batch_begin(self, batch, logs=None):
            told_to_stop.asked = batch == 3

    backup = Backup(tmp_path, steps=9, terminated=told_to_stop)
    options = {"batch_size": 10, "shuffle": False, "verbose": 0}
    with pytest.raises(Preempted):
        model.fit(inputs, tags, callbacks=[StopAfter4(), backup], **options)
    model, backup = tagger(), Backup(tmp_path, steps=9)
    assert backup.restore(model) == 0 and backup.first_step == 4
    logs = model.fit(inputs[40:], tags[40:], callbacks=[backup], **options).history
    assert backup.rows[0]["roc_auc"] == logs["roc_auc"][0]
    assert logs["roc_auc"][0] == pytest.approx(expected, abs=1e-9)
