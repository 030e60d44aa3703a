"""The builders under tensorflow-datasets' own test case."""

import pytest
import tensorflow_datasets as tfds

from zoo.datasets import info
from zoo.datasets.image.digits import Digits
from zoo.datasets.image.rotated_digits import RotatedDigits
from zoo.datasets.image.rotated_mnist import RotatedMnist


@pytest.fixture(scope="class")
def small_sources(request, tiny_mnist, tmp_path_factory):
    """A folder with both sources of rotated_mnist: 70 noise images."""
    folder = tmp_path_factory.mktemp("sources")
    tiny_mnist.write_idx(folder)
    tiny_mnist.write_amat(folder)
    request.cls.EXAMPLE_DIR = str(folder)
    with pytest.MonkeyPatch.context() as patch:
        tiny_mnist.patch(patch)
        patch.setattr(RotatedMnist, "TRAIN_COUNT", 40)
        patch.setattr(RotatedMnist, "TEST_COUNT", 20)
        yield


@pytest.mark.usefixtures("small_sources")
class DigitsTest(tfds.testing.DatasetBuilderTestCase):
    DATASET_CLASS = Digits
    SPLITS = info("digits").splits
    SKIP_CHECKSUMS = True
    SKIP_TF1_GRAPH_MODE = True


@pytest.mark.usefixtures("small_sources")
class RotatedDigitsTest(tfds.testing.DatasetBuilderTestCase):
    DATASET_CLASS = RotatedDigits
    SPLITS = info("rotated_digits").splits
    SKIP_CHECKSUMS = True
    SKIP_TF1_GRAPH_MODE = True


@pytest.mark.usefixtures("small_sources")
class RotatedMnistTest(tfds.testing.DatasetBuilderTestCase):
    DATASET_CLASS = RotatedMnist
    SPLITS = {"train": 40, "test": 20}
    SKIP_CHECKSUMS = True
    SKIP_TF1_GRAPH_MODE = True


@pytest.mark.parametrize("builder", [Digits, RotatedDigits])
def test_facts_agree_with_the_builder(builder, tmp_path):
    facts = info(builder.name)
    features = builder(data_dir=tmp_path).info.features
    assert features["image"].shape == facts.input_shape
    assert tuple(features["label"].names) == facts.classes


def test_rotated_mnist_counts_are_those_of_the_catalogue():
    for name in ("rotated_mnist", "rotated_mnist/original"):
        assert info(name).splits == {
            "train": RotatedMnist.TRAIN_COUNT,
            "test": RotatedMnist.TEST_COUNT,
        }
