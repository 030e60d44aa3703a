"""How well a net classifies a data set."""

from pathlib import Path

import keras
import numpy as np

import zoo.datasets
from zoo._load_model import load_model
from zoo._model_card import ModelCard
from zoo._registry import card_by_model_name
from zoo.training.data.normalized import normalized
from zoo.training.data.resizable import find_data, resized
from zoo.training.losses import loss_for
from zoo.training.metrics.nan_propagation import rows_with_nan
from zoo.training.sounds import (
    check_sounds_fit,
    find_sounds,
    measure_sounds,
    refuse_for_sounds,
)
from zoo.training.ten_views import larger_shape, predict_ten_views
from zoo.training.top_k import top_k_correct

CROSS_ENTROPY = keras.losses.SparseCategoricalCrossentropy()


def evaluate(
    model_or_run,
    data,
    split="test",
    data_dir=None,
    batch_size=128,
    views=1,
    image_shape=None,
    skip_bad=False,
    **sound,
):
    """Measures a model on a data set.

    Raw images are normalised by the constants of the card: the `card.json` of the run
    folder or beside the file, else the card of the registered model of the same name.

    Args:
        model_or_run: a Keras model, a `.keras` file, or a run folder.
        data: name of a data set.
        split: `"test"`, or another that `zoo.datasets.load` takes.
        data_dir: folder with the source files, for a data set that needs them.
        batch_size: images at a time.
        views: 1, or 10 to average the probabilities of ten crops of a larger image
            (the corners, the centre, and each mirrored), as AlexNet was measured: for
            data sets whose images can be had in any size.
        image_shape: to bring the images to; by default the model's input for such a
            data set, and the data set's own for another.
        skip_bad: whether bad files in an `image_folder` are left out.
        **sound: of a set of sounds, what `zoo.datasets.load` takes (`held_out`, ...);
            length and sample rate are the model's by default.

    Returns:
        Of images, a dictionary: `examples`, `accuracy` in [0, 1], `error` in percent,
        `loss` (the model's own), `confusion` (counts, array of true class x predicted
        class),
        `labels` (names of the classes), and with more than five classes
        `top_5_accuracy` and `top_5_error`. Of sounds, what `measure_sounds` returns,
        and the labels. If an output is NaN, so is all but the examples and the
        confusion matrix, in which such an example is not counted.

    Raises:
        ValueError: if model and data set do not fit together, or one is not there.

    Example:

    >>> import zoo
    >>> evaluate(zoo.p4cnn(), "rotated_digits", "test[:100]")["examples"]
    100
    """
    # An unknown name is refused before a model is loaded.
    is_sound = zoo.datasets.info(data, **sound).input_name == "waveform"
    if is_sound:
        refuse_for_sounds(
            data,
            sound,
            views=None if views == 1 else views,
            image_shape=image_shape,
            skip_bad=skip_bad,
        )
    if isinstance(model_or_run, keras.Model):
        model, card = model_or_run, card_by_model_name(model_or_run.name)
    else:
        model, card = load_with_card(model_or_run)
    if not getattr(model, "inputs", None):
        raise ValueError(
            f"{model.name} is subclassed or not built: the shape of its images is not "
            f"known. Expected a functional or sequential model, built."
        )
    if is_sound:
        clips = sounds_for(model, card, data, data_dir, sound)
        dataset = normalized(clips.load(split, batch_size, training=False), card)
        result = measure_sounds(model, dataset, clips.info.task, clips.songs(split))
        return {**result, "labels": clips.info.classes}
    dataset, info = images_for(
        model, card, data, split, data_dir, batch_size, views, image_shape, skip_bad
    )
    return {**measure(model, dataset, views), "labels": info.classes}


