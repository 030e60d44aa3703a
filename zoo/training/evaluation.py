"""How well a net classifies a data set."""

from pathlib import Path

import keras
import numpy as np

import zoo.datasets
from zoo._load_model import load_model
from zoo._model_card import ModelCard
from zoo._registry import card as find_card
from zoo._registry import list_models
from zoo.preprocessing import preprocess_input


def evaluate(model_or_run, data, split="test", data_dir=None, batch_size=128):
    """Measures a model on a data set.

    Raw images are normalised by the constants of the card: the `card.json` of the run
    folder or beside the file, else the card of the registered model of the same name.

    Args:
        model_or_run: a Keras model, a `.keras` file, or a run folder.
        data: name of a data set.
        split: `"test"`, or another that `zoo.datasets.load` takes.
        data_dir: folder with the source files, for a data set that needs them.
        batch_size: images at a time.

    Returns:
        A dictionary: `examples`, `accuracy` in [0, 1], `error` in percent, `loss`
        (cross-entropy), `confusion` (counts, array of true class x predicted class).

    Raises:
        ValueError: if model and data set do not fit together, or one is not there.

    Example:

    >>> import zoo
    >>> evaluate(zoo.p4cnn(), "rotated_digits", "test[:100]")["examples"]
    100
    """
    info = zoo.datasets.info(data)
    if isinstance(model_or_run, keras.Model):
        model, card = model_or_run, _card_by_name(model_or_run.name)
    else:
        model, card = load_with_card(model_or_run)
    check_fits(model, info)
    dataset = zoo.datasets.load(data, split, batch_size=batch_size, data_dir=data_dir)
    return measure(model, normalized(dataset, card))


def load_with_card(path):
    """Loads a model, and the card that belongs to it.

    Args:
        path: a `.keras` file or a run folder.

    Returns:
        The model, and a `ModelCard`: the `card.json` beside the file, else that of the
        registered model of the same name, else None.

    Raises:
        ValueError: if there is no model, or the card can't be read.

    Example:

    >>> import tempfile, zoo
    >>> path = tempfile.mkdtemp() + "/model.keras"
    >>> zoo.p4cnn().save(path)
    >>> load_with_card(path)[1].group
    'C4'
    """
    model = load_model(path)
    path = Path(path)
    file = (path if path.is_dir() else path.parent) / "card.json"
    if file.is_file():
        try:
            return model, ModelCard.from_json(file.read_text())
        except ValueError as error:
            raise ValueError(f"{file}: {error}") from error
    return model, _card_by_name(model.name)


def measure(model, dataset):
    """Loss, accuracy and confusion matrix over normalised batches.

    Args:
        model: a classifier with one output.
        dataset: batches of (normalised image, label).

    Returns:
        The dictionary of `evaluate`.
    """
    classes = model.output_shape[-1]
    from_logits = model.output_names[0] == "logits"
    confusion = np.zeros((classes, classes), dtype="int64")
    loss = 0.0
    for images, labels in dataset:
        outputs = model.predict_on_batch(images)
        labels = np.asarray(labels)
        losses = keras.losses.sparse_categorical_crossentropy(
            labels, outputs, from_logits=from_logits
        )
        loss += float(keras.ops.sum(losses))
        np.add.at(confusion, (labels, outputs.argmax(axis=-1)), 1)
    examples = int(confusion.sum())
    correct = int(np.trace(confusion))
    return {
        "examples": examples,
        "accuracy": correct / examples,
        "error": 100 * (examples - correct) / examples,
        "loss": loss / examples,
        "confusion": confusion,
    }


def normalized(dataset, card):
    """A `tf.data` set of (image, label) with the constants of a card applied."""
    if card is None:
        return dataset
    return dataset.map(lambda image, label: (preprocess_input(image, card), label))


def check_fits(model, info):
    """Refuses a model that does not take a data set's images or has other classes.

    Raises:
        ValueError: naming both sides.
    """
    if len(model.inputs) != 1 or len(model.outputs) != 1:
        raise ValueError(
            f"Expected a model with one input and one output. Received: {model.name} "
            f"with {len(model.inputs)} and {len(model.outputs)}."
        )
    expected = tuple(model.input_shape[1:])
    pairs = zip(expected, info.input_shape, strict=False)
    fits = all(own is None or own == given for own, given in pairs)
    if len(expected) != len(info.input_shape) or not fits:
        raise ValueError(
            f"{model.name} takes images of shape {expected}, {info.name} has "
            f"{tuple(info.input_shape)}. Choose another data set, or build the model "
            f"with that input_shape."
        )
    if tuple(model.output_shape[1:]) != (len(info.classes),):
        raise ValueError(
            f"{model.name} returns {tuple(model.output_shape[1:])} an image, "
            f"{info.name} has {len(info.classes)} classes. Choose another data set, or "
            f"train the model with that number of classes."
        )


def _card_by_name(name):
    return find_card(name) if name in list_models() else None
