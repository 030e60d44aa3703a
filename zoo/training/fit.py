"""The part of a training run that images and sounds share."""

import contextlib

import keras

from zoo.training.callbacks.backup import Backup
from zoo.training.callbacks.rich_progress import RichProgress
from zoo.training.callbacks.validation import Validation
from zoo.training.distributed.data_service import from_service
from zoo.training.distributed.interruptions import Terminated, lost_workers, say
from zoo.training.distributed.synchronized import synchronize_batch_normalization
from zoo.training.distributed.together import Together
from zoo.training.optimizers.make import make_optimizer


class OneRun(keras.callbacks.CallbackList):
    """Callbacks that outlast several calls of `fit`: a run begins and ends once."""

    def on_train_begin(self, logs=None):
        pass

    def on_train_end(self, logs=None):
        pass

    def begin(self):
        super().on_train_begin()

    def end(self):
        super().on_train_end()


def fit(
    model,
    recipe,
    epochs,
    validation_data,
    run,
    loss,
    metrics,
    together=None,
    minutes=None,
    data_service=None,
):
    """Fits a model as its recipe says, from where a killed run stopped.

    Args:
        model: a Keras model, made in the scope of the strategy.
        recipe: a `Recipe`.
        epochs: the training set, a `zoo.datasets.Epochs`.
        validation_data: batches of (input, target), or None.
        run: a `RunFolder` that has begun.
        loss: a Keras loss.
        metrics: function without arguments that makes a list of Keras metrics: they
            belong into the scope of the strategy.
        together: the `Together` of the run; one process by default.
        minutes: None, or how long to train inside an epoch before saving.
        data_service: None, or "grpc://host:port" of a tf.data service's dispatcher.

    Returns:
        The history, a list of dictionaries, one an epoch.

    Raises:
        Preempted: SIGTERM came; all is saved.
        WorkerLost: another worker is gone.
    """
    together = together or Together(None)
    epochs = epochs.shared(together.share())
    _say_how(recipe, epochs, together)
    with together.strategy.scope():
        compile_for(model, recipe, epochs.steps, loss, metrics, together)
    with Terminated() as terminated, lost_workers(together):
        backup = Backup(
            run.path,
            epochs.steps,
            # In which order a service deals out an epoch nobody knows afterwards.
            None if data_service else minutes,
            together,
            terminated,
        )
        done = backup.restore(model)
        if backup.first_step and data_service:
            raise ValueError(
                "The run was stopped inside an epoch; a data service can't go on there "
                "(--data-service). Go on without it."
            )
        with contextlib.ExitStack() as stack:
            shown = []
            if together.is_chief:
                shown = [
                    stack.enter_context(RichProgress()),
                    keras.callbacks.TensorBoard(run.path / "logs", write_graph=False),
                ]
            measured = []
            if validation_data is not None and together.is_distributed:
                own = metrics()
                measured = [Validation(validation_data, loss, own, together)]
                validation_data = None
            callbacks = OneRun(
                [*measured, *shown, backup],
                add_history=True,  # `fit` returns it
                model=model,
                epochs=recipe.epochs,
                steps=epochs.steps,
                verbose=0,
            )
            callbacks.begin()
            for epoch in range(done, recipe.epochs):
                first = backup.first_step
                if data_service:
                    data = from_service(epochs, epoch, data_service)
                else:
                    data = epochs.dataset(epoch, first)
                model.fit(
                    _distributed(data, together),
                    steps_per_epoch=epochs.steps - first,
                    validation_data=validation_data,
                    initial_epoch=epoch,
                    epochs=epoch + 1,
                    verbose=0,
                    shuffle=False,  # the data set does that itself
                    callbacks=callbacks,
                )
            callbacks.end()
    return backup.rows


def compile_for(model, recipe, steps, loss, metrics, together):
    """Compiles a model as its recipe says, for what is to train it."""
    # On one device too: there it only sums as several do, which decides how far the
    # weights of the two are apart.
    synchronize_batch_normalization(model)
    # Between steps of few examples Python takes longer than the step. Under a
    # strategy Keras can't join steps.
    joined = max(1, min(steps, 64 // recipe.batch_size))
    metrics = metrics()
    # XLA can't call a metric that keeps its examples on the host.
    can_jit = all(getattr(metric, "supports_jit", True) for metric in metrics)
    model.compile(
        optimizer=make_optimizer(recipe, steps),
        loss=loss,
        metrics=metrics,
        steps_per_execution=1 if together.is_distributed else joined,
        jit_compile="auto" if can_jit and not together.is_distributed else False,
    )


def _distributed(data, together):
    """Each element is the part of one device already: nothing is cut again."""
    if not together.is_distributed:
        return data
    return together.strategy.distribute_datasets_from_function(lambda context: data)


def _say_how(recipe, epochs, together):
    if not (together.is_distributed and together.is_chief):
        return
    replicas = together.strategy.num_replicas_in_sync
    said = [
        f"{together.workers} workers, {replicas} devices in all",
        f"{epochs.steps} batches an epoch of {recipe.batch_size}, "
        f"{recipe.batch_size // replicas} a device",
        "each worker reads files of its own"
        if epochs.by_files
        else "examples are shared out one by one",
    ]
    if epochs.left_out:
        said.append(f"the last {epochs.left_out} examples of an epoch are left out")
    rate = f"learning rate {recipe.learning_rate:g}"
    if recipe.warm_up:
        start = recipe.learning_rate / replicas
        rate += f", reached from {start:g} over {recipe.warm_up} epochs"
    say("; ".join([*said, rate]))
