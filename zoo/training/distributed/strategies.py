"""From a word to a `tf.distribute` strategy."""

import os

import tensorflow as tf

from zoo.training.distributed.cluster import find_cluster

STRATEGIES = ("auto", "one", "mirrored", "multi_worker", "tpu")


def strategy(name="auto", workers=None, rank=None):
    """A `tf.distribute` strategy: build and compile a model in its scope, then fit it.

    Call it once in a process, before TensorFlow has computed anything. Batch sizes
    are those of all devices together.

    Args:
        name: `"one"` device; `"mirrored"`: all GPUs of this machine, or all its logical
            CPU devices where it has none; `"multi_worker"`: all GPUs of several
            machines, one process or more on each; `"tpu"`; `"auto"`: several workers
            where somebody names them, a TPU where TPU_NAME is set, else what devices
            there are.
        workers: of several, the "host:port" of each, as a sequence or with commas. By
            default the environment is asked: see `zoo.training.find_cluster`.
        rank: which of them this process is.

    Returns:
        A `tf.distribute.Strategy`; for one device the default one, which does nothing.

    Raises:
        ValueError: for another name, settings that do not fit together, or workers
            without any to be found.

    Example:

    >>> strategy("one").num_replicas_in_sync
    1
    """
    if name not in STRATEGIES:
        raise ValueError(
            f"`strategy` must be one of {', '.join(STRATEGIES)}. Received: {name!r}"
        )
    cluster = find_cluster(workers, rank) if name in ("auto", "multi_worker") else None
    if name == "auto":
        name = _what_there_is(cluster)
    elif name != "multi_worker" and (workers is not None or rank is not None):
        raise ValueError(
            f"workers and rank are for the strategy multi_worker. Received: {name}"
        )
    if name == "multi_worker":
        return multi_worker(cluster)
    if name == "mirrored":
        return _mirrored()
    if name == "tpu":
        return _tpu()
    return tf.distribute.get_strategy()


def _what_there_is(cluster):
    if cluster is not None:
        return "multi_worker"
    if os.environ.get("TPU_NAME"):
        return "tpu"
    gpus = tf.config.list_physical_devices("GPU")
    return "mirrored" if len(gpus) > 1 else "one"


def _mirrored():
    if tf.config.list_logical_devices("GPU"):
        return tf.distribute.MirroredStrategy()
    names = [device.name for device in tf.config.list_logical_devices("CPU")]
    # The default one fails from the second strategy of a process on.
    copies = tf.distribute.HierarchicalCopyAllReduce()
    return tf.distribute.MirroredStrategy(names, cross_device_ops=copies)


def multi_worker(cluster):
    if cluster is None:
        raise ValueError(
            "The strategy multi_worker needs to know its workers: give them as workers "
            "and rank (--workers host:port,host:port --rank 0), or set TF_CONFIG, or "
            "start it with srun or torchrun."
        )
    from zoo.training.distributed import multi_worker

    if cluster.local is not None:
        gpus = tf.config.list_physical_devices("GPU")
        tf.config.set_visible_devices(gpus[cluster.local : cluster.local + 1], "GPU")
    resolver = tf.distribute.cluster_resolver.SimpleClusterResolver(
        tf.train.ClusterSpec({"worker": list(cluster.workers)}),
        task_type="worker",
        task_id=cluster.rank,
        rpc_layer="grpc",
    )
    try:
        made = tf.distribute.MultiWorkerMirroredStrategy(cluster_resolver=resolver)
    except RuntimeError as error:
        raise ValueError(
            f"The strategy multi_worker must be made before TensorFlow computes "
            f"anything ({error}). Call it first."
        ) from error
    multi_worker.mend()
    return made


def _tpu():
    try:
        resolver = tf.distribute.cluster_resolver.TPUClusterResolver.connect()
    except (ValueError, tf.errors.OpError) as error:
        raise ValueError(
            f"No TPU was found ({error}). Choose another strategy, or set TPU_NAME."
        ) from error
    return tf.distribute.TPUStrategy(resolver)
