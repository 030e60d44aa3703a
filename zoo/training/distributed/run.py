"""What a run on several devices does before and after it trains."""

import keras
import tensorflow as tf

from zoo.training.distributed.strategies import strategy as make_strategy
from zoo.training.distributed.synchronized import synchronize_batch_normalization
from zoo.training.distributed.together import Together


def find_together(strategy=None, workers=None, rank=None):
    """The processes of a run, from what its command says.

    Args:
        strategy: None for one device; a word as `zoo.training.strategy` takes it, or a
            `tf.distribute.Strategy`.
        workers, rank: as `zoo.training.strategy` takes them.

    Returns:
        A `Together`.
    """
    if isinstance(strategy, tf.distribute.Strategy):
        if workers is not None or rank is not None:
            raise ValueError(
                "workers and rank are for a strategy given by its name. Received: "
                f"{type(strategy).__name__}"
            )
        return Together(strategy)
    if strategy is None:
        # Who names workers wants them.
        named = workers is not None or rank is not None
        strategy = "multi_worker" if named else "one"
    return Together(make_strategy(strategy, workers, rank))


def check_batch(recipe, together):
    """Refuses a batch that the devices can't share, before anything is read."""
    share = together.share()
    share.steps(recipe.batch_size, recipe.batch_size)


def begin(run, together):
    """The chief makes the run folder; the others go on when it stands."""
    trouble = None
    if together.is_chief:
        try:
            run.begin()
        except ValueError as error:
            trouble = str(error)
    trouble = together.broadcast(trouble, source=0)
    if trouble:
        raise ValueError(trouble)


def alone(model, build, together):
    """The trained net for one device, as if it had been trained there.

    Args:
        model: what a strategy trained; without one it is returned as it is.
        build: function that makes an untrained net of the same kind.
        together: the `Together` of the run.

    Returns:
        A compiled Keras model with the same weights and the state of the optimizer.
    """
    if not together.is_distributed:
        return model
    single = build()
    single.set_weights(model.get_weights())
    single.compile(
        optimizer=type(model.optimizer).from_config(model.optimizer.get_config()),
        loss=model.loss,
    )
    single.optimizer.build(single.trainable_variables)
    pairs = zip(single.optimizer.variables, model.optimizer.variables, strict=True)
    for own, other in pairs:
        own.assign(keras.ops.convert_to_numpy(other))
    return single


def distribute(model):
    """Readies a compiled model for `fit` in the scope of a strategy.

    Batch normalisation is synchronised: see
    `zoo.training.synchronize_batch_normalization`.

    Args:
        model: a compiled Keras model, made in the scope.

    Returns:
        The model.

    Raises:
        ValueError: for what Keras can't do under a strategy.

    Example:

    >>> model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(1)])
    >>> model.compile("sgd", "mse", steps_per_execution=2)
    >>> distribute(model)
    Traceback (most recent call last):
    ValueError: Under a strategy Keras can't join steps. Compile with \
steps_per_execution=1. Received: 2
    """
    if getattr(model, "optimizer", None) is None:
        raise ValueError("Compile the model first, in the scope of the strategy.")
    if model.steps_per_execution != 1:
        raise ValueError(
            f"Under a strategy Keras can't join steps. Compile with "
            f"steps_per_execution=1. Received: {model.steps_per_execution}"
        )
    if model.jit_compile:
        raise ValueError(
            "Under a strategy XLA can't see the other devices. Compile with "
            "jit_compile=False. Received: True"
        )
    gathered = model.optimizer.gradient_accumulation_steps
    if gathered not in (None, 1):
        raise ValueError(
            f"Under a strategy Keras can't accumulate gradients. Take a larger batch, "
            f"or more devices. Received: gradient_accumulation_steps={gathered}"
        )
    return synchronize_batch_normalization(model)