def images_for(
    model,
    card,
    data,
    split,
    data_dir=None,
    batch_size=128,
    views=1,
    image_shape=None,
    skip_bad=False,
    training=False,
):
    """Batches of (normalised image, label) that a model takes, in order.

    Args:
        model: a functional or sequential Keras model.
        card: its `ModelCard`, or None.
        data, split, data_dir, batch_size, views, image_shape, skip_bad: as of
            `evaluate`.
        training: whether they come shuffled, as for training.

    Returns:
        A finite `tf.data.Dataset`, and the `DatasetInfo`.

    Raises:
        ValueError: if they do not fit together.
    """
    shape = tuple(model.input_shape[1:])
    info, options = find_data(data, data_dir, image_shape, shape, skip_bad)
    check_fits(model, info)
    _check_labels(card, info)
    if views != 1:
        _check_views(views, model, info)
        options["image_shape"] = larger_shape(shape, data)
    dataset = zoo.datasets.load(
        data,
        split,
        batch_size=batch_size,
        data_dir=data_dir,
        training=training,
        **options,
    )
    if views == 1:
        dataset = resized(dataset, info)
    return normalized(dataset, card), info


def sounds_for(model, card, data, data_dir, sound):
    """The `SoundClips` of a data set, of the length and rate that a model takes.

    Args:
        model, card, data, data_dir: as of `images_for`.
        sound: what `zoo.datasets.load` takes of sounds.

    Raises:
        ValueError: if they do not fit together.
    """
    known = zoo.datasets.info(data, **sound)
    if card is not None and known.sample_rate is not None:
        rate = sound.setdefault("sample_rate", card.sample_rate or known.sample_rate)
        if model.input_shape[1] is not None:
            sound.setdefault("seconds", model.input_shape[1] / rate)
    clips = find_sounds(data, data_dir, sound=sound)
    check_sounds_fit(model, card, clips.info)
    return clips


def load_with_card(path):
    """Loads a model, and the card that belongs to it.

    Args:
        path: a `.keras` file or a run folder.

    Returns:
        The model, and a `ModelCard`: the `card.json` beside the file, else that of the
        registered model of the same name (without labels: its classes may be others),
        else None.

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
    return model, card_by_model_name(model.name)


def measure(model, dataset, views=1):
    """Loss, accuracy and confusion matrix over normalised batches.

    Args:
        model: a classifier with one output.
        dataset: batches of (normalised image, label).
        views: 1, or 10 for images larger than the model's input.

    Returns:
        The dictionary of `evaluate`, without the labels.
    """
    classes = model.output_shape[-1]
    # Ten views come as probabilities, whatever the model returns.
    loss_of = loss_for(model) if views == 1 else CROSS_ENTROPY
    confusion = np.zeros((classes, classes), dtype="int64")
    examples, loss, correct, top_5 = 0, 0.0, 0.0, 0.0
    for images, labels in dataset:
        if views == 1:
            outputs = model.predict_on_batch(images)
        else:
            outputs = predict_ten_views(model, images)
        labels = np.asarray(labels)
        examples += len(labels)
        loss += float(loss_of(labels, outputs)) * len(labels)
        correct += float(top_k_correct(labels, outputs, 1).sum())
        top_5 += float(top_k_correct(labels, outputs, 5).sum())
        known = ~rows_with_nan(outputs)
        np.add.at(confusion, (labels[known], outputs[known].argmax(axis=-1)), 1)
    result = {
        "examples": examples,
        "accuracy": correct / examples,
        "error": 100 * (examples - correct) / examples,
        "loss": loss / examples,
        "confusion": confusion,
    }
    if classes > 5:
        result["top_5_accuracy"] = top_5 / examples
        result["top_5_error"] = 100 * (examples - top_5) / examples
    return result


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


def _check_views(views, model, info):
    if views != 10:
        raise ValueError(f"`views` must be 1 or 10. Received: views={views!r}")
    if not info.resizable or None in model.input_shape[1:]:
        raise ValueError(
            f"Ten views are cropped from images larger than the model's input. "
            f"{info.name} has images of {tuple(info.input_shape)}, {model.name} takes "
            f"{tuple(model.input_shape[1:])}. Choose views=1."
        )


def _check_labels(card, info):
    # Only the classes of a folder are the user's own, and can be others by mistake.
    if info.name != "image_folder" or card is None or card.labels is None:
        return
    if tuple(card.labels) != tuple(info.classes):
        raise ValueError(
            f"The model tells apart {', '.join(card.labels)}; the folder has "
            f"{', '.join(info.classes)}. Name the folders as those of its training."
        )
