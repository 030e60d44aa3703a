import csv
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import keras
import numpy as np
import pytest
import tiny_data
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

import zoo
from zoo.training import recipes, train
from zoo.training.callbacks.backup import Backup

HELPERS = Path(tiny_data.__file__).parent
FILES = {
    "card.json",
    "confusion_matrix.png",
    "history.csv",
    "logs",
    "metrics.json",
    "model.keras",
    "run.json",
    "training_curves.png",
}


@pytest.fixture
def data(monkeypatch):
    return tiny_data.install(monkeypatch)


def epochs_of(folder):
    with open(folder / "history.csv", newline="") as file:
        return [int(row["epoch"]) for row in csv.DictReader(file)]


def contents(folder):
    return {
        path.relative_to(folder): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file()
    }


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """A finished run, with its data and figures."""
    out = tmp_path_factory.mktemp("runs") / "deep" / "run"
    with pytest.MonkeyPatch.context() as patch:
        data = tiny_data.install(patch)
        metrics = train("tiny_net", "tiny", out, epochs=12, batch_size=10)
    return out, data, metrics


def test_the_net_learns_and_the_figures_are_its_own(run):
    out, data, metrics = run
    model = zoo.load_model(out)
    images, labels = data.arrays["train"]
    mean, std = images.mean(), images.std()
    accuracy = {
        split: (model.predict((x - mean) / std, verbose=0).argmax(-1) == y).mean()
        for split, (x, y) in data.arrays.items()
    }
    assert metrics["test_accuracy"] > 0.9
    assert metrics["test_accuracy"] == pytest.approx(accuracy["test"])
    assert metrics["test_error"] == pytest.approx(100 - 100 * accuracy["test"])
    assert metrics["train_accuracy"] == pytest.approx(accuracy["train"])
    assert metrics["parameters"] == 4 * 9 + 4 + 8 + 4 * 3 + 3
    assert (metrics["epochs"], metrics["seed"]) == (12, 0)
    assert metrics["seconds"] > 0
    report = zoo.equivariance_report(model)
    assert metrics["equivariance_error"] == pytest.approx(report.output_error)


def test_the_saved_net_is_compiled_for_evaluation_and_training(run):
    out, data, metrics = run
    model = zoo.load_model(out)
    images, labels = data.arrays["train"]
    mean, std = images.mean(), images.std()
    images, labels = data.arrays["test"]
    found = model.evaluate((images - mean) / std, labels, verbose=0, return_dict=True)
    assert found["loss"] == pytest.approx(metrics["test_loss"], rel=1e-4)
    assert found["accuracy"] == pytest.approx(metrics["test_accuracy"])
    assert np.isfinite(model.train_on_batch((images - mean) / std, labels)).all()


def test_the_run_folder_is_complete(run):
    out, _, metrics = run
    assert set(os.listdir(out)) == FILES
    assert json.loads((out / "metrics.json").read_text()) == metrics
    assert epochs_of(out) == list(range(1, 13))
    for picture in ("training_curves.png", "confusion_matrix.png"):
        assert (out / picture).read_bytes().startswith(b"\x89PNG")
    logs = EventAccumulator(str(out / "logs" / "train"), {"tensors": 0}).Reload()
    steps = [event.step for event in logs.Tensors("epoch_loss")]
    assert steps == list(range(12))


def test_run_json_tells_the_command(run):
    text = json.loads((run[0] / "run.json").read_text())
    assert text["command"] == {
        "model": "tiny_net",
        "data": "tiny",
        "recipe": {
            "epochs": 12,
            "batch_size": 10,
            "learning_rate": 0.01,
            "schedule": "cosine",
            "weight_decay": 0.02,
        },
        "seed": 0,
        "validation": 0,
    }
    assert text["versions"]["keras"] == keras.__version__
    assert text["versions"]["convzoo"] == zoo.__version__


def test_the_card_holds_constants_labels_and_the_result(run):
    out, data, metrics = run
    card = zoo.ModelCard.from_json((out / "card.json").read_text())
    images = data.arrays["train"][0]
    assert card.normalization.mean == pytest.approx(images.mean(), rel=1e-5)
    assert card.normalization.std == pytest.approx(images.std(), rel=1e-5)
    assert card.labels == tiny_data.INFO.classes
    assert card.parameters == metrics["parameters"]
    (result,) = card.results
    assert (result.data, result.metric) == ("tiny, test", "test error, %")
    assert result.value == metrics["test_error"]
    assert result.source.startswith("zoo train tiny_net --data tiny ")


def test_the_test_set_is_met_once(run):
    _, data, _ = run
    assert data.passes["test"] == 1


def test_statistics_are_reestimated_before_the_test(run):
    out, data, _ = run
    model = zoo.load_model(out)
    images = data.arrays["train"][0]
    conv = keras.Model(model.input, model.get_layer("conv").output)
    maps = conv.predict((images - images.mean()) / images.std(), verbose=0)
    norm = model.get_layer("norm")
    # The mean does not depend on how the images fell into batches, if all are as large.
    np.testing.assert_allclose(
        norm.moving_mean, maps.mean((0, 1, 2)), rtol=1e-2, atol=1e-3
    )


