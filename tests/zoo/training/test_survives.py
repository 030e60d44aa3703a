"""Runs that are killed or told to stop, and taken up again by the same command."""

import os
import random
import re
import signal
import sys
import time

import keras
import numpy as np
import pytest
import tensorflow as tf
from PIL import Image
from two_workers import addresses, end, start

import zoo
from zoo.training.callbacks.backup import Backup
from zoo.training.distributed.interruptions import PREEMPTED, WORKER_LOST

ZOO = [sys.executable, "-c", "from zoo.cli import main; main()"]
EPOCHS = 14


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("survives")
    rng = np.random.default_rng(0)
    for label in range(3):
        (folder / "images" / str(label)).mkdir(parents=True)
        for index in range(20):
            pixels = rng.integers(20 * label, 120 + 60 * label, (28, 28), np.uint8)
            Image.fromarray(pixels).save(folder / f"images/{label}/{index}.png")
    return folder


def command(folder, out):
    """Saved in the middle of epochs too: after each step that ends a 60th second."""
    line = [*ZOO, "train", "p4cnn", "--data", "image_folder", "--image-shape", 28, 28]
    line += [1, "--data-dir", folder / "images", "--epochs", EPOCHS, "--batch-size", 8]
    line += ["--recipe", "krizhevsky2012", "--learning-rate", "1e-3"]
    return [*line, "--checkpoint-minutes", "0.0003", "--out", out]


def environment(folder):
    # Bit-equal weights need operations that are.
    return {
        "CONVZOO_CACHE": str(folder / "cache"),
        "TF_DETERMINISTIC_OPS": "1",
        "TF_NUM_INTRAOP_THREADS": "1",
        "TF_NUM_INTEROP_THREADS": "1",
    }


@pytest.fixture(scope="module")
def uninterrupted(folder):
    out = folder / "uninterrupted"
    process = start(command(folder, out), folder / "log", environment(folder))
    assert end([process]) == [0], (folder / "log").read_text()
    return zoo.load_model(out).get_weights()


def epochs_shown(log):
    return [int(number) for number in re.findall(r"epoch (\d+)/", log.read_text())]


def wait_for_epoch(log, number, processes):
    """Until the chief has shown it, or a process has ended."""
    deadline = time.monotonic() + 120
    while max(epochs_shown(log), default=0) < number:
        assert time.monotonic() < deadline, log.read_text()
        if any(process.poll() is not None for process in processes):
            return
        time.sleep(0.005)


def check_nothing_was_lost(log, before):
    """The first epoch that is shown again is not one that was shown and saved before.

    The line of an epoch is shown just before it is saved.
    """
    shown = epochs_shown(log)
    if before and len(shown) > len(before):
        assert shown[len(before)] >= before[-1]


def test_one_process_killed_at_any_moment_gives_the_same_bits(
    folder, uninterrupted, tmp_path
):
    draw = random.Random(1)
    log = tmp_path / "log"
    log.touch()
    line = command(folder, tmp_path / "run")
    for until in (1, 5, 9):
        before = epochs_shown(log)
        process = start(line, log, environment(folder))
        wait_for_epoch(log, until, [process])
        time.sleep(draw.uniform(0, 0.3))
        process.send_signal(signal.SIGKILL)
        assert end([process]) == [-signal.SIGKILL]
        check_nothing_was_lost(log, before)
    assert end([start(line, log, environment(folder))]) == [0], log.read_text()
    found = zoo.load_model(tmp_path / "run").get_weights()
    for one, two in zip(found, uninterrupted, strict=True):
        np.testing.assert_array_equal(one, two)


def test_told_to_stop(folder, uninterrupted, tmp_path):
    log = tmp_path / "log"
    log.touch()
    line = command(folder, tmp_path / "run")
    process = start(line, log, environment(folder))
    wait_for_epoch(log, 3, [process])
    process.send_signal(signal.SIGTERM)
    assert end([process]) == [PREEMPTED], log.read_text()
    assert "told to stop: saved after" in log.read_text()
    assert "Traceback" not in log.read_text()
    assert end([start(line, log, environment(folder))]) == [0]
    found = zoo.load_model(tmp_path / "run").get_weights()
    for one, two in zip(found, uninterrupted, strict=True):
        np.testing.assert_array_equal(one, two)


