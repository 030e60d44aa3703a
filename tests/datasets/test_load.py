"""What `load` promises of every data set, on those that need no files."""

import numpy as np
import pytest
import tensorflow as tf

from zoo.datasets import info, load

NAMES = ["digits", "rotated_digits"]


def labels_of(dataset):
    return np.concatenate([label for _, label in dataset.as_numpy_iterator()])


def images_of(dataset):
    return np.concatenate([image for image, _ in dataset.as_numpy_iterator()])


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("split", ["train", "test"])
def test_shapes_ranges_and_counts(name, split):
    facts = info(name)
    dataset = load(name, split, batch_size=50)
    image_spec, label_spec = dataset.element_spec
    assert image_spec.shape.as_list() == [None, *facts.input_shape]
    assert image_spec.dtype == tf.float32
    assert label_spec.shape.as_list() == [None]
    assert label_spec.dtype == tf.int64
    assert int(dataset.cardinality()) == -(-facts.splits[split] // 50)
    images, labels = images_of(dataset), labels_of(dataset)
    assert len(images) == len(labels) == facts.splits[split]
    assert images.min() == 0.0
    assert 0.9 < images.max() <= 1.0
    assert set(labels) == set(range(10))


def test_unbatched():
    dataset = load("digits", "test", batch_size=None)
    assert int(dataset.cardinality()) == 360
    image, label = next(dataset.as_numpy_iterator())
    assert image.shape == (8, 8, 1)
    assert label.shape == ()


def test_parts_of_a_split():
    assert int(load("digits", "train[:80%]", batch_size=None).cardinality()) == 1150
    assert int(load("digits", "test[:70]", batch_size=32).cardinality()) == 3
    first = images_of(load("digits", "test[:100]"))
    np.testing.assert_array_equal(first, images_of(load("digits", "test"))[:100])


def test_one_seed_gives_one_order_in_every_epoch():
    one = load("rotated_digits", "train[:500]", seed=7)
    other = load("rotated_digits", "train[:500]", seed=7)
    for _ in range(3):
        np.testing.assert_array_equal(images_of(one), images_of(other))


def test_another_seed_gives_another_order_of_the_same_images():
    one = images_of(load("rotated_digits", "train[:500]", seed=7))
    other = images_of(load("rotated_digits", "train[:500]", seed=8))
    assert not np.array_equal(one, other)
    as_set = {image.tobytes() for image in one}
    assert as_set == {image.tobytes() for image in other}
    assert len(as_set) == 500


@pytest.mark.parametrize("split", ["train", "train[:200]"])
def test_training_images_come_in_a_new_order_every_epoch(split):
    dataset = load("digits", split)
    assert not np.array_equal(images_of(dataset), images_of(dataset))


def test_held_out_training_images_come_in_one_order():
    dataset = load("digits", "train[-200:]", training=False)
    np.testing.assert_array_equal(images_of(dataset), images_of(dataset))
    mixed = load("digits", "train[-200:]")
    assert not np.array_equal(images_of(mixed), images_of(dataset))


def test_test_images_come_in_one_order_whatever_the_seed():
    dataset = load("digits", "test", seed=1)
    np.testing.assert_array_equal(images_of(dataset), images_of(dataset))
    np.testing.assert_array_equal(
        images_of(dataset), images_of(load("digits", "test", seed=2))
    )


@pytest.mark.parametrize("split", ["train", "test"])
def test_a_loop_that_stops_early_does_not_shorten_the_next(split):
    """As `Dataset.cache()` did."""
    dataset = load("rotated_digits", split, batch_size=10)
    for _ in dataset.take(1):
        pass
    count = info("rotated_digits").splits[split]
    assert len(labels_of(dataset)) == len(labels_of(dataset)) == count


def test_first_batches_are_mixed():
    assert len(set(labels_of(load("digits", "train").take(1)))) >= 8
    assert len(set(labels_of(load("digits", "test").take(1)))) >= 8


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"name": "mnist"}, "no data set 'mnist': choose one of audio_folder, cifar10"),
        ({"split": "validation"}, "no split 'validation': choose one of train, test"),
        ({"split": "train["}, "no split"),
        ({"split": ""}, "no split"),
        ({"split": None}, "no split None"),
        ({"split": ["train", "test"]}, "no split"),
        ({"split": "train[:0]"}, "holds no image"),
        ({"batch_size": 0}, "at least 1, or None for single images; received 0"),
        ({"batch_size": -1}, "received -1"),
        ({"batch_size": 2.0}, "received 2.0"),
        ({"batch_size": "64"}, "received '64'"),
        ({"seed": None}, "seed must be an integer"),
        ({"seed": 0.5}, "seed must be an integer"),
        ({"seed": 2**63}, "seed must be an integer"),
        ({"data_dir": "/nowhere/at/all"}, "is not there"),
        ({"image_shape": [9, 9, 1]}, "Leave it away"),
    ],
)
def test_wrong_arguments(arguments, message):
    with pytest.raises(ValueError, match=message.replace("[", r"\[")) as caught:
        load(**{"name": "digits", "split": "test"} | arguments)
    assert "\n" not in str(caught.value)


def test_data_dir_must_be_a_folder(tmp_path):
    path = tmp_path / "file"
    path.touch()
    with pytest.raises(ValueError, match="is not a folder"):
        load("digits", "test", data_dir=path)
