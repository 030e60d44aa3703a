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
    assert facts.input_name == "image"
    assert len(facts.input_shape) == 3
    assert facts.classes == tuple("0123456789")
    assert set(facts.splits) == {"train", "test"}
    assert all((facts.description, facts.source, facts.citation))


def test_facts_cannot_be_changed():
    with pytest.raises(dataclasses.FrozenInstanceError):
        info("digits").name = "other"
    info("digits").splits["train"] = 0
    assert info("digits").splits["train"] == 1437


@pytest.mark.parametrize("name", ["mnist", "", None, ["digits"]])
def test_unknown_name_lists_the_choices(name):
    with pytest.raises(ValueError, match="choose one of digits, rotated_digits"):
        info(name)


def test_facts_do_not_import_tensorflow():
    code = (
        "import sys, zoo; zoo.datasets.info(zoo.datasets.list_datasets()[0]); "
        "print('tensorflow' in sys.modules, 'keras' in sys.modules)"
    )
    result = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    assert result.stdout.split() == ["False", "False"]
