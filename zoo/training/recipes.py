"""How a net is trained, as data. Without Keras, so that `zoo --help` can list them."""

import dataclasses
import math
from dataclasses import dataclass

SCHEDULES = ("constant", "cosine")


@dataclass(frozen=True)
class Recipe:
    """Adam with a learning rate that stays, or falls to zero as half a cosine.

    Args:
        epochs: passes over the training set.
        batch_size: images a step.
        learning_rate: at the start.
        schedule: `"constant"`, or `"cosine"`: down to 0 over the run.
        weight_decay: what a kernel loses a step, as a share of it and of the learning
            rate (AdamW); 0 is Adam.

    Raises:
        ValueError: for a value outside the above.

    Example:

    >>> Recipe(epochs=5).batch_size
    128
    """

    epochs: int
    batch_size: int = 128
    learning_rate: float = 1e-2
    schedule: str = "cosine"
    weight_decay: float = 0.0

    def __post_init__(self):
        for name in ("epochs", "batch_size"):
            value = getattr(self, name)
            if not isinstance(value, int) or isinstance(value, bool) or value < 1:
                raise ValueError(
                    f"`{name}` must be a positive integer. Received: {name}={value!r}"
                )
        rate = self.learning_rate
        if not (isinstance(rate, int | float) and math.isfinite(rate) and rate > 0):
            raise ValueError(
                f"`learning_rate` must be a positive number. "
                f"Received: learning_rate={rate!r}"
            )
        if not 0 <= self.weight_decay < math.inf:
            raise ValueError(
                f"`weight_decay` must be 0 or positive. "
                f"Received: weight_decay={self.weight_decay!r}"
            )
        if self.schedule not in SCHEDULES:
            raise ValueError(
                f"`schedule` must be one of {SCHEDULES}. "
                f"Received: schedule={self.schedule!r}"
            )


_RECIPES = {
    "cosine": Recipe(epochs=40),
    # Cohen and Welling 2016 (arXiv:1602.07576); they gave the planar net three times
    # the epochs.
    "paper": Recipe(epochs=100, learning_rate=1e-3, schedule="constant"),
}
_RECIPES_OF_MODELS = {
    ("paper", "z2cnn"): dataclasses.replace(_RECIPES["paper"], epochs=300),
}


def list_recipes():
    """Names of the recipes, sorted.

    Example:

    >>> list_recipes()
    ['cosine', 'paper']
    """
    return sorted(_RECIPES)


def find_recipe(name, model_name=None, **changes):
    """A named recipe.

    Args:
        name: one of `list_recipes()`.
        model_name: for the recipes that differ between models.
        **changes: values of `Recipe` to use instead; None keeps the recipe's own.

    Returns:
        A `Recipe`.

    Raises:
        ValueError: for an unknown name, or a value that no recipe can have.

    Example:

    >>> find_recipe("paper", "z2cnn", batch_size=64).epochs
    300
    """
    if name not in _RECIPES:
        raise ValueError(
            f"Unknown recipe {name!r}. Expected one of {', '.join(list_recipes())}."
        )
    recipe = _RECIPES_OF_MODELS.get((name, model_name), _RECIPES[name])
    changes = {key: value for key, value in changes.items() if value is not None}
    return dataclasses.replace(recipe, **changes)
