"""The one owner of input normalisation."""

import numpy as np

from zoo._model_card import ModelCard
from zoo._registry import card as find_card


def preprocess_input(x, name_or_card):
    """Applies a card's constants to raw input: `(x - mean) / std`.

    Training, evaluation and the exported endpoints for raw input all come here.

    Args:
        x: array or tensor of raw values, channels last: images in [0, 1].
        name_or_card: name of a model, or a `ModelCard` (that of a training run holds
            the constants of its training set).

    Returns:
        What the model expects, float, of the shape of `x`.

    Raises:
        ValueError: for an unknown name, another number of channels than the card has
            constants for, or (in a NumPy array) values that are not finite.

    Example:

    >>> import numpy as np
    >>> float(preprocess_input(np.ones((1, 28, 28, 1)), "p4cnn").max())
    1.0
    """
    card = name_or_card
    if not isinstance(card, ModelCard):
        card = find_card(name_or_card)
    mean = np.asarray(card.normalization.mean, dtype="float32")
    std = np.asarray(card.normalization.std, dtype="float32")
    if mean.ndim and x.shape[-1] != len(mean):
        raise ValueError(
            f"The card of {card.name} has constants for {len(mean)} channels. "
            f"Received: shape={tuple(x.shape)}"
        )
    if isinstance(x, np.ndarray) and not np.isfinite(x).all():
        raise ValueError(
            f"Expected finite values. Received {int((~np.isfinite(x)).sum())} that are "
            f"NaN or infinite, in an array of shape {x.shape}."
        )
    return (x - mean) / std
