"""From a recipe to the optimizer of a run."""

import keras

from zoo.training.optimizers.momentum_sgd import MomentumSGD
from zoo.training.optimizers.warm_up import WarmUp


def make_optimizer(recipe, steps):
    """The optimizer of a recipe.

    Args:
        recipe: a `Recipe`.
        steps: batches an epoch.

    Returns:
        A Keras optimizer that decays only what multiplies: kernels, not biases or the
        scales of batch normalisation.

    Example:

    >>> from zoo.training import find_recipe
    >>> float(make_optimizer(find_recipe("paper"), 10).learning_rate)
    0.0010000000474974513
    """
    learning_rate = _learning_rate(recipe, steps * recipe.epochs)
    if recipe.warm_up:
        learning_rate = WarmUp(
            learning_rate, recipe.warm_up * steps, 1 / recipe.warm_up_from
        )
    if recipe.optimizer == "sgd":
        optimizer = MomentumSGD(
            learning_rate, recipe.momentum, weight_decay=recipe.weight_decay
        )
    else:
        optimizer = keras.optimizers.AdamW(
            learning_rate, weight_decay=recipe.weight_decay
        )
    optimizer.exclude_from_weight_decay(var_names=["bias", "beta", "gamma"])
    return optimizer


def _learning_rate(recipe, steps):
    """A number, or a schedule over all the steps of the run."""
    schedules = keras.optimizers.schedules
    if recipe.schedule == "cosine":
        return schedules.CosineDecay(recipe.learning_rate, steps)
    if recipe.schedule == "steps":
        # Keras counts a boundary to the steps before it.
        boundaries = [round(share * steps) - 1 for share in recipe.drops]
        rates = [recipe.learning_rate / 10**n for n in range(len(boundaries) + 1)]
        return schedules.PiecewiseConstantDecay(boundaries, rates)
    return recipe.learning_rate
