"""The part of a training run that images and sounds share."""

import keras

from zoo.training.backup import Backup
from zoo.training.batch_normalization_reestimation import BatchNormalizationReestimation
from zoo.training.optimizers import make_optimizer
from zoo.training.rich_progress import RichProgress


def fit(model, recipe, train_data, validation_data, run, loss, metrics):
    """Fits a model as its recipe says, from where a killed run stopped.

    Args:
        model: a Keras model.
        recipe: a `Recipe`.
        train_data: batches of (input, target), of known number.
        validation_data: the same, or None.
        run: a `RunFolder` that has begun.
        loss: a Keras loss.
        metrics: list of Keras metrics, or their names.

    Returns:
        The history, a list of dictionaries, one an epoch.
    """
    steps = len(train_data)
    model.compile(
        optimizer=make_optimizer(recipe, steps),
        loss=loss,
        metrics=metrics,
        # Between steps of few examples Python takes longer than the step.
        steps_per_execution=max(1, min(steps, 64 // recipe.batch_size)),
    )
    backup = Backup(run.path, steps)
    done = backup.restore(model)
    with RichProgress() as progress:
        model.fit(
            train_data,
            validation_data=validation_data,
            initial_epoch=done,
            epochs=recipe.epochs,
            verbose=0,
            shuffle=False,  # the data set does that itself
            callbacks=[
                progress,
                keras.callbacks.TensorBoard(run.path / "logs", write_graph=False),
                backup,
                BatchNormalizationReestimation(train_data),
            ],
        )
    return backup.rows
