"""digits_16: MNIST at 16 x 16, as many digits as the zip codes of LeCun et al. 1989."""

from pathlib import Path

import numpy as np
import tensorflow_datasets as tfds

from zoo.datasets import catalogue
from zoo.datasets.image import mnist
from zoo.datasets.image.rotated_mnist_source import Source

# Karpathy's. His script takes train and test in the order of a Python set, which
# changes from run to run: with train first these are his digits.
SEED = 1337
SIDE = 16


def find_source(data_dir):
    """The idx files in a folder.

    Returns:
        A `Source`.

    Raises:
        ValueError: they are not there.
    """
    files = () if data_dir is None else mnist.find_idx_files(Path(data_dir))
    if not files:
        place = "no data_dir was given" if data_dir is None else f"{data_dir} has none"
        raise ValueError(
            f"digits_16 draws from the four idx files of MNIST in their order, and "
            f"{place}: pass as data_dir a folder that holds (or whose subfolder mnist "
            f"holds) train-images-idx3-ubyte, train-labels-idx1-ubyte, "
            f"t10k-images-idx3-ubyte and t10k-labels-idx1-ubyte, each plain or .gz."
        )
    return Source("idx", Path(data_dir), files)


def halved(images):
    """28 x 28 images at 16 x 16, bilinear, without smoothing before.

    A pixel of the result is read where its centre lies on the source, between four
    pixels, as `torch.nn.functional.interpolate(mode="bilinear")` does.

    Args:
        images: uint8 array (n, height, width), square.

    Returns:
        float32 array (n, 16, 16, 1) in [0, 1].
    """
    side = images.shape[1]
    centres = (np.arange(SIDE) + 0.5) * side / SIDE - 0.5
    # How much of each source row goes into each row of the result: a hat of width 1.
    weights = np.maximum(0, 1 - np.abs(centres[:, None] - np.arange(side)))
    result = weights @ (images / 255.0) @ weights.T
    return np.clip(result, 0, 1).astype(np.float32)[..., np.newaxis]


class Digits16(tfds.core.GeneratorBasedBuilder):
    """tensorflow-datasets builder of `digits_16`, from MNIST in its manual_dir.

    Beside image and label an example holds `index`, the digit's place in MNIST's
    training or test files.
    """

    # By itself tensorflow-datasets takes the folder to be zoo/datasets, which an
    # editable install does not have.
    pkg_dir_path = Path(__file__).parent
    name = "digits_16"
    VERSION = tfds.core.Version("1.0.0")
    RELEASE_NOTES = {"1.0.0": "First version."}
    MANUAL_DOWNLOAD_INSTRUCTIONS = "The four idx files of MNIST."
    # A test of the builder on small files sets smaller ones.
    COUNTS = {"train": 7291, "test": 2007}

    def _info(self):
        facts = catalogue.info("digits_16")
        return tfds.core.DatasetInfo(
            builder=self,
            description=facts.description,
            features=tfds.features.FeaturesDict(
                {
                    "image": tfds.features.Tensor(
                        shape=facts.input_shape, dtype=np.float32, encoding="zlib"
                    ),
                    "label": tfds.features.ClassLabel(names=list(facts.classes)),
                    "index": np.int64,
                }
            ),
            supervised_keys=("image", "label"),
            citation=facts.citation,
        )

    def _split_generators(self, dl_manager):
        parts = mnist.read_parts(Path(dl_manager.manual_dir))
        # RandomState, not default_rng: NumPy keeps its stream the same for ever.
        random = np.random.RandomState(SEED)
        return {
            split: self._generate_examples(
                images, labels, random.permutation(len(labels))[:count]
            )
            for (split, count), (images, labels) in zip(
                self.COUNTS.items(), parts, strict=True
            )
        }

    def _generate_examples(self, images, labels, indices):
        for index, image in zip(indices.tolist(), halved(images[indices]), strict=True):
            yield index, {"image": image, "label": int(labels[index]), "index": index}
