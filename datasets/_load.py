"""zoo.datasets.load: from a name to a tf.data pipeline."""

import re

import numpy as np
import tensorflow as tf
import tensorflow_datasets as tfds

from zoo.datasets import catalogue
from zoo.datasets._arguments import check_batch_size_and_seed
from zoo.datasets._quiet import quiet_about
from zoo.datasets.audio.named_sets import sound_options, sound_set
from zoo.datasets.cache import prepared_builder
from zoo.datasets.image.alexnet import evaluation_image, training_image
from zoo.datasets.image.shift_and_flip import shift_and_flip
from zoo.datasets.pipeline.epochs import Epochs
from zoo.datasets.pipeline.memory import MemorySource
from zoo.datasets.pipeline.sharding import sharded
from zoo.datasets.pipeline.stream import SHUFFLE_BUFFER, StreamSource

# A larger split is read from disk every epoch.
MEMORY_LIMIT = 2**31


def load(
    name,
    split,
    batch_size=64,
    seed=0,
    data_dir=None,
    download=False,
    image_shape=None,
    training=None,
    skip_bad=False,
    **sound,
):
    """A data set as a finite `tf.data.Dataset` of (image, label) or (waveform, target).

    The first call prepares the data set in the cache folder ($CONVZOO_CACHE, else
    $XDG_CACHE_HOME/convzoo, else ~/.cache/convzoo); later calls read it from there.
    The images of the split stay in memory, as bytes, as long as the result is in use;
    those of imagenet2012, and of a folder beyond 2 GiB, are read as they are needed.
    Sets of sounds are read as `zoo.datasets.audio_folder` says.

    Args:
        name: one of `zoo.datasets.list_datasets()`.
        split: "train" or "test", or a part of one as tensorflow-datasets writes it:
            "train[:80%]", "test[:1000]"; of a set of sounds, "train", "test", or
            "validation" where it has one.
        batch_size: images in a batch, the last one may be smaller; None for single
            images.
        seed: integer that decides the order of the training images, and what chance
            does to them. (TensorFlow mixes it with its own global seed, where one is
            set.)
        data_dir: folder with the source files, for a data set that needs them; its
            `info(name).source` says which.
        download: whether the source may be fetched from the network, where it
            can be; without it nothing is ever downloaded.
        image_shape: (height, width, channels) of the images, for a data set that is
            `resizable`: image_folder needs it, for imagenet2012 it is (227, 227, 3)
            by default.
        training: whether the images come in a new order every epoch, and changed at
            random where the data set says so ("cifar10+", "imagenet2012"), or the
            same way always. By default a split that begins with "train" is for
            training; False gives held-out images of it.
        skip_bad: whether bad files in an image_folder are left out, with a warning
            that lists them; otherwise they are an error that does.
        sound: of a set of sounds, the arguments of `zoo.datasets.audio_folder` that
            it takes: sample_rate, seconds, normalize, held_out, ...; by default as its
            `info(name)` says.

    Returns:
        A `tf.data.Dataset` of known cardinality. image is float32 in [0, 1] of shape
        (batch, height, width, channels), label int64 of shape (batch,); with
        `batch_size=None`, (height, width, channels) and (). waveform is float32 of
        shape (batch, samples, channels); the target is that of the task.

    Raises:
        TypeError: there is no such option.
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
    facts = catalogue.info(name, image_shape=image_shape, **sound)
    _check_arguments(facts, batch_size, seed, data_dir)
    options = sound_options(name, sound)
    if options is not None:
        clips = sound_set(facts, data_dir, download, options)
        return clips.load(split, batch_size, seed, training)
    builder = _builder(facts, data_dir, download, skip_bad)
    count = _split_size(facts, builder, split)
    if training is None:
        training = split.startswith("train")
    change = _change(facts, training)

    files = None
    if _is_streamed(facts, count):
        files = len(builder.info.splits[_own_split(name, split)].file_instructions)
        dataset = _streamed(builder, _own_split(name, split), training, seed)
        change = change or _as_float
    else:
        images, labels = _in_memory(builder, split, facts.input_name)
        # Places are shuffled, and batched, not images: quick, and no second copy. A
        # Dataset.cache() of the images would be cut short for good by a loop that
        # stops in its first epoch (TensorFlow 2.21, over a parallel map).
        dataset = tf.data.Dataset.range(count)
        if training:
            dataset = dataset.shuffle(count, seed, reshuffle_each_iteration=True)
        if change is None and batch_size is not None:
            dataset = dataset.batch(batch_size)
            batch_size = None
        dataset = dataset.map(
            lambda place: (
                _as_float(tf.gather(images, place)),
                tf.gather(labels, place),
            )
        )
    if change is not None:
        dataset = _changed(dataset, change, seed)
    if batch_size is not None:
        dataset = dataset.batch(batch_size)
    return sharded(dataset, files).prefetch(tf.data.AUTOTUNE)


def epochs(
    name,
    split="train",
    batch_size=64,
    seed=0,
    data_dir=None,
    download=False,
    image_shape=None,
    skip_bad=False,
    share=None,
    **sound,
):
    """A training set whose every epoch can be had by its number, or from its middle on.

    For training that is taken up again where it was killed, or shared out between
    processes. The order of an epoch, and what chance does in it, is a function of seed
    and epoch; not the order that `load` gives.

    Args:
        name, data_dir, download, image_shape, skip_bad, **sound: as `load` takes them.
        split: "train", or a part of it.
        batch_size: examples a step, of all processes and devices together.
        seed: integer.
        share: None, or the part of each batch that this process reads: a
            `zoo.datasets.Share`.

    Returns:
        An `Epochs`.

    Raises:
        TypeError, ValueError: as `load` does, and for a batch that can't be shared out.

    Example:

    >>> import numpy as np
    >>> train = epochs("digits", batch_size=100, seed=1)
    >>> first, again = (next(iter(train.dataset(3)))[1] for _ in range(2))
    >>> np.array_equal(first, again)
    True
    """
    facts = catalogue.info(name, image_shape=image_shape, **sound)
    _check_arguments(facts, batch_size, seed, data_dir)
    options = sound_options(name, sound)
    if options is not None:
        clips = sound_set(facts, data_dir, download, options)
        return clips.epochs(split, batch_size, seed, share)
    builder = _builder(facts, data_dir, download, skip_bad)
    count = _split_size(facts, builder, split)
    change = _change(facts, training=True)
    if _is_streamed(facts, count):
        source = StreamSource(builder, _own_split(name, split), change or _as_float)
    else:
        source = _memory_source(builder, split, facts.input_name, change)
    return Epochs(source, batch_size, seed, share)


def _memory_source(builder, split, input_name, change):
    inputs, labels = _in_memory(builder, split, input_name)

    def read(places):
        return _as_float(tf.gather(inputs, places)), tf.gather(labels, places)

    changed = change and (lambda example, seed: (change(example[0], seed), example[1]))
    return MemorySource(len(labels), read, changed)


def _is_streamed(facts, count):
    large = count * np.prod(facts.input_shape) > MEMORY_LIMIT
    return facts.name == "imagenet2012" or large


def _check_arguments(facts, batch_size, seed, data_dir):
    check_batch_size_and_seed(batch_size, seed)
    if data_dir is not None:
        catalogue.check_data_dir(data_dir)
    if None in facts.input_shape:
        raise ValueError(
            f"{facts.name} needs image_shape=(height, width, channels), with 1 or 3 "
            f"channels, to resize the images to; received None."
        )


def _builder(facts, data_dir, download, skip_bad):
    name = facts.name
    if name == "digits":
        from zoo.datasets.image.digits import Digits

        return prepared_builder(Digits)
    if name == "rotated_digits":
        from zoo.datasets.image.rotated_digits import RotatedDigits

        return prepared_builder(RotatedDigits)
    if name in ("cifar10", "cifar10+"):
        from zoo.datasets.pipeline.tfds_source import prepared_or_fetched

        return prepared_or_fetched("cifar10", data_dir, download)
    if name in ("mnist1d", "mnist1d_shuffled"):
        from zoo.datasets.audio.mnist1d import Mnist1D

        shuffled = name == "mnist1d_shuffled"
        return prepared_builder(Mnist1D, "shuffled" if shuffled else "ordered")
    if name == "imagenet2012":
        from zoo.datasets.pipeline.tfds_source import imagenet2012_builder

        return imagenet2012_builder(data_dir)
    if name == "image_folder":
        from zoo.datasets.image.folder import folder_builder

        if data_dir is None:
            raise ValueError(
                "image_folder needs the folder of the images as data_dir; received "
                "None."
            )
        return folder_builder(data_dir, facts.input_shape, skip_bad)
    if name == "digits_16":
        from zoo.datasets.image import digits_16

        source = digits_16.find_source(data_dir)
        return prepared_builder(
            digits_16.Digits16,
            source_dir=source.folder,
            source_hash=source.content_hash(),
        )
    from zoo.datasets.image.rotated_mnist import RotatedMnist
    from zoo.datasets.image.rotated_mnist_source import find_source

    source = find_source(name, data_dir, download)
    return prepared_builder(
        RotatedMnist, source.config, source.folder, source.content_hash()
    )


def _own_split(name, split):
    """The split as tensorflow-datasets calls it."""
    if name == "imagenet2012" and isinstance(split, str):
        return re.sub(r"\btest\b", "validation", split)
    return split


def _split_size(facts, builder, split):
    """Number of examples in a split, which may be a part such as "train[:80%]"."""
    try:
        count = builder.info.splits[_own_split(facts.name, split)].num_examples
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise ValueError(
            f"{facts.name} has no split {split!r}: choose one of "
            f"{', '.join(facts.splits or builder.info.splits)}, or a part such as "
            f"'train[:80%]'."
        ) from error
    if count == 0:
        raise ValueError(
            f"The split {split!r} of {facts.name} holds no image: ask for a larger "
            f"part."
        )
    return count


def _change(facts, training):
    """What happens to an image and a seed, or None."""
    if facts.name == "imagenet2012":
        size = facts.input_shape[0]
        if training:
            return lambda encoded, seed: training_image(encoded, size, seed)
        return lambda encoded, seed: evaluation_image(encoded, size)
    if facts.name == "cifar10+" and training:
        return shift_and_flip
    return None


def _changed(dataset, change, seed):
    """Every image changed, by a seed of its own in every epoch."""
    seeds = tf.data.Dataset.random(seed, rerandomize_each_iteration=True).batch(2)
    return tf.data.Dataset.zip(dataset, seeds).map(
        lambda example, seed: (change(example[0], seed), example[1]),
        num_parallel_calls=tf.data.AUTOTUNE,
    )


def _as_float(image, seed=None):
    """float32 in [0, 1] from bytes; what is float32 already stays as it is."""
    return tf.image.convert_image_dtype(image, tf.float32)


def _streamed(builder, split, training, seed):
    """(image, label) from the files: encoded images, if they are stored so."""
    encoded = isinstance(builder.info.features["image"], tfds.features.Image)
    with quiet_about(".dtype` is deprecated"):
        dataset = builder.as_dataset(
            split=split,
            decoders={"image": tfds.decode.SkipDecoding()} if encoded else None,
            shuffle_files=training,
            read_config=tfds.ReadConfig(
                shuffle_seed=seed,
                shuffle_reshuffle_each_iteration=True,
                try_autocache=False,
            ),
        )
    dataset = dataset.map(lambda example: (example["image"], example["label"]))
    if training:
        dataset = dataset.shuffle(SHUFFLE_BUFFER, seed, reshuffle_each_iteration=True)
    return dataset


def _in_memory(builder, split, input_name):
    """All inputs and labels of a split as two tensors, in the order of the files."""
    # On the host also where there is a GPU: tf.data works there.
    with tf.device("CPU:0"), quiet_about(".dtype` is deprecated"):
        examples = builder.as_dataset(split=split, batch_size=-1, shuffle_files=False)
        return examples[input_name], examples["label"]
