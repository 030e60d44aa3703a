"""Batches made by other processes: the tf.data service."""

import re
import sys
import time

import pytest
from two_workers import addresses, end, start

import zoo
from zoo.training.distributed.data_service import check_service, from_service

ZOO = [sys.executable, "-c", "from zoo.cli import main; main()"]


def wait_for(log, pattern, process):
    deadline = time.monotonic() + 60
    while not (found := re.search(pattern, log.read_text())):
        assert process.poll() is None and time.monotonic() < deadline, log.read_text()
        time.sleep(0.05)
    return found


@pytest.fixture(scope="module")
def service(tmp_path_factory):
    """A dispatcher and two workers, by one command each."""
    folder = tmp_path_factory.mktemp("service")
    port = addresses(1).rpartition(":")[2]
    line = [*ZOO, "data-dispatcher", "--port", port, "--folder", folder / "work"]
    processes = [start(line, folder / "dispatcher")]
    address = wait_for(folder / "dispatcher", r"grpc://\S+", processes[0])[0]
    for number in range(2):
        log = folder / f"worker_{number}"
        line = [*ZOO, "data-worker", "--dispatcher", address, "--host", "localhost"]
        processes.append(start(line, log))
        wait_for(log, "worker of", processes[-1])
    yield address
    for process in processes:
        process.terminate()
    end(processes)


def test_every_batch_comes_once(service):
    epochs = zoo.datasets.epochs("digits", "train", batch_size=100)
    for epoch in range(2):
        here = epochs.dataset(epoch)
        there = from_service(epochs, epoch, service)
        assert there.cardinality() == here.cardinality()
        labels = [
            sorted(tuple(label.tolist()) for _, label in dataset.as_numpy_iterator())
            for dataset in (here, there)
        ]
        assert labels[0] == labels[1]


def test_training_with_a_service(service, tmp_path):
    metrics = zoo.training.train(
        "mlp",
        "digits",
        tmp_path / "run",
        epochs=3,
        data_service=service,
    )
    assert metrics["test_accuracy"] > 0.8


@pytest.mark.parametrize(
    "address", ["localhost:5050", "grpc://localhost", "http://a:1"]
)
def test_what_is_no_address(address):
    with pytest.raises(ValueError, match="must be grpc://host:port"):
        check_service(address)


def test_two_sets_are_refused(tmp_path):
    with pytest.raises(ValueError, match="can't be combined"):
        zoo.training.train(
            "m5",
            "spoken_digits",
            tmp_path / "run",
            also="synthetic_speech",
            data_service="grpc://localhost:1",
        )
    assert not (tmp_path / "run").exists()


def test_commands_that_can_not_start(service, tmp_path):
    port = service.rpartition(":")[2]
    log = tmp_path / "log"
    process = start([*ZOO, "data-dispatcher", "--port", port], log)
    assert end([process]) == [2]
    assert "can't be used" in log.read_text()
    process = start([*ZOO, "data-worker", "--dispatcher", "localhost"], log)
    assert end([process]) == [2]
    assert "must be grpc://host:port" in log.read_text()
