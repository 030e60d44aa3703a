"""rotated_mnist from MNIST: what is drawn, and which files are refused."""

import gzip
import shutil

import numpy as np
import pytest

from zoo.datasets import load
from zoo.datasets._fingerprint import image_keys
from zoo.datasets.cache import prepared_builder
from zoo.datasets.image import mnist
from zoo.datasets.image.rotated_digits import split_indices, upright_digits
from zoo.datasets.image.rotated_mnist import RotatedMnist, draw_splits
from zoo.datasets.image.rotated_mnist_source import find_source


@pytest.fixture(scope="session")
def pool(mnist_folder):
    return mnist.read_pool(mnist_folder)


@pytest.fixture(scope="session")
def full_builder(mnist_folder):
    source = find_source("rotated_mnist", mnist_folder, download=False)
    return prepared_builder(
        RotatedMnist, source.config, source.folder, source.content_hash()
    )


@pytest.mark.parametrize("split", ["train[:20]", "test[:20]"])
def test_images_are_mnist_turned(full_builder, pool, reference_turn, split):
    images, labels, _ = pool
    for example in full_builder.as_dataset(split=split).as_numpy_iterator():
        expected = reference_turn(images[example["index"]], example["angle"])
        np.testing.assert_allclose(example["image"][..., 0], expected, atol=1e-5)
        assert example["label"] == labels[example["index"]]


def test_full_size_and_no_protected_digit_trains(full_builder, pool, mnist_folder):
    keys = pool[2]
    train = set()
    for example in full_builder.as_dataset(split="train").as_numpy_iterator():
        train.add(keys[example["index"]])
    assert len(train) == 12000
    images, labels = upright_digits()
    _, test = split_indices(labels)
    assert train.isdisjoint(image_keys(images[test], labels[test]))

    _, test_indices = draw_splits(keys, 12000, 50000)
    assert len(test_indices) == 50000
    assert train.isdisjoint(keys[index] for index in test_indices)

    dataset = load("rotated_mnist", "test", batch_size=100, data_dir=mnist_folder)
    assert int(dataset.cardinality()) == 500


def test_folder_itself_and_its_parent_are_one_cache_entry(mnist_folder):
    inner = find_source("rotated_mnist", mnist_folder / "mnist", download=False)
    outer = find_source("rotated_mnist", mnist_folder, download=False)
    assert inner.content_hash() == outer.content_hash()


def test_idx_variants_and_tfds_give_the_same_pool(tiny_rotated_mnist, tmp_path):
    tiny = tiny_rotated_mnist
    folders = [
        tiny.write_idx(tmp_path / "gz"),
        tiny.write_idx(tmp_path / "plain", compress=False),
        tiny.write_idx(tmp_path / "dotted", separator="."),
        tiny.write_idx(tmp_path / "inner" / "mnist").parent,
        tiny.write_tfds(tmp_path / "tfds"),
    ]
    # Unpacked, but still called .gz.
    folders.append(tiny.write_idx(tmp_path / "unpacked"))
    for path in folders[-1].iterdir():
        path.write_bytes(gzip.decompress(path.read_bytes()))

    images, labels, keys = mnist.read_pool(folders[0])
    assert keys == sorted(keys)
    assert sorted(image.tobytes() for image in images) == sorted(
        image.tobytes() for image in tiny.images
    )
    for folder in folders[1:]:
        other_images, other_labels, other_keys = mnist.read_pool(folder)
        np.testing.assert_array_equal(other_images, images)
        np.testing.assert_array_equal(other_labels, labels)
        assert other_keys == keys


def test_tfds_source_loads(tiny_rotated_mnist, tmp_path, fresh_cache):
    from_tfds = load(
        "rotated_mnist", "test", data_dir=tiny_rotated_mnist.write_tfds(tmp_path / "a")
    )
    from_idx = load(
        "rotated_mnist", "test", data_dir=tiny_rotated_mnist.write_idx(tmp_path / "b")
    )
    for one, other in zip(
        from_tfds.as_numpy_iterator(), from_idx.as_numpy_iterator(), strict=True
    ):
        np.testing.assert_array_equal(one[0], other[0])
        np.testing.assert_array_equal(one[1], other[1])


def truncate_gzip(folder):
    path = folder / "train-images-idx3-ubyte.gz"
    path.write_bytes(path.read_bytes()[:-1000])


def flip_a_byte(folder):
    path = folder / "train-images-idx3-ubyte.gz"
    content = bytearray(path.read_bytes())
    content[2000] ^= 0xFF
    path.write_bytes(content)


def empty_file(folder):
    (folder / "t10k-labels-idx1-ubyte.gz").write_bytes(b"")


def html_page(folder):
    (folder / "t10k-labels-idx1-ubyte.gz").write_bytes(b"<!DOCTYPE html>")


def swap_images_and_labels(folder):
    images = folder / "t10k-images-idx3-ubyte.gz"
    labels = folder / "t10k-labels-idx1-ubyte.gz"
    images.rename(folder / "aside")
    labels.rename(images)
    (folder / "aside").rename(labels)


def swap_train_and_test_labels(folder):
    train = folder / "train-labels-idx1-ubyte.gz"
    test = folder / "t10k-labels-idx1-ubyte.gz"
    train.rename(folder / "aside")
    test.rename(train)
    (folder / "aside").rename(test)


