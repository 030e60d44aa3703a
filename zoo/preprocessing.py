"""The one owner of input normalisation."""

import numpy as np
from keras import ops

from zoo._model_card import ModelCard
from zoo._registry import card as find_card

LOWEST_RMS = 1e-4  # of a clip that is raised to the card's level: -80 dB, our choice


def preprocess_input(x, name_or_card):
    """Applies a card's constants to raw input: `(x - mean) / std`, and the level.

    A card with a level brings each clip of sound to it: `level * x / RMS(x)`, where a
    clip below -80 dB is raised no further than one of -80 dB.

    Training, evaluation and the exported endpoints for raw input all come here.

    Args:
        x: array or tensor of raw values, channels last: images in [0, 1], or sound
            in [-1, 1], `(batch, samples, channels)`.
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
    x = (x - mean) / std
    level = card.normalization.level
    if level is None:
        return x
    if len(x.shape) != 3:
        raise ValueError(
            f"The card of {card.name} sets the level of each clip: expected sound "
            f"(batch, samples, channels). Received: shape={tuple(x.shape)}"
        )
    math = np if isinstance(x, np.ndarray) else ops
    rms = math.sqrt(math.mean(x * x, axis=(1, 2), keepdims=True))
    return x * (level / math.maximum(rms, LOWEST_RMS))
