"""Keras's `fit` on several machines, mended where it needs to be.

Keras 3 fails under `tf.distribute.MultiWorkerMirroredStrategy` in two places (3.15.1;
keras-team/keras#20585):

1. to build a model it takes the mean of a batch over the replicas, which TensorFlow
   refuses for what lies on several workers: one replica's part has the shapes as well;
2. it takes the mean of a figure over the replicas along axis 0, which a figure, a
   scalar, does not have.

`mend` looks which of the two faults the installed Keras has, replaces these two
functions only, and only what they do for several workers.
"""

import functools

import keras
import tensorflow as tf

SYMBOLIC_BUILD = "symbolic build"
MEAN_OF_FIGURES = "mean of figures"


def mend():
    """Mends the faults that the installed Keras has. Again, it does nothing.

    Raises:
        ValueError: if Keras has changed so much that they can't be looked for.
    """
    trainer = _trainer()
    found = faults()
    if SYMBOLIC_BUILD in found:
        kind = trainer.TensorFlowTrainer
        kind._maybe_symbolic_build = _build_by_one_replica(kind._maybe_symbolic_build)
    if MEAN_OF_FIGURES in found:
        trainer.reduce_per_replica = _mean_without_axis(trainer.reduce_per_replica)


def faults():
    """The faults that Keras has as it stands, mended or not: a set of names.

    Raises:
        ValueError: if Keras has changed so much that they can't be looked for.
    """
    trainer = _trainer()
    try:
        checks = {
            SYMBOLIC_BUILD: _builds_by_a_mean(trainer),
            MEAN_OF_FIGURES: _reduces_along_an_axis(trainer),
        }
    except (AttributeError, TypeError) as error:
        raise ValueError(
            f"Training on several workers is known to work with Keras 3.13 to 3.15, "
            f"and Keras {keras.__version__} is another inside ({error}). Install one "
            f"of those, or train on one machine."
        ) from error
    return {fault for fault, is_there in checks.items() if is_there}


def _trainer():
    # Private, and the only such module: what is mended is in it.
    from keras.src.backend.tensorflow import trainer

    return trainer


def _build_by_one_replica(original):
    @functools.wraps(original)
    def build(self, iterator=None, data_batch=None):
        strategy = self._distribute_strategy
        if iterator is None or not _has_workers(strategy):
            return original(self, iterator=iterator, data_batch=data_batch)
        _, _, batches = next(iter(iterator))
        part = keras.tree.map_structure(
            lambda value: strategy.experimental_local_results(value)[0], next(batches)
        )
        return original(self, data_batch=part)

    return build


def _mean_without_axis(original):
    @functools.wraps(original)
    def reduce(values, strategy, reduction):
        if reduction in ("auto", "mean") and _has_workers(strategy):
            return keras.tree.map_structure(
                lambda value: strategy.reduce("MEAN", value, axis=None), values
            )
        return original(values, strategy, reduction)

    return reduce


def _has_workers(strategy):
    return isinstance(
        strategy, tf.distribute.MultiWorkerMirroredStrategy
    ) and _trainer()._collective_all_reduce_multi_worker(strategy)


class _SeveralWorkers(tf.distribute.MultiWorkerMirroredStrategy):
    """A strategy to ask Keras with: of several workers, but without any."""

    def __init__(self):  # no call of super: it would look for the workers
        self.axes = []

    @property
    def extended(self):
        class Extended:
            def _in_multi_worker_mode(self):
                return True

        return Extended()

    def scope(self):
        import contextlib

        return contextlib.nullcontext()

    def experimental_local_results(self, value):
        return (value,)

    def reduce(self, operation, value, axis):
        self.axes.append(axis)
        return value


class _Part(tf.distribute.DistributedValues):
    """Stands for a batch that lies on several workers."""

    def __init__(self):
        pass


def _builds_by_a_mean(trainer):
    class Model:
        _distribute_strategy = distribute_strategy = _SeveralWorkers()

        def _symbolic_build(self, data_batch):
            pass

    model = Model()
    batches = iter([(0, 0, iter([_Part()]))])
    trainer.TensorFlowTrainer._maybe_symbolic_build(model, iterator=batches)
    return bool(model._distribute_strategy.axes)


def _reduces_along_an_axis(trainer):
    strategy = _SeveralWorkers()
    trainer.reduce_per_replica(tf.constant(1.0), strategy, "auto")
    return strategy.axes == [0]