def cut_the_content(folder):
    path = folder / "train-images-idx3-ubyte.gz"
    path.write_bytes(gzip.compress(gzip.decompress(path.read_bytes())[:-1]))


def change_one_label(folder):
    path = folder / "train-labels-idx1-ubyte.gz"
    content = bytearray(gzip.decompress(path.read_bytes()))
    content[-1] = (content[-1] + 1) % 10
    path.write_bytes(gzip.compress(bytes(content)))


def remove_one_file(folder):
    (folder / "t10k-labels-idx1-ubyte.gz").unlink()


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (truncate_gzip, "train-images-idx3-ubyte.gz cannot be read"),
        (flip_a_byte, "train-images-idx3-ubyte.gz cannot be read"),
        (empty_file, "t10k-labels-idx1-ubyte.gz .*begins with 0x00000000"),
        (html_page, "t10k-labels-idx1-ubyte.gz is no idx file of MNIST labels"),
        (swap_images_and_labels, "t10k-images-idx3-ubyte.gz is no idx file"),
        (swap_train_and_test_labels, r"should hold labels of shape \(60,\)"),
        (cut_the_content, "should hold 47,056 bytes"),
        (change_one_label, "do not hold the 70 images of MNIST"),
        (remove_one_file, "3 of the four MNIST files: add t10k-labels-idx1-ubyte"),
    ],
)
def test_damaged_files_are_refused(
    tiny_rotated_mnist, tmp_path, fresh_cache, damage, message
):
    folder = tiny_rotated_mnist.write_idx(tmp_path / "data")
    # That a good cache of the undamaged files stands ready changes nothing.
    load("rotated_mnist", "train", data_dir=folder)
    damage(folder)
    with pytest.raises(ValueError, match=message) as caught:
        load("rotated_mnist", "train", data_dir=folder)
    assert "\n" not in str(caught.value)


def test_other_images_in_the_format_of_mnist_are_refused(mnist_folder, tmp_path):
    """As Fashion-MNIST is: same names, same sizes, other pixels."""
    folder = tmp_path / "fashion"
    shutil.copytree(mnist_folder / "mnist", folder)
    path = folder / "t10k-images-idx3-ubyte.gz"
    path.chmod(0o644)
    folder.chmod(0o755)
    content = bytearray(gzip.decompress(path.read_bytes()))
    content[-400] ^= 1
    path.write_bytes(gzip.compress(bytes(content), compresslevel=1))
    with pytest.raises(ValueError, match="is it Fashion-MNIST"):
        load("rotated_mnist", "train", data_dir=folder)


def test_damaged_tfds_folder_is_refused(tiny_rotated_mnist, tmp_path, fresh_cache):
    folder = tiny_rotated_mnist.write_tfds(tmp_path / "tfds")
    next((folder / "mnist" / "3.0.1").glob("*-test.tfrecord-*")).unlink()
    with pytest.raises(ValueError, match="MNIST of tensorflow-datasets in .* cannot"):
        load("rotated_mnist", "train", data_dir=folder)


@pytest.mark.parametrize("name", ["rotated_mnist", "rotated_mnist/original"])
def test_empty_folder_or_none_says_what_was_looked_for(name, tmp_path, fresh_cache):
    with pytest.raises(ValueError, match="test.amat") as caught:
        load(name, "train", data_dir=tmp_path)
    assert str(tmp_path) in str(caught.value)
    with pytest.raises(ValueError, match="no data_dir was given") as caught:
        load(name, "train")
    if name == "rotated_mnist":
        assert "train-images-idx3-ubyte" in str(caught.value)
        assert "download=True" in str(caught.value)


@pytest.mark.parametrize("given", [True, False], ids=["data_dir", "cache"])
def test_download(tiny_rotated_mnist, tmp_path, fresh_cache, monkeypatch, given):
    """tensorflow-datasets downloads where it is told to, once, and only if asked."""
    import tensorflow_datasets as tfds

    calls = []

    class FakeBuilder:
        def __init__(self, name, data_dir):
            self.folder = data_dir

        def download_and_prepare(self, download_config):
            calls.append(self.folder)
            tiny_rotated_mnist.write_tfds(self.folder)

    monkeypatch.setattr(tfds, "builder", FakeBuilder)
    data_dir = tmp_path / "data" if given else None
    if given:
        data_dir.mkdir()
    with pytest.raises(ValueError, match="download=True"):
        load("rotated_mnist", "train", data_dir=data_dir)
    assert not calls
    load("rotated_mnist", "train", data_dir=data_dir, download=True)
    # The second and third time it is there.
    load("rotated_mnist", "train", data_dir=data_dir, download=True)
    load("rotated_mnist", "train", data_dir=data_dir)
    assert calls == [data_dir if given else fresh_cache / "downloads"]


def test_failed_download_says_what_to_do(tmp_path, fresh_cache, monkeypatch):
    import tensorflow_datasets as tfds

    def no_network(name, data_dir):
        raise ConnectionError("no route")

    monkeypatch.setattr(tfds, "builder", no_network)
    with pytest.raises(ValueError, match="could not be downloaded .*ConnectionError"):
        load("rotated_mnist", "train", download=True)
