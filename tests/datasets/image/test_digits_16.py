"""digits_16: which digits are drawn, how they are resized, which files it takes."""

import numpy as np
import pytest
import scipy.ndimage
import tensorflow_datasets as tfds

from zoo.datasets import info, load
from zoo.datasets.cache import prepared_builder
from zoo.datasets.image import mnist
from zoo.datasets.image.digits_16 import Digits16, find_source, halved


@pytest.fixture(scope="class")
def small_source(request, tiny_mnist, tmp_path_factory):
    folder = tiny_mnist.write_idx(tmp_path_factory.mktemp("source"))
    request.cls.EXAMPLE_DIR = str(folder)
    with pytest.MonkeyPatch.context() as patch:
        tiny_mnist.patch(patch)
        patch.setattr(Digits16, "COUNTS", {"train": 30, "test": 8})
        yield


@pytest.mark.usefixtures("small_source")
class Digits16Test(tfds.testing.DatasetBuilderTestCase):
    DATASET_CLASS = Digits16
    SPLITS = {"train": 30, "test": 8}
    OVERLAPPING_SPLITS = ["train", "test"]  # `index` counts in each from 0
    SKIP_CHECKSUMS = True
    SKIP_TF1_GRAPH_MODE = True


def test_the_draw_is_that_of_the_reproduction(mnist_folder):
    """NumPy's global generator under seed 1337, training digits first."""
    source = find_source(mnist_folder)
    builder = prepared_builder(
        Digits16, source_dir=source.folder, source_hash=source.content_hash()
    )
    (train_images, train_labels), (test_images, test_labels) = mnist.read_parts(
        mnist_folder
    )
    random = np.random.RandomState(1337)
    for split, images, labels, count in (
        ("train", train_images, train_labels, 7291),
        ("test", test_images, test_labels, 2007),
    ):
        chosen = set(random.permutation(len(images))[:count].tolist())
        examples = list(builder.as_dataset(split=split).as_numpy_iterator())
        assert {example["index"] for example in examples} == chosen
        for example in examples[:20]:
            assert example["label"] == labels[example["index"]]
            expected = halved(images[[example["index"]]])[0]
            np.testing.assert_array_equal(example["image"], expected)


def test_what_load_gives(mnist_folder):
    for split, count in info("digits_16").splits.items():
        images, labels = next(
            iter(
                load("digits_16", split, batch_size=None, data_dir=mnist_folder).batch(
                    count
                )
            )
        )
        assert images.shape == (count, 16, 16, 1) and images.dtype == "float32"
        assert images.numpy().min() == 0 and images.numpy().max() <= 1
        assert set(labels.numpy().tolist()) == set(range(10))


def test_resizing_is_bilinear_at_the_centres_of_the_pixels():
    images = np.random.RandomState(0).randint(0, 256, (3, 28, 28)).astype(np.uint8)
    places = np.meshgrid(*2 * [(np.arange(16) + 0.5) * 28 / 16 - 0.5], indexing="ij")
    for image, result in zip(images, halved(images), strict=True):
        expected = scipy.ndimage.map_coordinates(image / 255.0, places, order=1)
        np.testing.assert_allclose(result[..., 0], expected, atol=1e-6)


def test_files_that_are_missing(tmp_path, tiny_mnist):
    with pytest.raises(ValueError, match="digits_16 draws.*no data_dir was given"):
        load("digits_16", "train")
    with pytest.raises(ValueError, match="has none: pass as data_dir"):
        load("digits_16", "train", data_dir=tmp_path)
    tiny_mnist.write_idx(tmp_path)
    (tmp_path / "t10k-labels-idx1-ubyte.gz").unlink()
    with pytest.raises(ValueError, match="3 of the four MNIST files"):
        load("digits_16", "train", data_dir=tmp_path)


def test_other_images_are_refused(tmp_path, tiny_mnist, monkeypatch, fresh_cache):
    tiny_mnist.write_idx(tmp_path)
    monkeypatch.setattr(mnist, "IMAGE_COUNTS", tiny_mnist.counts)
    with pytest.raises(ValueError, match="do not hold the 70 images of MNIST"):
        load("digits_16", "train", data_dir=tmp_path)
