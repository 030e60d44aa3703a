"""cifar10 and cifar10+ on noise images, in the place of the real ones."""

import numpy as np
import pytest
import tensorflow as tf
import tensorflow_datasets as tfds

from zoo.datasets import info, load
from zoo.datasets.image.shift_and_flip import shift_and_flip

COUNTS = {"train": 50, "test": 20}


@pytest.fixture(scope="session")
def folder(tmp_path_factory):
    random = np.random.default_rng(0)
    folder = tmp_path_factory.mktemp("cifar")
    tfds.dataset_builders.store_as_tfds_dataset(
        name="cifar10",
        version="3.0.2",
        features=tfds.features.FeaturesDict(
            {
                "id": tfds.features.Text(),
                "image": tfds.features.Image(shape=(32, 32, 3)),
                "label": tfds.features.ClassLabel(names=info("cifar10").classes),
            }
        ),
        split_datasets={
            split: tf.data.Dataset.from_tensor_slices(
                {
                    "id": [f"{split}_{number:05d}" for number in range(count)],
                    "image": random.integers(
                        1, 256, (count, 32, 32, 3), dtype=np.uint8
                    ),
                    "label": np.arange(count) % 10,
                }
            )
            for split, count in COUNTS.items()
        },
        data_dir=folder,
    )
    return folder


def epoch(dataset):
    batches = list(dataset.as_numpy_iterator())
    return tuple(np.concatenate(parts) for parts in zip(*batches, strict=True))


@pytest.mark.parametrize("name", ["cifar10", "cifar10+"])
@pytest.mark.parametrize("split", ["train", "test"])
def test_shapes_and_ranges(folder, name, split):
    dataset = load(name, split, batch_size=16, data_dir=folder)
    assert int(dataset.cardinality()) == -(-COUNTS[split] // 16)
    image_spec, label_spec = dataset.element_spec
    assert image_spec.shape.as_list() == [None, 32, 32, 3]
    assert (image_spec.dtype, label_spec.dtype) == (tf.float32, tf.int64)
    images, labels = epoch(dataset)
    assert len(images) == COUNTS[split]
    assert images.max() == 1
    # The noise has no zero: there are some where an image was shifted.
    assert (images.min() == 0) == ((name, split) == ("cifar10+", "train"))
    assert set(labels) == set(range(10))


def test_unbatched(folder):
    image, label = next(
        load("cifar10+", "train", None, data_dir=folder).as_numpy_iterator()
    )
    assert (image.shape, label.shape) == ((32, 32, 3), ())


def test_one_seed_gives_the_same_epochs_and_each_epoch_is_another(folder):
    one, same = (load("cifar10+", "train", seed=3, data_dir=folder) for _ in range(2))
    first, second = epoch(one), epoch(one)
    np.testing.assert_array_equal(first[0], epoch(same)[0])
    np.testing.assert_array_equal(second[0], epoch(same)[0])
    assert {x.tobytes() for x in first[0]} != {x.tobytes() for x in second[0]}


def test_what_is_not_for_training_is_not_changed(folder):
    plain, _ = epoch(load("cifar10", "train[-9:]", data_dir=folder, training=False))
    held_out = load("cifar10+", "train[-9:]", data_dir=folder, training=False)
    np.testing.assert_array_equal(plain, epoch(held_out)[0])
    tests = [
        epoch(load(n, "test", data_dir=folder))[0] for n in ("cifar10", "cifar10+")
    ]
    np.testing.assert_array_equal(*tests)


def test_shift_and_flip_by_hand():
    image = np.arange(1, 101, dtype=np.float32).reshape(10, 10, 1)
    padded = np.pad(image, ((4, 4), (4, 4), (0, 0)))
    places = {}
    for y in range(9):
        for x in range(9):
            crop = padded[y : y + 10, x : x + 10]
            places[crop.tobytes()] = (y, x, False)
            places[crop[:, ::-1].tobytes()] = (y, x, True)
    found = [
        places[shift_and_flip(image, tf.constant([n, 0])).numpy().tobytes()]
        for n in range(300)
    ]
    rows, columns, flips = zip(*found, strict=True)
    assert set(rows) == set(columns) == set(range(9))
    assert 100 < sum(flips) < 200
    # Which way it is turned says nothing of where it is shifted.
    assert abs(np.corrcoef(columns, flips)[0, 1]) < 0.2


def test_without_files_it_says_what_to_do(tmp_path, fresh_cache):
    for data_dir in (None, tmp_path):
        with pytest.raises(ValueError, match=r"cifar10 needs.*or download=True"):
            load("cifar10", "train", data_dir=data_dir)


def test_a_damaged_preparation_is_named(tmp_path):
    broken = tmp_path / "cifar10" / "3.0.2"
    broken.mkdir(parents=True)
    (broken / "dataset_info.json").write_text("{")
    with pytest.raises(ValueError, match="cannot be read .*prepare it again"):
        load("cifar10", "train", data_dir=tmp_path)


def test_a_shape_of_its_own_is_refused(folder):
    with pytest.raises(ValueError, match="image_shape"):
        load("cifar10", "test", data_dir=folder, image_shape=(28, 28, 3))
