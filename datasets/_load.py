"""zoo.datasets.load: from a name to a tf.data pipeline."""

import contextlib
import logging
import numbers
import os
from pathlib import Path

import tensorflow as tf

from zoo.datasets import _catalogue
from zoo.datasets._cache import prepared_builder


def load(name, split, batch_size=64, seed=0, data_dir=None, download=False):
    """A data set as a finite `tf.data.Dataset` of (image, label).

    The first call prepares the data set in the cache folder ($CONVZOO_CACHE, else
    $XDG_CACHE_HOME/convzoo, else ~/.cache/convzoo); later calls read it from there.
    The images of the split stay in memory as long as the result is in use.

    Args:
        name: one of `zoo.datasets.list_datasets()`.
        split: "train" or "test", or a part of one as tensorflow-datasets writes it:
            "train[:80%]", "test[:1000]". A split that begins with "train" comes in
            a new order every epoch; any other in the same order always.
        batch_size: images in a batch, the last one may be smaller; None for single
            images.
        seed: integer that decides the order of the training images. (TensorFlow
            mixes it with its own global seed, where one is set.)
        data_dir: folder with the source files, for a data set that needs them; its
            `info(name).source` says which.
        download: whether the source may be fetched from the network, where it
            can be; without it nothing is ever downloaded.

    Returns:
        A `tf.data.Dataset` of known cardinality. image is float32 in [0, 1] of shape
        (batch, height, width, channels), label int64 of shape (batch,); with
        `batch_size=None`, (height, width, channels) and ().

    Raises:
        ValueError: an argument is not one of its choices, or the files in
            `data_dir` are missing or not what they should be.

    Example:
        ```python
        import zoo

        train = zoo.datasets.load("rotated_digits", "train", batch_size=32)
        for image, label in train.take(1):
            print(image.shape, label.shape)
        ```

    Source: see `zoo.datasets.info(name)`.
    """
    facts = _catalogue.info(name)
    _check_arguments(batch_size, seed, data_dir)
    builder = _builder(name, data_dir, download)
    count = _split_size(facts, builder, split)

    images, labels = _in_memory(builder, split)
    # Places are shuffled and batched, not images: quick, and no second copy. A
    # Dataset.cache() of the images would be cut short for good by a loop that stops
    # in its first epoch (TensorFlow 2.21, over a parallel map).
    places = tf.data.Dataset.range(count)
    if split.startswith("train"):
        places = places.shuffle(count, seed=seed, reshuffle_each_iteration=True)
    if batch_size is not None:
        places = places.batch(batch_size)
    dataset = places.map(
        lambda place: (tf.gather(images, place), tf.gather(labels, place))
    )
    options = tf.data.Options()
    options.deterministic = True
    return dataset.with_options(options).prefetch(tf.data.AUTOTUNE)


def _check_arguments(batch_size, seed, data_dir):
    if batch_size is not None and not (
        isinstance(batch_size, numbers.Integral) and batch_size >= 1
    ):
        raise ValueError(
            f"batch_size must be an integer of at least 1, or None for single images; "
            f"received {batch_size!r}."
        )
    if not (isinstance(seed, numbers.Integral) and -(2**63) <= seed < 2**63):
        raise ValueError(f"seed must be an integer of 64 bits; received {seed!r}.")
    if data_dir is not None and not (
        Path(data_dir).is_dir() and os.access(data_dir, os.R_OK | os.X_OK)
    ):
        fault = "is not there"
        if Path(data_dir).exists():
            fault = "cannot be read" if Path(data_dir).is_dir() else "is not a folder"
        raise ValueError(
            f"data_dir must be a folder that exists and can be read; received "
            f"{str(data_dir)!r}, which {fault}."
        )


def _builder(name, data_dir, download):
    if name == "digits":
        from zoo.datasets.digits import Digits

        return prepared_builder(Digits)
    if name == "rotated_digits":
        from zoo.datasets.rotated_digits import RotatedDigits

        return prepared_builder(RotatedDigits)
    from zoo.datasets._rotated_mnist_source import find_source
    from zoo.datasets.rotated_mnist import RotatedMnist

    source = find_source(name, data_dir, download)
    return prepared_builder(
        RotatedMnist, source.config, source.folder, source.content_hash()
    )


def _split_size(facts, builder, split):
    """Number of examples in a split, which may be a part such as "train[:80%]"."""
    try:
        count = builder.info.splits[split].num_examples
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise ValueError(
            f"{facts.name} has no split {split!r}: choose one of "
            f"{', '.join(facts.splits)}, or a part such as 'train[:80%]'."
        ) from error
    if count == 0:
        raise ValueError(
            f"The split {split!r} of {facts.name} holds no image: ask for a larger "
            f"part."
        )
    return count


def _in_memory(builder, split):
    """All images and labels of a split as two tensors, in the order of the files."""
    # On the host also where there is a GPU: tf.data works there.
    with tf.device("CPU:0"), _quiet_about_dtype():
        return builder.as_dataset(
            split=split, batch_size=-1, as_supervised=True, shuffle_files=False
        )


@contextlib.contextmanager
def _quiet_about_dtype():
    """Drops the warning that tensorflow-datasets logs about a line of its own."""

    def keep(record):
        return ".dtype` is deprecated" not in record.getMessage()

    logger = logging.getLogger("absl")
    logger.addFilter(keep)
    try:
        yield
    finally:
        logger.removeFilter(keep)
