"""One device, two devices, two processes: the same training."""

import csv
import json
import re
import sys

import keras
import numpy as np
import pytest
import soundfile
from PIL import Image
from two_workers import HELPERS, addresses, end, start

import zoo

NETS = ("p4cnn", "m5")
ZOO = [sys.executable, "-c", "from zoo.cli import main; main()"]


def draw_images(folder, number):
    """Noise whose brightness is the class: 54 to train on, no multiple of the batch."""
    rng = np.random.default_rng(number)
    for label in range(3):
        (folder / str(label)).mkdir(parents=True)
        for index in range(20):
            pixels = rng.integers(20 * label, 120 + 60 * label, (28, 28), np.uint8)
            Image.fromarray(pixels).save(folder / str(label) / f"{index}.png")


def draw_sounds(folder):
    rng = np.random.default_rng(0)
    for label, pitch in (("high", 900), ("low", 200)):
        (folder / label).mkdir(parents=True)
        for index in range(30):
            phase = 2 * np.pi * (pitch + 5 * index) * np.arange(2000) / 8000
            sound = 0.5 * np.sin(phase) + 0.1 * rng.standard_normal(2000)
            soundfile.write(folder / label / f"{index}.wav", sound, 8000)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("distributed")
    draw_images(folder / "images", 0)
    draw_sounds(folder / "sounds")
    return folder


@pytest.fixture(scope="module")
def runs(folder):
    """The folders of three runs: by one device, two devices, two processes."""
    environment = {"CONVZOO_CACHE": str(folder / "cache")}
    script = [sys.executable, "-W", "ignore", HELPERS / "train_both.py", folder]
    for name in ("one", "mirrored"):
        process = start([*script, name], folder / f"{name}.log", environment)
        assert end([process], 300) == [0], (folder / f"{name}.log").read_text()
    workers = addresses()
    processes = [
        start(
            [*script, "multi_worker", workers, rank],
            folder / f"worker_{rank}.log",
            environment,
        )
        for rank in (0, 1)
    ]
    assert end(processes, 300) == [0, 0], (folder / "worker_0.log").read_text()
    return folder


def difference(model, other):
    """Of all weights together: those without a gradient, biases before batch
    normalisation, are noise each by itself."""
    pairs = list(zip(model.get_weights(), other.get_weights(), strict=True))
    differs = sum(((one - two) ** 2).sum() for one, two in pairs)
    return np.sqrt(differs / sum((one**2).sum() for one, _ in pairs))


@pytest.mark.parametrize("name", ["mirrored", "multi_worker"])
@pytest.mark.parametrize("net", NETS)
def test_weights_and_figures_equal_those_of_one_device(runs, net, name):
    one, several = runs / "one" / net, runs / name / net
    assert difference(zoo.load_model(one), zoo.load_model(several)) < 1e-9
    histories = []
    for run in (one, several):
        with open(run / "history.csv", newline="") as file:
            histories.append([dict(row) for row in csv.DictReader(file)])
    for row, other in zip(*histories, strict=True):
        assert float(row["loss"]) == pytest.approx(float(other["loss"]), rel=1e-9)
    figures = [json.loads((run / "metrics.json").read_text()) for run in (one, several)]
    for figure, value in figures[0].items():
        if figure not in ("seconds", "equivariance_error"):
            assert value == pytest.approx(figures[1][figure], rel=1e-6), figure


@pytest.mark.parametrize("name", ["mirrored", "multi_worker"])
@pytest.mark.parametrize("net", NETS)
def test_evaluate_and_predict_equal_those_of_one_device(runs, net, name):
    expected = np.load(runs / "one" / f"{net}-0.npz")
    for rank in (0, 1) if name == "multi_worker" else (0,):
        found = np.load(runs / name / f"{net}-{rank}.npz")
        for key in expected:
            np.testing.assert_allclose(found[key], expected[key], rtol=1e-9)


