import tensorflow as tf

from zoo.datasets.pipeline.order import epoch_order, epoch_seed, own_positions


class MemorySource:
    """Examples in memory, for `Epochs`: each process reads its slices, and no others.

    Args:
        count: how many there are.
        read: function from places, int64 (batch,), to (inputs, targets).
        change: None, or a function from one (input, target) and a seed of shape (2,) to
            another, for what chance does.
    """

    def __init__(self, count, read, change=None):
        self.count = count
        self._read = read
        self._change = change

    def by_files(self, share):
        return False

    def steps(self, batch_size, share):
        return share.steps(self.count, batch_size)

    def left_out(self, batch_size, share):
        return self.count % batch_size - share.rest(self.count, batch_size)

    def dataset(self, epoch, first_step, batch_size, seed, share):
        whole, rest = own_positions(self.count, batch_size, share, first_step)
        dataset = self._batches(whole, epoch, seed)
        if len(rest):
            dataset = dataset.concatenate(self._batches(rest, epoch, seed))
        return dataset

    def _batches(self, positions, epoch, seed):
        """A batch for each row of positions in the order of the epoch."""
        with tf.device("CPU:0"):  # also where there is a GPU: tf.data works there
            order = tf.constant(epoch_order(self.count, seed, epoch))
            # Each element is a batch of positions: a tf.data service that deals out
            # elements keeps batches whole.
            dataset = tf.data.Dataset.from_tensor_slices(positions)
        if self._change is None:
            return dataset.map(
                lambda positions: self._read(tf.gather(order, positions)),
                num_parallel_calls=tf.data.AUTOTUNE,
            )
        chance = epoch_seed(seed, epoch)

        def changed(position):
            inputs, targets = self._read(tf.gather(order, position[tf.newaxis]))
            seed = tf.stack([tf.constant(chance, tf.int64), position])
            return self._change((inputs[0], targets[0]), seed)

        dataset = dataset.unbatch().map(changed, num_parallel_calls=tf.data.AUTOTUNE)
        return dataset.batch(max(1, positions.shape[1]))
