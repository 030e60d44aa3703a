"""Training and evaluation on a folder of images."""

import json

import numpy as np
import pytest
import tiny_data
from PIL import Image

import zoo
from zoo import _registry
from zoo.training import evaluate, train

COLOURS = {"blue": (0, 0, 250), "green": (0, 250, 0), "red": (250, 0, 0)}


@pytest.fixture(autouse=True)
def places(tmp_path, monkeypatch):
    monkeypatch.setenv("CONVZOO_CACHE", str(tmp_path / "cache"))
    monkeypatch.setitem(_registry._builders, "tiny_net", tiny_data.tiny_net)
    monkeypatch.setitem(_registry._cards, "tiny_net", tiny_data.CARD)


def fill(folder, names=COLOURS):
    random = np.random.default_rng(0)
    for name, colour in zip(names, COLOURS.values(), strict=True):
        (folder / name).mkdir(parents=True)
        for number in range(10):
            pixels = np.array(colour) * random.uniform(0.6, 1, (9, 12, 1))
            image = Image.fromarray(pixels.astype(np.uint8))
            image.save(folder / name / f"{number}.png")
    return folder


@pytest.fixture
def folder(tmp_path):
    return fill(tmp_path / "photos")


def train_on(folder, out, **options):
    return train("tiny_net", "image_folder", out, 2, 8, data_dir=folder, **options)


def test_images_get_the_shape_of_the_card(folder, tmp_path):
    metrics = train_on(folder, tmp_path / "run")
    model = zoo.load_model(tmp_path / "run")
    assert model.input_shape == (None, 8, 8, 1)
    card = json.loads((tmp_path / "run" / "card.json").read_text())
    assert card["labels"] == list(COLOURS)
    assert "--data-dir FOLDER --image-shape 8 8 1" in card["results"][0]["source"]
    result = evaluate(tmp_path / "run", "image_folder", data_dir=folder)
    assert result["examples"] == 6
    assert result["labels"] == tuple(COLOURS)
    assert result["accuracy"] == pytest.approx(metrics["test_accuracy"])
    views = evaluate(tmp_path / "run", "image_folder", data_dir=folder, views=10)
    assert views["examples"] == 6


def test_or_the_shape_asked_for(folder, tmp_path):
    train_on(folder, tmp_path / "run", image_shape=(10, 9, 3))
    assert zoo.load_model(tmp_path / "run").input_shape == (None, 10, 9, 3)


def test_the_run_is_of_what_the_folder_holds(folder, tmp_path):
    metrics = train_on(folder, tmp_path / "run")
    moved = folder.rename(tmp_path / "moved")
    assert train_on(moved, tmp_path / "run") == metrics
    (moved / "red" / "1.png").unlink()
    with pytest.raises(ValueError, match="run of another command"):
        train_on(moved, tmp_path / "run")


def test_bad_files_are_refused_before_anything_is_written(folder, tmp_path):
    (folder / "red" / "cut.png").write_bytes(b"")
    with pytest.raises(ValueError, match=r"red/cut.png \(empty\)"):
        train_on(folder, tmp_path / "run")
    assert not (tmp_path / "run").exists()
    with pytest.warns(UserWarning, match="red/cut.png"):
        train_on(folder, tmp_path / "run", skip_bad=True)


def test_a_folder_is_needed(tmp_path):
    with pytest.raises(ValueError, match="needs the folder of the images"):
        train_on(None, tmp_path / "run")


def test_classes_of_other_names_are_refused(folder, tmp_path):
    train_on(folder, tmp_path / "run")
    other = fill(tmp_path / "other", ("cyan", "magenta", "yellow"))
    with pytest.raises(ValueError, match=r"blue, green, red; the folder has cyan"):
        evaluate(tmp_path / "run", "image_folder", data_dir=other)


def test_ten_views_need_larger_images():
    model = tiny_data.tiny_net(classes=10)
    with pytest.raises(ValueError, match=r"Choose views=1"):
        evaluate(model, "digits", views=10)


def test_a_model_without_a_card_has_its_own_classes(folder, tmp_path):
    """Not those of the card of its name, here ten digits."""
    zoo.lecun1989(classes=3).save(tmp_path / "bare.keras")
    result = evaluate(tmp_path / "bare.keras", "image_folder", data_dir=folder)
    assert result["labels"] == tuple(COLOURS)


def test_alexnet_trains_on_a_folder(folder, tmp_path):
    options = {"data_dir": folder, "image_shape": (67, 67, 3), "batch_size": 8}
    metrics = train("alexnet", "image_folder", tmp_path / "run", 1, **options)
    assert np.isfinite(metrics["test_loss"])
    model = zoo.load_model(tmp_path / "run")
    assert (model.input_shape, model.output_shape) == ((None, 67, 67, 3), (None, 3))
