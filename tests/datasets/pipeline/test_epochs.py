"""Epochs by their number: the same for whoever asks, from any step, in any share."""

import numpy as np
import pytest
import tensorflow as tf

import zoo
from zoo.datasets import Epochs, Share, _load
from zoo.datasets.pipeline.memory import MemorySource
from zoo.datasets.pipeline.order import own_positions, steps_of_files
from zoo.datasets.pipeline.stream import StreamSource


def batches(epochs, epoch, first_step=0):
    dataset = epochs.dataset(epoch, first_step)
    return [labels for _, labels in dataset.as_numpy_iterator()]


def images_of(epochs, epoch):
    parts = [images for images, _ in epochs.dataset(epoch).as_numpy_iterator()]
    return np.concatenate(parts).reshape(-1, 64)


@pytest.fixture(scope="module")
def digits():
    return zoo.datasets.epochs("digits", "train", batch_size=64, seed=3)


def rows(images):
    return sorted(map(tuple, images.round(6).tolist()))


def test_an_epoch_holds_every_example_once(digits):
    whole = zoo.datasets.load("digits", "train", batch_size=None, training=False)
    expected = np.stack([image.ravel() for image, _ in whole.as_numpy_iterator()])
    first, second = images_of(digits, 0), images_of(digits, 1)
    assert rows(first) == rows(second) == rows(expected)
    assert not np.array_equal(first, second)
    assert digits.steps == -(-len(expected) // 64) and digits.left_out == 0


def test_seed_and_epoch_decide_the_order(digits):
    again = zoo.datasets.epochs("digits", "train", batch_size=64, seed=3)
    other = zoo.datasets.epochs("digits", "train", batch_size=64, seed=4)
    np.testing.assert_array_equal(images_of(digits, 5), images_of(again, 5))
    assert not np.array_equal(images_of(digits, 5), images_of(other, 5))
    smaller = zoo.datasets.epochs("digits", "train", batch_size=10, seed=3)
    np.testing.assert_array_equal(images_of(digits, 5), images_of(smaller, 5))


@pytest.mark.parametrize("first_step", [0, 1, 7, 22])
def test_from_any_step(digits, first_step):
    expected = batches(digits, 2)[first_step:]
    found = batches(digits, 2, first_step)
    for one, other in zip(found, expected, strict=True):
        np.testing.assert_array_equal(one, other)
    assert len(digits.dataset(2, first_step)) == len(expected)


def test_from_the_end(digits):
    assert batches(digits, 2, digits.steps) == []
    for wrong in (-1, digits.steps + 1):
        with pytest.raises(ValueError, match="first_step"):
            digits.dataset(0, wrong)


@pytest.mark.parametrize(("workers", "replicas"), [(1, 2), (2, 1), (2, 2), (4, 1)])
@pytest.mark.parametrize("first_step", [0, 21])
def test_shares_make_up_the_batches(digits, workers, replicas, first_step):
    """In the order in which Keras puts them together: device by device, all workers."""
    slices = workers * replicas
    parts = []
    for rank in range(workers):
        share = Share(workers, rank, replicas)
        shared = digits.shared(share)
        # 1437 examples make 22 batches of 64 and 29 more.
        assert (shared.steps, shared.left_out) == (23, 29 % slices)
        read = batches(shared, 4, first_step)
        parts.append([read[at : at + replicas] for at in range(0, len(read), replicas)])
    for number, expected in enumerate(batches(digits, 4, first_step)):
        found = [
            parts[rank][number][device]
            for device in range(replicas)
            for rank in range(workers)
        ]
        assert len({len(part) for part in found}) == 1
        found = np.concatenate(found)
        np.testing.assert_array_equal(found, expected[: len(found)])
        assert len(expected) - len(found) in (0, 29 % slices)


def test_a_tpu_gets_whole_batches(digits):
    shared = digits.shared(Share(1, 0, 2, whole=True))
    assert (shared.steps, shared.left_out) == (22, 29)
    assert {len(part) for part in batches(shared, 0)} == {32}


def test_what_can_not_be_shared_out(digits):
    with pytest.raises(ValueError, match="multiple of the 3 devices.* 63 and 66"):
        digits.shared(Share(3, 0))
    with pytest.raises(ValueError, match="no batch of 64 for 8 devices"):
        Share(8, 0).steps(7, 64)
    with pytest.raises(ValueError, match="has 31 examples in its files"):
        steps_of_files([100, 31], 64, Share(2, 0))


def test_positions_are_a_partition():
    for count in (1, 7, 8, 9, 31):
        for batch_size, workers, replicas in ((4, 2, 1), (8, 2, 2), (6, 3, 1)):
            shares = [Share(workers, rank, replicas) for rank in range(workers)]
            try:
                steps = shares[0].steps(count, batch_size)
            except ValueError:
                assert count < workers * replicas
                continue
            read = []
            for share in shares:
                whole, rest = own_positions(count, batch_size, share)
                read += [*whole.ravel(), *rest.ravel()]
                assert len(whole) + len(rest) == steps * replicas
            used = count - count % batch_size % (workers * replicas)
            assert sorted(read) == list(range(used))


def test_chance_is_a_function_of_the_position():
    """CIFAR's shifts and flips: the same from the middle on, and in a share."""

    def noisy(example, seed):
        image, label = example
        return image + tf.random.stateless_normal(image.shape, seed), label

    images = tf.zeros((50, 4))

    def read(places):
        return tf.gather(images, places), places

    epochs = Epochs(MemorySource(50, read, noisy), batch_size=8, seed=0)
    whole = list(epochs.dataset(1).as_numpy_iterator())
    later = list(epochs.dataset(1, 3).as_numpy_iterator())
    for (one, _), (other, _) in zip(whole[3:], later, strict=True):
        np.testing.assert_array_equal(one, other)
    assert len(np.unique(np.concatenate([image for image, _ in whole]))) == 200
    share = epochs.shared(Share(2, 1))
    halves = list(share.dataset(1).as_numpy_iterator())
    for (one, _), (half, _) in zip(whole, halves, strict=True):
        np.testing.assert_array_equal(one[len(one) // 2 :], half)
    other_epoch = next(epochs.dataset(2).as_numpy_iterator())[0]
    assert not np.isin(other_epoch, whole[0][0]).any()


@pytest.fixture(scope="module")
def streamed():
    """The digits as if they lay in three files of different lengths."""
    builder = _load._builder(zoo.datasets.info("digits"), None, False, False)
    source = StreamSource(builder, "train", _load._as_float)
    ((name, _, count),) = source._files
    source._files = [(name, 0, 301), (name, 301, 502), (name, 803, count - 803)]
    return Epochs(source, batch_size=64, seed=3)


def numbered(dataset):
    """The images as tuples: no two digits are the same."""
    return [
        tuple(image.ravel().tolist())
        for images, _ in dataset.as_numpy_iterator()
        for image in images
    ]


def test_a_streamed_epoch_holds_every_example_once(streamed, digits):
    first, second = (numbered(streamed.dataset(epoch)) for epoch in (0, 1))
    assert sorted(first) == sorted(second) == sorted(numbered(digits.dataset(0)))
    assert first != second
    assert first == numbered(streamed.dataset(0))
    assert streamed.left_out == 0


def test_a_streamed_epoch_from_any_step(streamed):
    whole = numbered(streamed.dataset(2))
    for first_step in (1, 7, 22, 23):
        assert numbered(streamed.dataset(2, first_step)) == whole[first_step * 64 :]


@pytest.mark.parametrize(("workers", "replicas"), [(2, 1), (3, 1), (4, 1), (2, 2)])
def test_shares_of_a_stream_do_not_overlap(streamed, workers, replicas):
    """By files where there are enough, which four workers do not have."""
    batch = 48
    read = []
    for rank in range(workers):
        share = Share(workers, rank, replicas)
        shared = Epochs(streamed._source, batch, 3, share)
        assert shared.by_files == (workers <= 3)
        dataset = shared.dataset(1)
        assert len(list(dataset)) == len(dataset) == shared.steps * replicas
        read += numbered(dataset)
        later = numbered(shared.dataset(1, 2))
        assert later == numbered(dataset)[2 * batch // workers :]
    assert len(set(read)) == len(read) == shared.steps * batch
    assert shared.left_out == 1437 - len(read)


@pytest.mark.parametrize("split", ["train[:-100]", "train[200:300]"])
def test_a_part_of_a_split_is_streamed_and_nothing_else(split, monkeypatch):
    """What is held out for validation does not train."""
    held = zoo.datasets.load("digits", split, training=False)
    monkeypatch.setattr(_load, "MEMORY_LIMIT", 0)
    epochs = zoo.datasets.epochs("digits", split, batch_size=64)
    assert isinstance(epochs._source, StreamSource)
    assert sorted(numbered(epochs.dataset(0))) == sorted(numbered(held))


def test_training_on_a_stream(tmp_path, monkeypatch):
    monkeypatch.setattr(_load, "MEMORY_LIMIT", 0)
    metrics = zoo.training.train("mlp", "digits", tmp_path, epochs=3, validation=200)
    assert metrics["validation_accuracy"] > 0.8
