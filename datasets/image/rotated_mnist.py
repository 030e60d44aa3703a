"""rotated_mnist: 12,000 + 50,000 turned MNIST digits, rebuilt or the original files."""

from pathlib import Path

import numpy as np
import tensorflow_datasets as tfds

from zoo.datasets import catalogue
from zoo.datasets._fingerprint import image_keys
from zoo.datasets.image import amat, mnist
from zoo.datasets.image.rotated_digits import split_indices, upright_digits
from zoo.datasets.image.rotation import random_angles, turned_examples

SEED = 2007


def protected_keys():
    """The image keys of the digits that test rotated_digits, as a set."""
    images, labels = upright_digits()
    _, test = split_indices(labels)
    return set(image_keys(images[test], labels[test]))


def draw_splits(keys, train_count, test_count):
    """Which of the sorted MNIST pool train and which test.

    No protected digit trains, so that a net trained here can be tested on
    rotated_digits.

    Args:
        keys: the image keys of the pool.
        train_count: how many train.
        test_count: how many test, of those that do not train.

    Returns:
        Two integer arrays (train_count,) and (test_count,), disjoint.
    """
    protected = protected_keys()
    # RandomState, not default_rng: NumPy keeps its stream the same for ever.
    order = np.random.RandomState(SEED).permutation(len(keys))
    allowed = np.array([keys[index] not in protected for index in order])
    train = order[allowed][:train_count]
    rest = order[~np.isin(order, train)]
    return train, rest[:test_count]


class RotatedMnist(tfds.core.GeneratorBasedBuilder):
    """tensorflow-datasets builder of `rotated_mnist`, from files in its manual_dir.

    Config "rebuilt" turns the digits of MNIST. Beside image and label an example
    holds `angle`, in degrees counter-clockwise, and `index`, the digit's place in the
    pool of `mnist.read_pool`. Config "original" reads the .amat files, which record
    neither.
    """

    # By itself tensorflow-datasets takes the folder to be zoo/datasets, which an
    # editable install does not have.
    pkg_dir_path = Path(__file__).parent
    VERSION = tfds.core.Version("1.0.0")
    RELEASE_NOTES = {"1.0.0": "First version."}
    BUILDER_CONFIGS = [
        tfds.core.BuilderConfig(
            name="rebuilt", description="MNIST digits, turned by this package."
        ),
        tfds.core.BuilderConfig(
            name="original", description="The files of Larochelle et al. (2007)."
        ),
    ]
    MANUAL_DOWNLOAD_INSTRUCTIONS = (
        "For config rebuilt, the four idx files of MNIST (or mnist/3.0.1 as "
        "tensorflow-datasets prepares it); for config original, the two .amat files."
    )
    # A test of the builder on small files sets smaller ones.
    TRAIN_COUNT = 12000
    TEST_COUNT = 50000

    def _info(self):
        original = self.builder_config.name == "original"
        name = "rotated_mnist/original" if original else "rotated_mnist"
        facts = catalogue.info(name)
        features = {
            "image": tfds.features.Tensor(
                shape=facts.input_shape, dtype=np.float32, encoding="zlib"
            ),
            "label": tfds.features.ClassLabel(names=list(facts.classes)),
        }
        if not original:
            features |= {"angle": np.float32, "index": np.int64}
        return tfds.core.DatasetInfo(
            builder=self,
            description=facts.description,
            features=tfds.features.FeaturesDict(features),
            supervised_keys=("image", "label"),
            citation=facts.citation,
        )

    def _split_generators(self, dl_manager):
        folder = Path(dl_manager.manual_dir)
        if self.builder_config.name == "original":
            train, test = amat.find_files(folder)
            return {
                "train": self._generate_examples(
                    original_rows(train, self.TRAIN_COUNT)
                ),
                "test": self._generate_examples(original_rows(test, self.TEST_COUNT)),
            }
        images, labels, keys = mnist.read_pool(folder)
        train, test = draw_splits(keys, self.TRAIN_COUNT, self.TEST_COUNT)
        angles = random_angles(np.random.RandomState(SEED + 1), len(images))
        return {
            split: self._generate_examples(
                turned_examples(images, labels, angles[indices], indices)
            )
            for split, indices in (("train", train), ("test", test))
        }

    def _generate_examples(self, examples):
        yield from examples


def original_rows(path, count):
    """Yields (key, example) for tensorflow-datasets from an .amat file."""
    for number, (image, label) in enumerate(amat.read_rows(path, count)):
        yield number, {"image": image, "label": label}