def test_the_learning_rate_falls_to_zero_by_the_cosine(run):
    optimizer = zoo.load_model(run[0]).optimizer
    assert int(optimizer.iterations) == 12 * 10
    assert float(optimizer.learning_rate) == pytest.approx(0, abs=1e-9)


def test_a_constant_learning_rate_stays(data, tmp_path):
    train("tiny_net", "tiny", tmp_path, epochs=1, recipe="paper", learning_rate=0.02)
    rate = zoo.load_model(tmp_path).optimizer.learning_rate
    assert float(rate) == pytest.approx(0.02)


def test_a_finished_run_is_only_read(run, monkeypatch):
    out, _, metrics = run
    tiny_data.install(monkeypatch)
    before = contents(out)
    monkeypatch.setattr(keras.Model, "fit", None)
    assert train("tiny_net", "tiny", out, epochs=12, batch_size=10) == metrics
    assert contents(out) == before


def test_the_same_seed_gives_the_same_net_and_another_does_not(data, tmp_path):
    def weights(folder, seed):
        train("tiny_net", "tiny", tmp_path / folder, epochs=1, seed=seed)
        return zoo.load_model(tmp_path / folder).get_layer("top").kernel.numpy()

    first = weights("a", 1)
    np.testing.assert_allclose(weights("b", 1), first, atol=1e-6)
    assert np.abs(weights("c", 2) - first).max() > 1e-3


def test_with_validation_the_test_set_stays_untouched(data, tmp_path):
    metrics = train("tiny_net", "tiny", tmp_path, epochs=2, validation=30)
    assert set(data.loaded) == {"train[:-30]", "train[-30:]"}
    assert data.passes["test"] == 0
    assert not [name for name in metrics if name.startswith("test")]
    assert metrics["validation_error"] == 100 * (1 - metrics["validation_accuracy"])
    with open(tmp_path / "history.csv", newline="") as file:
        assert all(float(row["val_accuracy"]) >= 0 for row in csv.DictReader(file))
    (result,) = zoo.ModelCard.from_json((tmp_path / "card.json").read_text()).results
    assert result.data == "tiny, train[-30:]"


@pytest.mark.parametrize("moment", ["before the backup", "after the backup"])
def test_an_interrupted_run_goes_on(data, tmp_path, monkeypatch, moment):
    real = Backup.on_epoch_end

    def interrupted(self, epoch, logs=None):
        if moment == "before the backup" and epoch == 2:
            monkeypatch.setattr(self.model, "save_weights", interrupt)
        real(self, epoch, logs)
        if epoch == 2:
            interrupt()

    def interrupt(*args):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(Backup, "on_epoch_end", interrupted)
        with pytest.raises(KeyboardInterrupt):
            train("tiny_net", "tiny", tmp_path, epochs=5)
    assert epochs_of(tmp_path) == [1, 2, 3]
    (tmp_path / ".partial-1-model.keras").touch()  # as a killed process leaves it
    trained = []
    monkeypatch.setattr(
        Backup,
        "on_epoch_begin",
        lambda self, epoch, logs=None: (
            trained.append(epoch + 1),
            setattr(self, "_start", time.perf_counter()),
        ),
    )
    train("tiny_net", "tiny", tmp_path, epochs=5)
    assert trained == ([3, 4, 5] if moment == "before the backup" else [4, 5])
    assert epochs_of(tmp_path) == [1, 2, 3, 4, 5]
    assert set(os.listdir(tmp_path)) == FILES


def test_a_killed_run_goes_on(tmp_path):
    out = tmp_path / "run"
    code = (
        "import sys; sys.path.insert(0, sys.argv[1])\n"
        "import pytest, tiny_data, zoo\n"
        "tiny_data.install(pytest.MonkeyPatch())\n"
        "zoo.training.train('tiny_net', 'tiny', sys.argv[2], epochs=40)\n"
    )
    command = [sys.executable, "-c", code, str(HELPERS), str(out)]
    process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
    deadline = time.monotonic() + 60
    while not (out / "history.csv").exists() or len(epochs_of(out)) < 4:
        assert process.poll() is None, process.stderr.read()
        assert time.monotonic() < deadline
        time.sleep(0.01)
    process.send_signal(signal.SIGKILL)
    process.communicate()
    done = len(epochs_of(out))
    assert 4 <= done < 40
    assert not (out / "metrics.json").exists()
    again = subprocess.run(command, capture_output=True, text=True, check=True)
    first = int(again.stderr.split("epoch ")[1].split("/")[0])
    assert first in (done, done + 1)
    assert epochs_of(out) == list(range(1, 41))
    assert set(os.listdir(out)) == FILES
    assert int(zoo.load_model(out).optimizer.iterations) == 40


