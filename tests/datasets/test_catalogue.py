"""Names and facts, and that they cost no TensorFlow."""

import dataclasses
import subprocess
import sys

import pytest

import zoo
from zoo.datasets import DatasetInfo, info, list_datasets


def test_names_are_sorted_and_known():
    assert list_datasets() == sorted(list_datasets())
    assert {"digits", "rotated_digits", "rotated_mnist"} <= set(list_datasets())


@pytest.mark.parametrize("name", zoo.datasets.list_datasets())
def test_facts_are_complete(name):
    facts = info(name)
    assert isinstance(facts, DatasetInfo)
    assert facts.name == name
    assert len(facts.input_shape) == {"image": 3, "waveform": 2}[facts.input_name]
    if name not in ("image_folder", "audio_folder", "grooves_style", "grooves_tempo"):
        assert len(set(facts.classes)) == len(facts.classes) >= 10
    # Of what is in a folder, or made there, the folder tells.
    if facts.splits:
        assert set(facts.splits) - {"validation"} == {"train", "test"}
    else:
        assert facts.name == "image_folder" or facts.sample_rate
    if facts.sample_rate:
        seconds = facts.input_shape[0] / facts.sample_rate
        assert 1 <= seconds <= 12
    assert all((facts.description, facts.source, facts.citation))


def test_facts_cannot_be_changed():
    with pytest.raises(dataclasses.FrozenInstanceError):
        info("digits").name = "other"
    info("digits").splits["train"] = 0
    assert info("digits").splits["train"] == 1437


@pytest.mark.parametrize("name", ["mnist", "", None, ["digits"]])
def test_unknown_name_lists_the_choices(name):
    with pytest.raises(
        ValueError, match="choose one of audio_folder, cifar10, cifar10\\+, digits"
    ):
        info(name)


@pytest.mark.parametrize("image_shape", [(16, 16, 1), (8, 8), 8, "8"])
def test_a_shape_that_the_images_have_not(image_shape):
    with pytest.raises(ValueError, match=r"digits have the shape \(8, 8, 1\)"):
        info("digits", image_shape=image_shape)
    assert info("digits", image_shape=(8, 8, 1)).input_shape == (8, 8, 1)


def test_facts_do_not_import_tensorflow():
    code = (
        "import sys, zoo; [zoo.datasets.info(n) for n in zoo.datasets.list_datasets()];"
        "print('tensorflow' in sys.modules, 'keras' in sys.modules)"
    )
    result = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    assert result.stdout.split() == ["False", "False"]
