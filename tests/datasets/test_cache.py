"""The cache: where it is, and what happens when it is damaged or contended."""

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from zoo.datasets import load
from zoo.datasets.cache import cache_root


def digits():
    return next(load("digits", "test", 360).as_numpy_iterator())


def test_where_it_is(monkeypatch):
    monkeypatch.setenv("CONVZOO_CACHE", "/first")
    monkeypatch.setenv("XDG_CACHE_HOME", "/second")
    assert cache_root() == Path("/first")
    monkeypatch.delenv("CONVZOO_CACHE")
    assert cache_root() == Path("/second/convzoo")
    monkeypatch.delenv("XDG_CACHE_HOME")
    assert cache_root() == Path.home() / ".cache" / "convzoo"


def remove_records(folder):
    next(folder.rglob("*-test.tfrecord-*")).unlink()


def cut_records(folder):
    path = next(folder.rglob("*-test.tfrecord-*"))
    path.write_bytes(path.read_bytes()[:-10])


def cut_info(folder):
    path = next(folder.rglob("dataset_info.json"))
    path.write_text(path.read_text()[:50])


def cut_manifest(folder):
    path = folder / "manifest.json"
    path.write_text(path.read_text()[:50])


def remove_manifest(folder):
    """As a process killed before the end leaves it."""
    (folder / "manifest.json").unlink()


def other_manifest(folder):
    (folder / "manifest.json").write_text(json.dumps([1, 2]))


def empty_manifest(folder):
    (folder / "manifest.json").write_text("{}")


@pytest.mark.parametrize(
    "damage",
    [
        remove_records,
        cut_records,
        cut_info,
        cut_manifest,
        remove_manifest,
        other_manifest,
        empty_manifest,
    ],
)
def test_damaged_cache_is_built_again(fresh_cache, damage):
    images, labels = digits()
    folder = fresh_cache / "datasets" / "digits-1.0.0"
    damage(folder)
    again_images, again_labels = digits()
    np.testing.assert_array_equal(images, again_images)
    np.testing.assert_array_equal(labels, again_labels)


def test_intact_cache_is_not_built_again(fresh_cache):
    digits()
    manifest = fresh_cache / "datasets" / "digits-1.0.0" / "manifest.json"
    before = manifest.stat().st_mtime_ns
    digits()
    assert manifest.stat().st_mtime_ns == before


def test_file_in_place_of_the_cache(fresh_cache):
    fresh_cache.write_text("")
    with pytest.raises(ValueError, match="set CONVZOO_CACHE to a folder"):
        digits()


def test_preparing_prints_nothing(fresh_cache, capfd):
    digits()
    assert capfd.readouterr().out == ""


def test_two_processes_build_once(fresh_cache, tmp_path):
    log = tmp_path / "log"
    code = f"""
import hashlib
from zoo.datasets import load
from zoo.datasets import cache
build = cache.run_builder
def logged(*arguments):
    with open({str(log)!r}, "a") as file:
        file.write("built ")
    build(*arguments)
cache.run_builder = logged
image, label = next(load("digits", "test", 360).as_numpy_iterator())
print(hashlib.sha256(image.tobytes() + label.tobytes()).hexdigest())
"""
    processes = [
        subprocess.Popen(
            [sys.executable, "-c", code], stdout=subprocess.PIPE, text=True
        )
        for _ in range(2)
    ]
    outputs = [process.communicate(timeout=120)[0] for process in processes]
    assert [process.returncode for process in processes] == [0, 0]
    assert len(outputs[0].strip()) == 64
    assert outputs[0] == outputs[1]
    assert log.read_text().split() == ["built"]