@pytest.mark.parametrize("name", ["mirrored", "multi_worker"])
def test_batch_normalization_is_that_of_the_whole_batch(runs, name):
    """The control: saved models do not say so, and moving statistics have moved."""
    model = zoo.load_model(runs / name / "p4cnn")
    norm = model.get_layer("norm_1")
    assert norm.get_config()["synchronized"] is False
    assert np.abs(norm.moving_mean.numpy()).max() > 1e-3


def test_by_the_command_alone(folder, tmp_path):
    """In float32, plain gradient descent; only the chief shows and writes."""
    line = [*ZOO, "train", "p4cnn", "--data", "image_folder", "--data-dir"]
    line += [folder / "images", "--image-shape", 28, 28, 1, "--epochs", 2]
    line += ["--batch-size", 18, "--recipe", "krizhevsky2012"]
    environment = {"CONVZOO_CACHE": str(folder / "cache")}
    single = start([*line, "--out", tmp_path / "one"], tmp_path / "log", environment)
    assert end([single]) == [0], (tmp_path / "log").read_text()
    workers = ["--workers", addresses(), "--rank"]
    logs = [tmp_path / f"log_{rank}" for rank in (0, 1)]
    processes = [
        start([*line, "--out", tmp_path / "two", *workers, rank], log, environment)
        for rank, log in enumerate(logs)
    ]
    assert end(processes) == [0, 0], logs[0].read_text()
    one, two = (zoo.load_model(tmp_path / name) for name in ("one", "two"))
    assert difference(one, two) < 1e-4
    chief, other = (log.read_text() for log in logs)
    assert "2 workers, 2 devices in all" in chief
    assert re.search(r"epoch 2/2 .*loss", chief) and "test_accuracy" in chief
    assert "epoch" not in other and "test_accuracy" not in other
    card = json.loads((tmp_path / "two" / "card.json").read_text())
    assert card["labels"] == ["0", "1", "2"]


def test_a_strategy_of_one_device_in_this_process():
    strategy = zoo.training.strategy("one")
    assert strategy.num_replicas_in_sync == 1
    for arguments, match in (
        (("two",), "must be one of auto, one"),
        (("mirrored", "a:1,b:1", 0), "are for the strategy multi_worker"),
        (("multi_worker",), "needs to know its workers"),
        (("auto", None, 1), "one of a list of workers"),
    ):
        with pytest.raises(ValueError, match=match):
            zoo.training.strategy(*arguments)


@pytest.mark.parametrize(
    ("options", "match"),
    [
        ({"steps_per_execution": 2}, "steps_per_execution=1. Received: 2"),
        ({"jit_compile": True}, "jit_compile=False"),
    ],
)
def test_what_can_not_be_combined(options, match):
    model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(1)])
    with pytest.raises(ValueError, match="Compile the model first"):
        zoo.training.distribute(model)
    model.compile("sgd", "mse", **options)
    with pytest.raises(ValueError, match=match):
        zoo.training.distribute(model)
    sgd = keras.optimizers.SGD(gradient_accumulation_steps=2)
    model.compile(sgd, "mse", jit_compile=False)
    with pytest.raises(ValueError, match="can't accumulate gradients"):
        zoo.training.distribute(model)


def test_careful_sums_of_batch_normalization():
    """The order of a batch decides less than with Keras's own sums: the control."""
    images = np.random.default_rng(0).uniform(0, 1, (64, 28, 28, 1)) ** 8
    images = images.astype("float32")

    def noise(careful):
        model = zoo.p4cnn()
        if careful:
            zoo.training.synchronize_batch_normalization(model)
        norm = keras.Model(model.input, model.get_layer("norm_1").output)
        there, back = norm(images, training=True), norm(images[::-1], training=True)
        return np.abs(there.numpy() - back.numpy()[::-1]).max()

    assert noise(careful=True) < 1e-5 < noise(careful=False)