def test_two_processes_of_which_one_is_killed(folder, uninterrupted, tmp_path):
    """First the other, then the chief, then one is told to stop: both end."""
    logs = [tmp_path / "log_0", tmp_path / "log_1"]
    logs[0].touch()
    line = command(folder, tmp_path / "run")

    def begin():
        workers = ["--workers", addresses(), "--rank"]
        return [
            start([*line, *workers, rank], log, environment(folder))
            for rank, log in enumerate(logs)
        ]

    for until, victim, number, survives in (
        (2, 1, signal.SIGKILL, WORKER_LOST),
        (5, 0, signal.SIGKILL, WORKER_LOST),
        (8, 1, signal.SIGTERM, PREEMPTED),
    ):
        before = epochs_shown(logs[0])
        processes = begin()
        wait_for_epoch(logs[0], until, processes)
        processes[victim].send_signal(number)
        codes = end(processes)
        assert codes[1 - victim] == survives, logs[1 - victim].read_text()
        check_nothing_was_lost(logs[0], before)
    assert end(begin()) == [0, 0], logs[0].read_text()
    assert "Traceback" not in logs[0].read_text() + logs[1].read_text()
    found = zoo.load_model(tmp_path / "run").get_weights()
    differs = sum(
        ((a - b) ** 2).sum() for a, b in zip(found, uninterrupted, strict=True)
    )
    assert differs < 1e-8 * sum((a**2).sum() for a in uninterrupted)


class Others:
    """Stands for the other workers of a run: what they say is known before."""

    workers, rank, is_chief, is_distributed = 2, 0, True, True

    strategy = tf.distribute.get_strategy()

    def __init__(self, steps):
        self.steps = steps
        self.asked = 0

    def gather(self, number):
        self.asked += 1
        other = self.steps if self.asked == 1 else 0  # the newest; who has the agreed
        return [int(number), other]

    def broadcast(self, value, source):
        return value

    def sum(self, values):
        return values


def small_model():
    model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(1)])
    model.compile("adam", "mse")
    return model


def test_workers_agree_on_the_older_backup(tmp_path):
    model, backup = small_model(), Backup(tmp_path, steps=2)
    weights = []
    remember = keras.callbacks.LambdaCallback(
        on_epoch_end=lambda epoch, logs: weights.append(model.get_weights())
    )
    data = np.ones((8, 2)), np.ones(8)
    model.fit(*data, 4, epochs=3, verbose=0, callbacks=[remember, backup])
    for other, epoch in ((6, 3), (4, 2), (8, 3), (0, 3)):
        again = small_model()
        restored = Backup(tmp_path, steps=2, together=Others(other))
        assert restored.restore(again) == epoch
        for one, two in zip(again.get_weights(), weights[epoch - 1], strict=True):
            np.testing.assert_array_equal(one, two)
        assert [row["epoch"] for row in restored.rows] == list(range(1, epoch + 1))
    with pytest.raises(ValueError, match="none has that after 2"):
        Backup(tmp_path, steps=2, together=Others(2)).restore(small_model())


def test_a_backup_of_other_batches_is_refused(tmp_path):
    model = small_model()
    data = np.ones((8, 2)), np.ones(8)
    model.fit(*data, 4, verbose=0, callbacks=[Backup(tmp_path, steps=2)])
    with pytest.raises(ValueError, match="had 2 steps, here they have 4"):
        Backup(tmp_path, steps=4).restore(small_model())
    (tmp_path / "backup.weights.h5").write_bytes(b"half")
    (tmp_path / "backup.previous.weights.h5").unlink(missing_ok=True)
    with pytest.raises(ValueError, match="can't be read.* Remove the folder"):
        Backup(tmp_path, steps=2).restore(small_model())
    assert os.listdir(tmp_path)
