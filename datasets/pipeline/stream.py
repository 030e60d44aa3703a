import numpy as np
import tensorflow as tf
import tensorflow_datasets as tfds

from zoo.datasets.pipeline.order import epoch_order, epoch_seed, steps_of_files

# Encoded ImageNet files, 110 kB on average, or decoded ones of a large folder.
SHUFFLE_BUFFER = 4096
OPEN_FILES = 16


class StreamSource:
    """Examples in the files of tensorflow-datasets, for `Epochs`.

    Where there are as many files as processes each reads its own, in an order of every
    epoch; otherwise each reads all of them, and keeps its part.

    Args:
        builder: a `tfds.core.DatasetBuilder`, prepared.
        split: as tensorflow-datasets writes it.
        change: function from one image, as stored, and a seed of shape (2,).
    """

    def __init__(self, builder, split, change):
        self._features = builder.info.features
        self._files = [
            (str(file.filename), file.skip, file.take)
            for file in builder.info.splits[split].file_instructions
        ]
        self._change = change
        self.count = sum(examples for _, _, examples in self._files)

    def by_files(self, share):
        return len(self._files) >= share.workers

    def steps(self, batch_size, share):
        counts = [self._own(share, rank)[1] for rank in range(share.workers)]
        return steps_of_files(counts, batch_size, share)

    def left_out(self, batch_size, share):
        return max(0, self.count - self.steps(batch_size, share) * batch_size)

    def dataset(self, epoch, first_step, batch_size, seed, share):
        files, _ = self._own(share, share.rank)
        # Who keeps a part of what all read, reads it in the order of all.
        order_of = share.rank if self.by_files(share) else 0
        order = epoch_order(len(files), seed, epoch, again=order_of)
        names, *counts = zip(*(files[place] for place in order), strict=True)
        with tf.device("CPU:0"):
            dataset = tf.data.Dataset.from_tensor_slices(
                (list(names), *np.array(counts, np.int64))
            )
        dataset = dataset.interleave(
            lambda name, skip, take: (
                tf.data.TFRecordDataset(name).skip(skip).take(take)
            ),
            cycle_length=min(OPEN_FILES, len(files)),
            block_length=OPEN_FILES,
            num_parallel_calls=tf.data.AUTOTUNE,
            deterministic=True,
        )
        if not self.by_files(share):
            dataset = dataset.shard(share.workers, share.rank)
        chance = epoch_seed(seed, epoch, again=share.rank)
        dataset = dataset.shuffle(
            SHUFFLE_BUFFER, seed=chance, reshuffle_each_iteration=False
        )
        # Skipped before it is decoded: only read.
        first = first_step * (batch_size // share.workers)
        dataset = dataset.skip(first).enumerate(first)

        def changed(position, record):
            example = self._parsed(record)
            seed = tf.stack([tf.constant(chance, tf.int64), position])
            return self._change(example["image"], seed), example["label"]

        dataset = dataset.map(changed, num_parallel_calls=tf.data.AUTOTUNE)
        dataset = dataset.batch(
            batch_size // share.slices, drop_remainder=share.drops_rest
        )
        steps = self.steps(batch_size, share) - first_step
        return dataset.take(steps * share.replicas)

    def _parsed(self, record):
        encoded = isinstance(self._features["image"], tfds.features.Image)
        decoders = {"image": tfds.decode.SkipDecoding()} if encoded else None
        return self._features.deserialize_example(record, decoders=decoders)

    def _own(self, share, rank):
        """The files of a process, and how many examples it has of them."""
        if self.by_files(share):
            files = self._files[rank :: share.workers]
            return files, sum(examples for _, _, examples in files)
        return self._files, len(range(rank, self.count, share.workers))
