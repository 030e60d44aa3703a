"""Nets on sound through train and evaluate: every task, songs, pictures, refusals."""

import json

import keras
import numpy as np
import pytest
import soundfile
import tensorflow as tf

import zoo
from zoo.training import sounds, train
from zoo.training.data.augmentation import AUGMENTATIONS, augmented
from zoo.training.sounds import measure_sounds

RATE = 2000
FAST = {"epochs": 12, "batch_size": 8, "recipe": "sound", "learning_rate": 1e-2}
CLIPS = {"sample_rate": RATE, "seconds": 0.5}


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Tones of four speakers and two pitches, two clips long, labelled for each task.

    The pitch decides every label: 200 Hz is low, 600 Hz is high.
    """
    parent = tmp_path_factory.mktemp("sounds")
    root = parent / "tones"
    random = np.random.default_rng(0)
    table = ["file,label,speaker,liked,tags,rating,bpm"]
    for speaker in "abcd":
        for pitch, name in ((200, "low"), (600, "high")):
            (root / name / speaker).mkdir(parents=True)
            for number in range(3):
                times = np.arange(2 * RATE // 2) / RATE
                tone = np.sin(2 * np.pi * (pitch * random.uniform(0.9, 1.1)) * times)
                tone = 0.3 * tone + 0.01 * random.normal(size=len(times))
                path = f"{name}/{speaker}/{number}.wav"
                soundfile.write(root / path, tone, RATE)
                high = pitch == 600
                table.append(
                    f"{path},{name},{speaker},{'yes' if high else 'no'},"
                    f"{'tone;bright' if high else 'tone;dark'},"
                    f"{80 if high else 20},{150 if high else 90}"
                )
    (parent / "labels.csv").write_text("\n".join(table) + "\n")
    (parent / "liked.csv").write_text(
        "\n".join([table[0].replace("label", "style").replace("liked", "label")])
        + "\n"
        + "\n".join(table[1:])
        + "\n"
    )
    return root


def options(task, folder):
    if task == "classes":
        return {**CLIPS, "split_by": "speaker", "held_out": "d"}
    labels = "liked.csv" if task == "binary" else "labels.csv"
    return {
        **CLIPS,
        "split_by": "speaker",
        "held_out": "d",
        "labels": folder.parent / labels,
        "task": task,
    }


GOOD = {
    "classes": lambda metrics: metrics["test_accuracy"] == 1,
    "binary": lambda metrics: metrics["test_accuracy"] == 1,
    "tags": lambda metrics: metrics["test_roc_auc"] == 1,
    "rating": lambda metrics: metrics["test_mean_absolute_error"] < 15,
    "tempo": lambda metrics: metrics["test_tempo_accuracy_1"] == 1,
}


@pytest.mark.parametrize("task", GOOD)
def test_every_task_is_learnt_and_evaluated_again(task, folder, tmp_path):
    name = "tiny_m5"
    sound = options(task, folder)
    # Other seeds too end well below the bound then; after 12 epochs not all.
    fast = {**FAST, "epochs": 20} if task == "rating" else FAST
    metrics = train(
        "m3", "audio_folder", tmp_path / "run", data_dir=folder, **fast, **sound
    )
    assert GOOD[task](metrics), metrics
    for file in ("model.keras", "card.json", "history.csv", "training_curves.png"):
        assert (tmp_path / "run" / file).stat().st_size > 0
    assert (tmp_path / "run" / "filters.png").stat().st_size > 0
    has_balance = (tmp_path / "run" / "class_balance.png").exists()
    assert has_balance == (task in ("classes", "binary", "tags"))
    has_matrix = (tmp_path / "run" / "confusion_matrix.png").exists()
    assert has_matrix == (task in ("classes", "binary"))
    again = zoo.training.evaluate(
        tmp_path / "run", "audio_folder", data_dir=folder, **sound
    )
    for figure, value in again.items():
        if f"test_{figure}" in metrics:
            assert metrics[f"test_{figure}"] == pytest.approx(value, abs=1e-5), name
    card = json.loads((tmp_path / "run" / "card.json").read_text())
    assert card["sample_rate"] == RATE
    assert card["normalization"]["level"] == 0.1
    # The same command returns the same figures and does not train again.
    assert metrics == train(
        "m3", "audio_folder", tmp_path / "run", data_dir=folder, **fast, **sound
    )


@pytest.mark.parametrize("task", ["classes", "tags"])
def test_a_run_that_diverges_in_its_last_step_ends_with_nan(
    task, folder, tmp_path, monkeypatch
):
    def diverge(model, data):
        for weight in model.trainable_weights:
            weight.assign(np.full(weight.shape, np.nan))

    monkeypatch.setattr(sounds, "reestimate_batch_normalization", diverge)
    given = {"data_dir": folder, **options(task, folder), **FAST, "epochs": 1}
    metrics = train("m3", "audio_folder", tmp_path / "run", **given)
    known = {"test_examples", "epochs", "seconds", "parameters", "seed"}
    assert {name for name, value in metrics.items() if np.isfinite(value)} == known
    assert len(metrics) > len(known)
    assert ": NaN" not in (tmp_path / "run" / "metrics.json").read_text()
    np.testing.assert_equal(
        train("m3", "audio_folder", tmp_path / "run", **given), metrics
    )


def test_a_song_is_the_mean_of_its_clips():
    outputs = np.array([[0.9, 0.1], [0.4, 0.6], [0.45, 0.55]], "float32")
    inputs = keras.Input((2, 1), name="waveform")
    flat = keras.layers.Flatten()(inputs)
    model = keras.Model(
        inputs, keras.layers.Activation("linear", name="probabilities")(flat)
    )
    data = tf.data.Dataset.from_tensor_slices(
        (outputs[..., np.newaxis], np.array([0, 0, 1]))
    ).batch(2)
    result = measure_sounds(model, data, "classes", np.array(["x", "x", "y"]))
    assert result["accuracy"] == pytest.approx(2 / 3)
    assert result["song_accuracy"] == 1
    assert result["confusion"].tolist() == [[1, 1], [0, 1]]


def test_validation_groups_leave_the_test_alone(folder, tmp_path):
    metrics = train(
        "m3",
        "audio_folder",
        tmp_path,
        data_dir=folder,
        **{**FAST, "epochs": 1},
        **options("classes", folder),
        validate_on="c",
    )
    assert "validation_accuracy" in metrics and "test_accuracy" not in metrics
    assert "val_loss" in (tmp_path / "history.csv").read_text()


def test_training_starts_from_the_weights_of_another_run(folder, tmp_path):
    sound = options("classes", folder)
    few = {**FAST, "epochs": 1, "learning_rate": 1e-9}
    train("m3", "audio_folder", tmp_path / "a", data_dir=folder, **FAST, **sound)
    weights = tmp_path / "a" / "model.keras"
    metrics = train(
        "m3",
        "audio_folder",
        tmp_path / "b",
        data_dir=folder,
        weights=weights,
        **few,
        **sound,
    )
    assert metrics["test_accuracy"] == 1
    source = json.loads((tmp_path / "b" / "card.json").read_text())["results"][-1]
    assert "--data-dir FOLDER --weights model.keras" in source["source"]
    assert source["source"].endswith("--split-by speaker --held-out d")
    without = train(
        "m3", "audio_folder", tmp_path / "c", data_dir=folder, **few, **sound
    )
    assert without["test_loss"] > metrics["test_loss"] + 0.1
    with pytest.raises(ValueError, match="another command"):
        train("m3", "audio_folder", tmp_path / "b", data_dir=folder, **few, **sound)


@pytest.mark.parametrize("name", AUGMENTATIONS)
def test_augmentation_is_new_every_epoch_and_the_same_under_a_seed(name):
    clips = np.random.default_rng(0).normal(0, 0.1, (6, 400, 1)).astype("float32")
    tempi = np.full(6, 120, "float32")
    data = tf.data.Dataset.from_tensor_slices((clips, tempi)).batch(3)

    def epochs(seed):
        changed = augmented(data, name, "tempo", seed)
        return [
            [np.concatenate(part) for part in zip(*changed, strict=True)]
            for _ in range(2)
        ]

    first, second = epochs(1)
    assert first[0].shape == clips.shape
    assert np.abs(first[0] - clips).max() > 1e-3
    assert np.abs(first[0] - second[0]).max() > 1e-3
    assert len(set(first[1].tolist())) == 6
    again = epochs(1)
    # The last bit hangs on how the threads share the work.
    np.testing.assert_allclose(again[0][0], first[0], rtol=0, atol=1e-6)
    np.testing.assert_array_equal(again[1][1], second[1])
    assert np.abs(epochs(2)[0][0] - first[0]).max() > 1e-3


def test_signals_train_too(tmp_path):
    metrics = train("mnist1d_cnn", "mnist1d", tmp_path, epochs=2, validation=1000)
    assert 20 < metrics["validation_error"] < 80
    assert metrics["parameters"] == 5210
    with pytest.raises(ValueError, match="less than the 4000 training"):
        train("mnist1d_cnn", "mnist1d", tmp_path / "x", validation=4000)


def test_two_sets_are_trained_on_together(folder):
    first, second = (
        zoo.datasets.audio_folder(
            folder, split_by="speaker", held_out=list(who), **CLIPS
        )
        for who in ("abc", "d")
    )
    few = first.load("train", 4, seed=0)  # speaker d: 12 clips
    joined = sounds.together(few, second, seed=0)
    assert len(joined) == len(few)
    batches = list(joined.as_numpy_iterator())
    own = {clip.tobytes() for clip, _ in first.load("train", None).as_numpy_iterator()}
    for waveforms, labels in batches:
        is_own = [waveform.tobytes() in own for waveform in waveforms]
        assert is_own == [True] * 4 + [False] * 4
        assert len(labels) == 8
    # The second set goes on in the next batch: nothing of it comes twice before all.
    others = [w.tobytes() for waveforms, _ in batches for w in waveforms[4:]]
    assert len(set(others)) == len(others)


def test_sets_that_differ_are_not_put_together(folder):
    clips = zoo.datasets.audio_folder(folder, split_by="speaker", **CLIPS)
    with pytest.raises(ValueError, match="together .*: its input_shape is .40, 1."):
        sounds.check_alike(clips.info, zoo.datasets.info("mnist1d"))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"image_shape": (8, 8, 1)}, "`image_shape` is for images"),
        ({"skip_bad": True}, "`skip_bad` is for images"),
        ({"normalize": "rms"}, "`normalize` is for zoo.datasets"),
        ({"validation": 5}, "validate_on"),
        ({"held_out": "nobody"}, "nobody"),
        ({"seconds": 0}, "seconds"),
        ({"model": "sample_cnn"}, "sample_cnn can't be built"),
        ({"model": "p4cnn"}, "p4cnn can't be built"),
    ],
)
def test_bad_input_is_refused(arguments, message, folder, tmp_path):
    given = {**options("classes", folder), **arguments}
    model = given.pop("model", "m3")
    with pytest.raises(ValueError, match=message):
        train(model, "audio_folder", tmp_path / "x", data_dir=folder, **given)
    assert not (tmp_path / "x").exists()


def test_another_task_or_length_is_refused_at_evaluation(folder, tmp_path):
    sound = options("classes", folder)
    few = {**FAST, "epochs": 1}
    train("m3", "audio_folder", tmp_path / "a", data_dir=folder, **few, **sound)
    with pytest.raises(ValueError, match="`views` is for images"):
        zoo.training.evaluate(
            tmp_path / "a", "audio_folder", data_dir=folder, views=10, **sound
        )
    with pytest.raises(ValueError, match="asks for tempo"):
        zoo.training.evaluate(
            tmp_path / "a", "audio_folder", data_dir=folder, **options("tempo", folder)
        )
    with pytest.raises(ValueError, match="takes clips of shape"):
        zoo.training.evaluate(
            tmp_path / "a",
            "audio_folder",
            data_dir=folder,
            **{**sound, "seconds": 0.25},
        )
