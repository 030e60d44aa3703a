"""The order of a training set: a function of the seed and the epoch, of nothing else.

So a run that was killed goes on with the examples that an uninterrupted one would see,
and workers that share an epoch out agree without a word.
"""

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Share:
    """Which part of every batch a process reads: slice by slice, one for each device.

    Slice r * workers + rank of a batch is that of device r of a worker: so Keras puts
    the outputs of `predict` together.

    Args:
        workers: processes that read.
        rank: number of this one.
        replicas: devices of each.
        whole: whether an epoch ends with its last whole batch (a TPU has programs for
            one size only).

    Example:

    >>> Share(workers=2, rank=1, replicas=2).own_slices().tolist()
    [1, 3]
    """

    workers: int = 1
    rank: int = 0
    replicas: int = 1
    whole: bool = False

    @property
    def slices(self):
        """Parts of a batch."""
        return self.workers * self.replicas

    def rest(self, count, batch_size):
        """Examples in a smaller last batch: as many as make equal slices."""
        return 0 if self.whole else count % batch_size // self.slices * self.slices

    @property
    def drops_rest(self):
        """Whether processes that read files of their own end with a whole batch."""
        return self.whole or self.slices > 1

    def own_slices(self):
        """Numbers of the parts of a batch that this process reads, in order."""
        return np.arange(self.replicas) * self.workers + self.rank

    def steps(self, count, batch_size):
        """Batches in an epoch.

        Raises:
            ValueError: the batch can't be cut in equal slices, or is larger than the
                set.
        """
        if batch_size % self.slices:
            raise ValueError(
                f"The batch must be a multiple of the {self.slices} devices that share "
                f"it. Received: batch_size={batch_size}. The nearest are "
                f"{max(1, batch_size // self.slices) * self.slices} and "
                f"{(batch_size // self.slices + 1) * self.slices}."
            )
        steps = count // batch_size + bool(self.rest(count, batch_size))
        if not steps:
            raise ValueError(
                f"{count} examples make no batch of {batch_size} for {self.slices} "
                f"devices. Choose a smaller batch_size."
            )
        return steps


def steps_of_files(counts, batch_size, share):
    """Batches in an epoch where each process reads files of its own.

    Args:
        counts: examples that each process has.
        batch_size: of all devices together.
        share: a `Share`.

    Raises:
        ValueError: as `Share.steps`, also where one process has too few.
    """
    steps = share.steps(sum(counts), batch_size)
    if share.drops_rest:
        # The process with the fewest ends the epoch.
        steps = min(counts) // (batch_size // share.workers)
    if not steps:
        raise ValueError(
            f"One of {share.workers} workers has {min(counts)} examples in its files, "
            f"less than its part of a batch of {batch_size}. Choose a smaller "
            f"batch_size, or fewer workers."
        )
    return steps


def epoch_order(count, seed, epoch, again=0):
    """The places of `count` examples in the order of an epoch.

    Args:
        count: how many there are.
        seed: integer.
        epoch: integer from 0.
        again: integer from 0; another order of the same epoch.

    Returns:
        int64 array, a permutation.

    Example:

    >>> epoch_order(5, seed=1, epoch=0).tolist(), epoch_order(5, 1, 1).tolist()
    ([4, 0, 1, 2, 3], [1, 4, 0, 3, 2])
    """
    return _random(seed, epoch, again).permutation(count)


def epoch_seed(seed, epoch, again=0):
    """One integer, from 0 to 2**31 - 1, for what chance does in an epoch."""
    return int(_random(seed, epoch, again + 2**31).integers(2**31))


def own_positions(count, batch_size, share, first_step=0):
    """Which positions of an epoch a process reads, device by device, step by step.

    Args:
        count: examples in the epoch.
        batch_size: of all devices together.
        share: a `Share`.
        first_step: the first batch that is still to be read.

    Returns:
        int64 array (slices, batch_size / slices), and one of the smaller last batch,
        which may have no slices.

    Example:

    >>> own_positions(9, 4, Share(2, 1), first_step=1)
    (array([[6, 7]]), array([], shape=(0, 0), dtype=int64))
    >>> own_positions(5, 2, Share(), first_step=1)
    (array([[2, 3]]), array([[4]]))
    """
    steps, rest = share.steps(count, batch_size), share.rest(count, batch_size)
    whole, slices, own = count // batch_size, share.slices, share.own_slices()
    positions = np.arange(whole * batch_size)
    positions = positions.reshape(whole, slices, batch_size // slices)[first_step:, own]
    last = np.arange(rest).reshape(slices, rest // slices)[own] + whole * batch_size
    if first_step == steps or not rest:
        last = last[:0]
    return positions.reshape(-1, batch_size // slices), last


def _random(seed, epoch, again):
    return np.random.default_rng((int(seed) % 2**64, int(epoch), int(again)))
