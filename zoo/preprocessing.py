"""The one owner of input normalisation."""

import numpy as np
from keras import ops

from zoo._model_card import ModelCard
from zoo._registry import card as find_card

LOWEST_RMS = 1e-4  # of a clip that is raised to the card's level: -80 dB, our choice


def preprocess_input(x, name_or_card):
    """Applies a card's constants to raw input: `(x - mean) / std`, and those of sound.

    A card with a pre-emphasis takes that share of the sample before off each sample,
    `x[t] - share * x[t - 1]`. A card with a level brings each clip to it:
    `level * x / RMS(x)`, where a clip below -80 dB is raised no further than one of
    -80 dB.

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
    level, share = card.normalization.level, card.normalization.pre_emphasis
    if level is None and share is None:
        return x
    if len(x.shape) != 3:
        raise ValueError(
            f"The card of {card.name} sets the level or the spectrum of each clip: "
            f"expected sound (batch, samples, channels). Received: "
            f"shape={tuple(x.shape)}"
        )
    math = np if isinstance(x, np.ndarray) else ops
    if share is not None:
        # The sound before the clip is not known: its first sample stays as it is.
        x = math.concatenate([x[:, :1], x[:, 1:] - share * x[:, :-1]], axis=1)
    if level is None:
        return x
    rms = math.sqrt(math.mean(x * x, axis=(1, 2), keepdims=True))
    return x * (level / math.maximum(rms, LOWEST_RMS))
