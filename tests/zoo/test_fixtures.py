"""Files that version 0.1.0.dev0 wrote: they load, and give the numbers of then."""

import importlib
import importlib.util
import json
import pkgutil
import re
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import keras
import numpy as np
import pytest

import zoo
from zoo.training import evaluate, train

FOLDER = Path(__file__).parents[1] / "fixtures"
with np.load(FOLDER / "expected.npz") as archive:
    EXPECTED = dict(archive)
NAMES = sorted({key.rpartition("/")[0] for key in EXPECTED} - {"interrupted"})
RUNS = json.loads((FOLDER / "runs.json").read_text())
FINISHED = [name for name in RUNS if name != "interrupted"]
# Part of the spread of the outputs. Processors differ by less than a tenth of it.
TOLERANCE = 1e-4


@pytest.fixture(scope="module")
def found(tmp_path_factory):
    """The numbers of now, from a process that imports nothing of ours but `zoo`."""
    file = tmp_path_factory.mktemp("fixtures") / "numbers.npz"
    subprocess.run([sys.executable, FOLDER / "read.py", file], check=True)
    with np.load(file) as numbers:
        return dict(numbers)


def distance(found, expected):
    """The largest difference, as a part of the spread; of one number, of that."""
    assert found.shape == expected.shape
    scale = np.ptp(expected) if expected.size > 1 else np.abs(expected)
    return np.abs(found - expected).max() / np.maximum(scale, 1e-9)


@pytest.mark.parametrize("name", NAMES)
def test_a_model_gives_the_numbers_of_then(name, found):
    assert f"{name}/error" not in found, str(found[f"{name}/error"])
    keys = [key for key in EXPECTED if key.startswith(f"{name}/")]
    assert f"{name}/outputs_0" in keys
    for key in keys:
        if key.endswith("/metrics"):
            np.testing.assert_allclose(found[key], EXPECTED[key], rtol=1e-3)
        else:
            assert distance(found[key], EXPECTED[key]) < TOLERANCE, key


@pytest.mark.parametrize("name", NAMES)
def test_other_inputs_give_other_numbers(name, found):
    """The outputs do depend on the inputs, by far more than the tolerance."""
    controls = [key for key in found if key.startswith(f"{name}/control")]
    # Not where random numbers are drawn: those differ from call to call.
    assert controls or name in ("models/layers_audio", "models/layers_group")
    for key in controls:
        expected = EXPECTED[key.replace("control", "outputs")]
        assert distance(found[key], expected) > 100 * TOLERANCE, key


def test_every_file_has_numbers():
    files = [*FOLDER.rglob("*.keras"), *FOLDER.glob("configs/*.json")]
    names = [file.relative_to(FOLDER).with_suffix("").as_posix() for file in files]
    assert sorted(names) == NAMES


def test_every_registered_model_has_a_file():
    models = {name.partition("/")[2] for name in NAMES}
    assert set(zoo.list_models()) - models == set()


def test_every_registered_class_is_in_a_file():
    for package in (zoo, zoo.layers):
        for module in pkgutil.walk_packages(package.__path__, f"{package.__name__}."):
            source = Path(importlib.util.find_spec(module.name).origin).read_text()
            if "register_keras_serializable" in source:
                importlib.import_module(module.name)
    registered = {
        name for name in keras.saving.get_custom_objects() if name[:8] == "convzoo>"
    }
    assert {"convzoo>GroupConv2D", "convzoo>WarmUp"} <= registered
    configs = [file.read_text() for file in FOLDER.glob("configs/*.json")]
    for file in FOLDER.rglob("*.keras"):
        with zipfile.ZipFile(file) as content:
            configs.append(content.read("config.json").decode())
    stored = set(re.findall(r'"(convzoo>\w+)"', " ".join(configs)))
    assert registered - stored == set(), "write a file for it: tests/fixtures/write.py"


def test_the_files_are_small_and_name_no_place():
    place = re.compile(rb"/(home|root|tmp|mnt|Users|var|private)/\w")
    total = 0
    for file in FOLDER.rglob("*"):
        if file.suffix in (".py", ".md", ".pyc") or file.is_dir():
            continue
        total += file.stat().st_size
        assert file.stat().st_size < 1e6, file
        contents = [file.read_bytes()]
        if zipfile.is_zipfile(file):
            with zipfile.ZipFile(file) as content:
                contents = [content.read(name) for name in content.namelist()]
        for content in contents:
            assert not place.search(content), file
    assert total < 6e6


@pytest.fixture
def runs(tmp_path, monkeypatch):
    """A copy of the run folders: the tests run where their data are."""
    monkeypatch.setenv("CONVZOO_CACHE", str(tmp_path / "cache"))
    monkeypatch.chdir(FOLDER)
    return Path(shutil.copytree(FOLDER / "run_folders", tmp_path / "runs"))


def data_of(name):
    """What `evaluate` takes of a run's arguments."""
    names = ("data", "data_dir", "labels", "task", "split_by", "held_out")
    return {key: value for key, value in RUNS[name].items() if key in names}


@pytest.mark.parametrize("name", FINISHED)
def test_a_run_is_evaluated_and_known_again(name, runs):
    stored = json.loads((runs / name / "metrics.json").read_text())
    card = zoo.ModelCard.from_json((runs / name / "card.json").read_text())
    assert card.name == RUNS[name]["model_name"]
    assert card.parameters == stored["parameters"]
    assert len(card.results) and card.results[-1].value in stored.values()
    metrics = evaluate(runs / name, **data_of(name))
    measured = {key for key in metrics if f"test_{key}" in stored}
    assert "loss" in measured and len(measured) >= 2
    for key in measured:
        assert metrics[key] == pytest.approx(stored[f"test_{key}"], rel=1e-3), key
    # The same command returns the stored numbers, without training.
    before = (runs / name / "model.keras").stat().st_mtime_ns
    assert train(out=runs / name, **RUNS[name]) == stored
    assert (runs / name / "model.keras").stat().st_mtime_ns == before


def test_an_interrupted_run_goes_on(runs):
    folder = runs / "interrupted"
    rows = (folder / "history.csv").read_text().splitlines()
    assert len(rows) == 3 and not (folder / "model.keras").exists()
    metrics = train(out=folder, **RUNS["interrupted"])
    after = (folder / "history.csv").read_text().splitlines()
    assert len(after) == 5
    # With the seconds that an epoch took: it was not trained again.
    assert after[:3] == rows
    loss = float(EXPECTED["interrupted/loss"])
    assert metrics["test_loss"] == pytest.approx(loss, rel=1e-3)
    assert (folder / "model.keras").exists()