@pytest.mark.parametrize(
    "changes",
    [
        {"epochs": 11},
        {"batch_size": 9},
        {"seed": 1},
        {"validation": 10},
        {"learning_rate": 0.02},
        {"recipe": "paper"},
    ],
)
def test_the_folder_of_another_command_is_refused(run, monkeypatch, changes):
    tiny_data.install(monkeypatch)
    before = contents(run[0])
    arguments = {"epochs": 12, "batch_size": 10, **changes}
    with pytest.raises(ValueError, match="run of another command"):
        train("tiny_net", "tiny", run[0], **arguments)
    assert contents(run[0]) == before


@pytest.mark.parametrize("file", ["notes.txt", "run.json"])
def test_a_folder_with_something_else_is_refused(data, tmp_path, file):
    (tmp_path / file).write_text("mine")
    with pytest.raises(ValueError, match="something else than a training run"):
        train("tiny_net", "tiny", tmp_path, epochs=1)
    assert contents(tmp_path) == {Path(file): b"mine"}


def test_half_a_file_of_a_killed_process_is_nothing(data, tmp_path):
    (tmp_path / ".partial-1-run.json").write_text("{")
    train("tiny_net", "tiny", tmp_path, epochs=1)
    assert set(os.listdir(tmp_path)) == FILES


def test_weight_decay_reaches_the_optimizer(data, tmp_path, monkeypatch):
    monkeypatch.setitem(
        recipes._RECIPES, "decaying", recipes.Recipe(epochs=1, weight_decay=0.25)
    )
    train("tiny_net", "tiny", tmp_path, recipe="decaying")
    assert zoo.load_model(tmp_path).optimizer.weight_decay == 0.25


def test_a_file_in_the_way_is_refused(data, tmp_path):
    (tmp_path / "file").write_text("mine")
    for out in (tmp_path / "file", tmp_path / "file" / "run"):
        with pytest.raises(ValueError, match="is a file"):
            train("tiny_net", "tiny", out, epochs=1)
    assert contents(tmp_path) == {Path("file"): b"mine"}


@pytest.mark.skipif(not Path("/proc/self").exists(), reason="needs Linux's /proc")
def test_a_place_that_can_not_be_written_is_refused(data):
    with pytest.raises(ValueError, match=r"/proc/run can't be written"):
        train("tiny_net", "tiny", "/proc/run", epochs=1)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"model_name": "tiny_nte"}, "Unknown model 'tiny_nte'.*'tiny_net'"),
        ({"data": "huge"}, "no data set 'huge'"),
        ({"recipe": "quick"}, "Unknown recipe"),
        ({"epochs": 0}, "`epochs` must be a positive"),
        ({"epochs": -3}, "`epochs` must be a positive"),
        ({"batch_size": 0}, "`batch_size` must be a positive"),
        ({"learning_rate": -1.0}, "`learning_rate` must be a positive"),
        ({"seed": -1}, "`seed` must be"),
        ({"seed": 2**32}, "`seed` must be"),
        ({"validation": -1}, "`validation` must be"),
        ({"validation": 96}, "less than the 96 training images"),
        ({"model_name": "p4cnn"}, r"p4cnn can't be built .*tiny, shape \(8, 8, 1\)"),
    ],
)
def test_bad_arguments_are_refused_before_anything_is_written(
    data, tmp_path, changes, message
):
    arguments = {"model_name": "tiny_net", "data": "tiny", **changes}
    with pytest.raises(ValueError, match=message):
        train(out=tmp_path / "run", **arguments)
    assert not (tmp_path / "run").exists()


def test_faulty_data_is_refused_before_anything_is_written(data, tmp_path):
    data.arrays["train"][0][5] = np.nan
    with pytest.raises(ValueError, match="NaN or infinite"):
        train("tiny_net", "tiny", tmp_path / "run", epochs=1)
    assert not (tmp_path / "run").exists()


@pytest.mark.filterwarnings("ignore:overflow:RuntimeWarning")
def test_a_loss_that_is_no_longer_finite_ends_the_run(data, tmp_path):
    with pytest.raises(ValueError, match="no longer finite after epoch 2"):
        train("tiny_net", "tiny", tmp_path / "run", epochs=3, learning_rate=1e38)
    assert epochs_of(tmp_path / "run") == [1]


@pytest.mark.parametrize("name", ["backup.weights.h5", "history.csv"])
def test_a_damaged_backup_is_named(name, tmp_path):
    model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(1)])
    model.compile("adam", "mse")
    backup = Backup(tmp_path, steps=1)
    x, y = np.ones((8, 2)), np.ones(8)
    model.fit(x, y, epochs=2, verbose=0, callbacks=[backup])
    assert Backup(tmp_path, steps=1).restore(model) == 2
    (tmp_path / name).write_text("epoch,loss\n1")
    with pytest.raises(ValueError, match="The backup in .* can't be read"):
        Backup(tmp_path, steps=1).restore(model)
