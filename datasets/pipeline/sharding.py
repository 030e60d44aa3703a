"""How `tf.distribute` shares out a dataset between workers, said and not guessed."""

import tensorflow as tf


def sharded(dataset, files=None):
    """A dataset with its options: in a fixed order, and who reads what.

    Args:
        dataset: a `tf.data.Dataset`.
        files: None, or how many files it streams from. Where there are enough for the
            workers of the strategy in scope, each reads its own; otherwise each reads
            everything, and keeps its part of every batch.

    Returns:
        A `tf.data.Dataset`.
    """
    policy = tf.data.experimental.AutoShardPolicy
    by_files = files is not None and 1 < _workers() <= files
    options = tf.data.Options()
    options.deterministic = True
    options.experimental_distribute.auto_shard_policy = (
        policy.FILE if by_files else policy.DATA
    )
    return dataset.with_options(options)


def _workers():
    """How many processes train together, as the strategy in scope says."""
    resolver = tf.distribute.get_strategy().cluster_resolver
    if resolver is None:
        return 1
    return len(resolver.cluster_spec().as_dict().get("worker", ["this one"]))
