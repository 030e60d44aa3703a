"""The second way to several devices: Keras's own, on JAX."""

import sys

import numpy as np
import pytest
from two_workers import HELPERS, addresses, end, start

pytest.importorskip("jax")


def test_two_processes_equal_one(tmp_path):
    script = [sys.executable, "-W", "ignore", HELPERS / "jax_data_parallel.py"]
    environment = {
        "KERAS_BACKEND": "jax",
        "PORT": addresses(1).rpartition(":")[2],
        "XLA_FLAGS": "--xla_backend_optimization_level=0",
    }
    log = tmp_path / "log"
    single = start([*script, tmp_path / "one.npz", 1, 0], log, environment)
    assert end([single], 300) == [0], log.read_text()
    processes = [
        start([*script, tmp_path / "two.npz", 2, rank], log, environment)
        for rank in (0, 1)
    ]
    assert end(processes, 300) == [0, 0], log.read_text()
    one, two = (np.load(tmp_path / f"{name}.npz") for name in ("one", "two"))
    np.testing.assert_allclose(one["loss"], two["loss"], rtol=1e-4)
    pairs = [(one[key], two[key]) for key in one if key != "loss"]
    differs = sum(((a - b) ** 2).sum() for a, b in pairs)
    assert differs < 1e-8 * sum((a**2).sum() for a, _ in pairs)
