import tensorflow as tf

from zoo.datasets.pipeline.order import Share


class Epochs:
    """A training set epoch by epoch, each in an order that only seed and epoch decide.

    What `zoo.datasets.load` gives reshuffles by itself, and forgets with the process.
    This is for training that is taken up again, or shared out.

    Attributes:
        batch_size: examples a step, of all processes and devices together.
        steps: batches an epoch.
        left_out: examples that an epoch leaves out, because they can't be shared out.
        share: the `Share` of each batch that this process reads.
        by_files: whether processes share out files; otherwise single examples.

    Example:

    >>> import zoo
    >>> epochs = zoo.datasets.epochs("digits", "train", batch_size=500)
    >>> epochs.steps, epochs.left_out
    (3, 0)
    >>> for image, label in epochs.dataset(epoch=7, first_step=2):
    ...     print(image.shape)
    (437, 8, 8, 1)
    """

    def __init__(self, source, batch_size, seed, share=None, changes=()):
        """Of private parts: `zoo.datasets.epochs` makes them.

        Args:
            source: what has `by_files(share)`, `steps(batch_size, share)`,
                `left_out(batch_size, share)` and
                `dataset(epoch, first_step, batch_size, seed, share)`.
            batch_size, share: see above.
            seed: integer that decides the order, and what chance does.
            changes: functions as `map` takes them.
        """
        self.batch_size = batch_size
        self.share = share or Share()
        self.steps = source.steps(batch_size, self.share)
        self.left_out = source.left_out(batch_size, self.share)
        self.by_files = source.by_files(self.share)
        self._source = source
        self._seed = seed
        self._changes = changes

    def dataset(self, epoch, first_step=0, counted=True):
        """The batches of one epoch, or what is left of it: always the same.

        Args:
            epoch: integer from 0.
            first_step: number of the first batch.
            counted: whether the dataset knows its length. A tf.data service deals its
                elements out, and refuses one that does.

        Returns:
            A finite `tf.data.Dataset` of (input, target). Of a
            process with several devices each element is the part of one device.
        """
        if not 0 <= first_step <= self.steps:
            raise ValueError(
                f"first_step must be 0 to {self.steps}; received {first_step!r}."
            )
        dataset = self._source.dataset(
            epoch, first_step, self.batch_size, self._seed, self.share
        )
        for change in self._changes:
            dataset = change(dataset, epoch, first_step, self.share)
        options = tf.data.Options()
        options.deterministic = True
        # What is shared out here already, must not be a second time.
        options.experimental_distribute.auto_shard_policy = (
            tf.data.experimental.AutoShardPolicy.OFF
        )
        if counted:
            count = (self.steps - first_step) * self.share.replicas
            dataset = dataset.apply(tf.data.experimental.assert_cardinality(count))
        return dataset.with_options(options).prefetch(tf.data.AUTOTUNE)

    def shared(self, share):
        """The same for another share of each batch; what is in memory stays there once.

        Args:
            share: a `Share`.

        Returns:
            An `Epochs`.

        Raises:
            ValueError: the batch can't be cut in so many slices.
        """
        return Epochs(self._source, self.batch_size, self._seed, share, self._changes)

    def map(self, change):
        """The same with every epoch's dataset changed.

        Args:
            change: function of (dataset, epoch, first_step, share) that returns a
                dataset of as many batches.

        Returns:
            An `Epochs`.
        """
        changes = (*self._changes, change)
        return Epochs(self._source, self.batch_size, self._seed, self.share, changes)
