"""What a model's outputs say, by name."""

from numbers import Integral

import numpy as np
from keras import ops

from zoo._model_card import ModelCard
from zoo._registry import card as find_card
from zoo.datasets.image.imagenet_classes import imagenet_classes


def decode_predictions(predictions, name_or_card, top=5):
    """The classes with the highest scores of each example, by name.

    The names come with the package or with the run: nothing is downloaded. Classes of
    ImageNet, whose labels are numbers of WordNet, are named in words.

    Args:
        predictions: array `(batch, classes)` as `model.predict` gives it, with one
            score for each class: probabilities, or any other, the higher the likelier.
        name_or_card: name of a model whose classes are fixed, such as `"alexnet"`, or a
            `ModelCard`: that of a training run (`card.json`) holds the labels of its
            data.
        top: int, how many classes; all of them where there are fewer.

    Returns:
        A list for each example, of tuples `(label, name, score)`, the highest score
        first, as Keras's own `decode_predictions` has them. Of equal scores the lower
        class comes first. Label and name are the same but for ImageNet.

    Raises:
        ValueError: for an unknown name, a card without labels, another number of scores
            than the card has labels, scores that are not finite, or a `top` that is not
            a positive integer.

    Example:

    >>> scores = np.eye(1000)[[1]]
    >>> decode_predictions(scores, "alexnet", top=1)
    [[('n01443537', 'goldfish', 1.0)]]
    """
    card = name_or_card
    if not isinstance(card, ModelCard):
        card = find_card(name_or_card)
    if not card.labels:
        raise ValueError(
            f"The card of {card.name} names no classes: they are those of the data it "
            f"was trained on. Pass the card of the run: "
            f"ModelCard.from_json(Path(run, 'card.json').read_text())."
        )
    if not isinstance(top, Integral) or isinstance(top, bool) or top < 1:
        raise ValueError(f"`top` must be a positive integer. Received: top={top!r}")
    # float64, since half precision is no number to NumPy and -x is wrong of a uint8.
    scores = np.asarray(ops.convert_to_numpy(predictions), dtype="float64")
    if scores.ndim != 2 or scores.shape[1] != len(card.labels):
        raise ValueError(
            f"Expected one score for each of the {len(card.labels)} classes that the "
            f"card of {card.name} names: (batch, {len(card.labels)}). Received: "
            f"shape={scores.shape}"
        )
    if not np.isfinite(scores).all():
        raise ValueError(
            f"Expected finite scores. Received {int((~np.isfinite(scores)).sum())} "
            f"that are NaN or infinite, in an array of shape {scores.shape}."
        )
    names = imagenet_classes()
    best = np.argsort(-scores, axis=1, kind="stable")[:, :top]
    told = [(str(label), names.get(label, str(label))) for label in card.labels]
    return [
        [(*told[index], float(example[index])) for index in order]
        for example, order in zip(scores, best, strict=True)
    ]
