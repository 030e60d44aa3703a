"""What the processes of one run tell each other between steps."""

import json

import numpy as np
import tensorflow as tf

from zoo.datasets import Share


class Together:
    """The processes that train one net: their number, and a few words between them.

    Each method must be called by all of them, in the same order.

    Args:
        strategy: the `tf.distribute.Strategy` they share; None for one process.

    Attributes:
        workers: how many processes.
        rank: number of this one.

    Example:

    >>> alone = Together(None)
    >>> alone.is_chief, alone.broadcast({"epoch": 3}, source=0)
    (True, {'epoch': 3})
    """

    def __init__(self, strategy=None):
        self.strategy = strategy or tf.distribute.get_strategy()
        resolver = self.strategy.cluster_resolver
        spec = resolver.cluster_spec().as_dict() if resolver else {}
        self.workers = len(spec.get("worker", ["this one"]))
        self.rank = resolver.task_id if self.workers > 1 else 0

    @property
    def is_chief(self):
        """Whether this process writes the files and shows the progress."""
        return self.rank == 0

    @property
    def is_distributed(self):
        """Whether more than one device trains."""
        return self.workers > 1 or self.strategy.num_replicas_in_sync > 1

    def share(self):
        """The part of every batch that this process reads, as `Epochs` takes it."""
        replicas = self.strategy.num_replicas_in_sync // self.workers
        is_tpu = isinstance(self.strategy, tf.distribute.TPUStrategy)
        return Share(self.workers, self.rank, replicas, whole=is_tpu)

    def sum(self, values):
        """The sum of an array over all processes."""
        values = np.asarray(values)
        if self.workers == 1:
            return values
        # Not all kinds of integers can be summed between devices.
        kind = values.dtype
        values = values if kind.kind == "f" else values.astype(np.int64)
        parts = self.strategy.experimental_distribute_values_from_function(
            lambda context: tf.constant(
                # Once for each process, not for each of its devices.
                values if self._is_first(context) else np.zeros_like(values)
            )
        )
        return self.strategy.reduce("SUM", parts, axis=None).numpy().astype(kind)

    def _is_first(self, context):
        return context.replica_id_in_sync_group % self.share().replicas == 0

    def gather(self, number):
        """An integer of every process, by rank."""
        mine = np.zeros(self.workers, np.int64)
        mine[self.rank] = number
        return self.sum(mine).tolist()

    def broadcast(self, value, source):
        """What one process has, given to all: anything that JSON can write."""
        if self.workers == 1:
            return value
        text = json.dumps(value).encode() if self.rank == source else b""
        length = int(self.sum(np.int64(len(text))))
        letters = np.zeros(length, np.int32)
        letters[: len(text)] = np.frombuffer(text, np.uint8)
        return json.loads(self.sum(letters).astype(np.uint8).tobytes())

    def wait(self):
        """Goes on when all processes have come here."""
        self.sum(np.int32(1))
