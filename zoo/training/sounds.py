"""Training and measuring nets on sound."""

import dataclasses
import inspect
import math

import keras
import numpy as np
import tensorflow as tf

import zoo.datasets
from zoo._files import replace_file
from zoo._model_card import Normalization, Result
from zoo._registry import builder, create_model
from zoo.analysis.class_balance_picture import class_balance_picture
from zoo.analysis.filters_picture import filters_picture, hears_the_waveform
from zoo.audio.tasks import decode, find_task, loss_for_task, metrics_for_task
from zoo.training.callbacks.batch_normalization_reestimation import (
    reestimate_batch_normalization,
)
from zoo.training.data.augmentation import augmented_epochs
from zoo.training.data.normalized import normalized
from zoo.training.distributed.run import alone, begin
from zoo.training.distributed.together import Together
from zoo.training.fit import fit
from zoo.training.metrics.keras_metrics import with_stock_metrics
from zoo.training.metrics.nan_propagation import rows_with_nan
from zoo.training.metrics.song_accuracy import SongAccuracy, song_scores
from zoo.training.metrics.tempo_accuracy import TempoAccuracy
from zoo.training.pictures import (
    draw_confusion_matrix,
    draw_training_curves,
    shown,
)

MEASURED_AT_A_TIME = 128
# The figure that a task is shown by: its name in `measure_sounds`, and in a picture.
FIGURES = {
    "classes": ("accuracy", "error, %"),
    "binary": ("accuracy", "error, %"),
    "tags": ("roc_auc", "area under the ROC curve"),
    "rating": ("mean_absolute_error", "mean absolute error, points"),
    "tempo": ("tempo_accuracy_1", "off by more than 4 %, %"),
}


class Signals:
    """A data set of short signals, each of which is its own song.

    It answers as `zoo.datasets.SoundClips` does.
    """

    def __init__(self, info, validation):
        self.info = info
        self.splits = {"train": "train", "test": "test"}
        if validation:
            self.splits["train"] = f"train[:-{validation}]"
            self.splits["validation"] = f"train[-{validation}:]"

    def load(self, split, batch_size=64, seed=0, training=None):
        if training is None:
            training = split == "train"
        name = self.splits[split]
        return zoo.datasets.load(
            self.info.name, name, batch_size, seed, training=training
        )

    def epochs(self, split="train", batch_size=64, seed=0, share=None):
        name = self.splits[split]
        return zoo.datasets.epochs(self.info.name, name, batch_size, seed, share=share)

    def songs(self, split):
        return None


def refuse_for_sounds(data, sound, **of_images):
    """Refuses arguments that mean nothing for a set of sounds.

    Args:
        data: name of the set.
        sound: dictionary of its options. A `normalize` among them would be unknown to
            whoever uses the model later: the recipe's `level` does it, by the card.
        **of_images: arguments that are for images, and must be None or False.

    Raises:
        ValueError: for one that was given.
    """
    for name, value in of_images.items():
        if value not in (None, False):
            raise ValueError(
                f"{data} holds sound, `{name}` is for images. Received: "
                f"{name}={value!r}. Clips are set by seconds (--seconds) and "
                f"sample_rate (--sample-rate)."
            )
    if sound.get("normalize") is not None:
        raise ValueError(
            f"`normalize` is for zoo.datasets: a net is trained at the level that its "
            f"recipe says, and keeps it on its card. Received: "
            f"normalize={sound['normalize']!r}"
        )


def find_sounds(data, data_dir=None, download=False, validation=0, sound=None):
    """A data set of sounds by its name.

    Args:
        data: name of the data set.
        data_dir: folder with its files, for one that needs them.
        download: whether it may be fetched from the network.
        validation: of one that is no set of files: the last so many training signals
            make the split `"validation"`.
        sound: dictionary of options as `zoo.datasets.load` takes them.

    Returns:
        A `zoo.datasets.SoundClips`, or what answers as one.
    """
    sound = sound or {}
    info = zoo.datasets.info(data, **sound)
    if info.sample_rate is None:
        return Signals(info, validation)
    if validation:
        raise ValueError(
            f"{data} is split by {sound.get('split_by', 'song or speaker')}: say whom "
            f"to validate on as validate_on (--validate-on). Received: "
            f"validation={validation!r}"
        )
    return zoo.datasets.sounds(data, data_dir, download, **sound)


def check_sounds_fit(model, card, info):
    """Refuses a model that does not take a data set's clips, or answers another task.

    Raises:
        ValueError: naming both sides.
    """
    shape = tuple(model.input_shape[1:])
    pairs = zip(shape, info.input_shape, strict=False)
    if len(shape) != len(info.input_shape) or not all(
        own in (None, given) for own, given in pairs
    ):
        raise ValueError(
            f"{model.name} takes clips of shape {shape}, {info.name} has "
            f"{info.input_shape}. Choose another length (seconds, --seconds)."
        )
    task = find_task(info.task)
    units = task.units or len(info.classes)
    if tuple(model.output_names) != (task.output,) or model.output_shape[-1] != units:
        raise ValueError(
            f"{model.name} returns {', '.join(model.output_names)} "
            f"{tuple(model.output_shape[1:])}; {info.name} asks for {task.output} "
            f"({units},). Choose another data set, or train a model for it."
        )
    if card is not None and card.labels and tuple(card.labels) != tuple(info.classes):
        raise ValueError(
            f"The model tells apart {', '.join(card.labels)}; {info.name} has "
            f"{', '.join(info.classes)}."
        )


def together(first, second, seed, epoch=0, first_step=0, share=None, size=None):
    """Batches of two sets at once: to each of the first as much of the second.

    Args:
        first: batches of (waveform, target), of known number.
        second: a `SoundClips` or `Signals` of clips like them.
        seed: of the order of the second's clips.
        epoch, first_step, share: what `first` is, as `zoo.datasets.Epochs` says it.
        size: of a whole batch of `first`; None to look.

    Returns:
        A `tf.data.Dataset` of batches up to twice as large, as many as the first has.
    """
    share = share or zoo.datasets.Share()
    if size is None:
        size = next(iter(first))[0].shape[0]
    # One clip a slice and step: so each process has an endless stream of its own.
    each = second.epochs("train", share.slices, seed, share)
    wanted = (first_step * share.replicas + len(first)) * size
    in_a_pass = each.steps * share.replicas
    passes = -(-wanted // in_a_pass)
    begun, seen = divmod(first_step * size, each.steps)
    stream = each.dataset(epoch * passes + begun, seen)
    for number in range(begun + 1, passes):
        stream = stream.concatenate(each.dataset(epoch * passes + number))
    both = tf.data.Dataset.zip(first, stream.unbatch().batch(size))
    joined = both.map(
        lambda one, other: (
            tf.concat([one[0], other[0]], axis=0),
            tf.concat([one[1], other[1]], axis=0),
        )
    )
    return joined.apply(tf.data.experimental.assert_cardinality(len(first)))


def train_on_sounds(
    model_name,
    card,
    clips,
    recipe,
    run,
    seed,
    command_line,
    held_out,
    weights=None,
    also=None,
    processes=None,
    minutes=None,
    data_service=None,
):
    """The part of `zoo.training.train` that differs between sounds and images.

    Args:
        model_name: name of the model.
        card: its `ModelCard`.
        clips: a `SoundClips` or `Signals`.
        recipe: a `Recipe`.
        run: a `RunFolder`.
        seed: of weights, order and augmentation.
        command_line: what the card says the results come from.
        held_out: name of the split to measure on, `"test"` or `"validation"`.
        weights: None, or where to start from, as builders take it.
        also: None, or the `SoundClips` of another set to train on at the same time.
        processes: the `Together` of the run; one process by default.
        minutes, data_service: as `fit` takes them.

    Returns:
        The figures of the run.
    """
    info = clips.info
    keras.utils.set_random_seed(seed)
    processes = processes or Together(None)

    def build():
        return _build(model_name, info, recipe.arguments, weights)

    with processes.strategy.scope():
        model = build()
    epochs = clips.epochs("train", recipe.batch_size, seed)
    train_data = epochs.dataset(0)
    targets = check_sounds(train_data, info)
    card = dataclasses.replace(
        card,
        input_shape=info.input_shape,
        sample_rate=info.sample_rate,
        classes=model.output_shape[-1],
        labels=info.classes or None,
        outputs=tuple(model.output_names),
        parameters=sum(math.prod(w.shape) for w in model.trainable_weights),
        normalization=Normalization(
            level=recipe.level, pre_emphasis=recipe.pre_emphasis
        ),
    )
    plain = train_data
    if also is not None:
        check_alike(info, also.info)
        epochs = epochs.map(
            lambda dataset, epoch, first_step, share: together(
                dataset,
                also,
                seed,
                epoch,
                first_step,
                share,
                recipe.batch_size // share.slices,
            )
        )
    if recipe.augmentation:
        epochs = augmented_epochs(epochs, recipe.augmentation, info.task, seed)
    epochs = epochs.map(lambda dataset, *place: normalized(dataset, card))
    held_out_data = normalized(clips.load(held_out, recipe.batch_size), card)

    begin(run, processes)
    history = fit(
        model,
        recipe,
        epochs,
        held_out_data if held_out == "validation" else None,
        run,
        loss_for_task(info.task),
        # Made where the strategy is.
        lambda: metrics_for_task(info.task, len(info.classes)),
        processes,
        minutes,
        data_service,
    )
    if not processes.is_chief:
        return processes.broadcast(None, source=0)
    model = alone(model, build, processes)
    reestimate_batch_normalization(model, epochs.dataset(0))
    result = measure_sounds(model, held_out_data, info.task, clips.songs(held_out))
    trained = measure_sounds(model, normalized(plain, card), info.task)
    figure, label = FIGURES[info.task]
    metrics = {
        **{f"{held_out}_{name}": result[name] for name in numbers_of(result)},
        f"train_{figure}": trained[figure],
        "epochs": recipe.epochs,
        "seconds": sum(row["seconds"] for row in history),
        "parameters": card.parameters,
        "seed": seed,
    }
    value = result[figure]
    measured = Result(f"{info.name}, {held_out}", figure, value, command_line)
    card = dataclasses.replace(card, results=(*card.results, measured))
    _write(run, model, card, history, result, held_out)
    _draw_data_and_filters(run, model, info, targets)
    run.finish(metrics)
    return processes.broadcast(metrics, source=0)


def measure_sounds(model, dataset, task, songs=None):
    """Measures a model on clips, and on the songs they are part of.

    Args:
        model: a sound net built for the task, not on logits.
        dataset: batches of (waveform, target), normalised, not shuffled if there are
            songs.
        task: the model's.
        songs: None, or the song of each clip. The outputs for a song are the mean of
            those for its clips.

    Returns:
        A dictionary: `examples`, `loss` of the task; and of "classes" and "binary"
        `accuracy`, `error` in percent and `confusion` (true x predicted), of "tags"
        `roc_auc`, of "rating" `mean_absolute_error` in points, of "tempo"
        `tempo_accuracy_0`, `_1` and `_2`. If any song has two clips, also
        `song_accuracy` of classes. If an output is NaN, so is all but the examples and
        the confusion matrix, in which such a clip is not counted.

    Example:

    >>> import zoo
    >>> data = zoo.datasets.load("mnist1d", "test[:100]")
    >>> measure_sounds(zoo.mnist1d_cnn(), data, "classes")["examples"]
    100
    """
    outputs, targets = [], []
    for waveform, target in dataset.unbatch().batch(MEASURED_AT_A_TIME):
        outputs.append(model.predict_on_batch(waveform))
        targets.append(np.asarray(target))
    outputs, targets = np.concatenate(outputs), np.concatenate(targets)
    result = {
        "examples": len(targets),
        "loss": float(loss_for_task(task)(targets, outputs)),
    }
    if task == "tempo" and songs is not None:
        # The tempo of a song is that of all of it: its clips are windows.
        outputs, targets = _of_songs(outputs, targets, songs)
    if task in ("classes", "binary"):
        known = ~rows_with_nan(outputs)
        told = decode(task, outputs[known]).astype("int64")
        classes = max(outputs.shape[-1], 2)
        confusion = np.zeros((classes, classes), "int64")
        np.add.at(confusion, (targets[known].astype("int64"), told), 1)
        correct = np.trace(confusion) if known.all() else np.nan
        result["accuracy"] = float(correct / len(targets))
        result["error"] = 100 * (1 - result["accuracy"])
        result["confusion"] = confusion
        if songs is not None and len(set(songs)) < len(songs):
            metric = SongAccuracy()
            metric.update_state(targets.astype("int64"), outputs, songs=songs)
            result["song_accuracy"] = float(metric.result())
    elif task == "tempo":
        for kind in (0, 1, 2):
            metric = TempoAccuracy(kind)
            metric.update_state(targets, outputs)
            result[metric.name] = float(metric.result())
    else:
        for metric in metrics_for_task(task, outputs.shape[-1]):
            metric.update_state(targets, outputs)
            result[metric.name] = float(metric.result())
    return result


def numbers_of(result):
    """Names of the entries of a measurement that are single numbers."""
    return [name for name, value in result.items() if np.ndim(value) == 0]


def check_sounds(dataset, info):
    """Looks at every clip once, before hours are spent on them.

    Returns:
        The targets of all clips.

    Raises:
        ValueError: for values that are not finite, or clips that are all of one value.
    """
    count, varies, targets = 0, False, []
    for waveform, target in dataset:
        targets.append(np.asarray(target))
        waveform = np.asarray(waveform)
        finite = np.isfinite(waveform).all(axis=(1, 2))
        if not finite.all():
            raise ValueError(
                f"{info.name}: clip {count + int(np.argmin(finite))} (counted as they "
                f"come) has a value that is NaN or infinite. Mend or drop it."
            )
        count += len(waveform)
        varies = varies or bool((waveform != waveform.flat[0]).any())
    if not varies:
        raise ValueError(
            f"{info.name}: expected clips that differ. Received {count} with nothing "
            f"but one value."
        )
    return np.concatenate(targets)


def check_alike(info, other):
    """Refuses a set whose clips or labels are not those of the first."""
    facts = ("input_shape", "sample_rate", "task", "classes")
    for fact in facts:
        if getattr(info, fact) != getattr(other, fact):
            raise ValueError(
                f"{other.name} can't be trained on together with {info.name}: its "
                f"{fact} is {getattr(other, fact)}, that of {info.name} "
                f"{getattr(info, fact)}."
            )


def _build(model_name, info, arguments, weights):
    arguments = {
        "input_shape": info.input_shape,
        "weights": weights,
        "task": info.task,
        **arguments,
    }
    if info.classes:
        arguments["classes"] = len(info.classes)
    if info.task == "classes" and "task" not in _parameters(model_name):
        del arguments["task"]  # a plain classifier, such as mlp
    try:
        return create_model(model_name, **arguments)
    except (ValueError, TypeError) as error:
        raise ValueError(
            f"{model_name} can't be built for the clips of {info.name}, shape "
            f"{info.input_shape}, task {info.task!r}: {error} Other clips: give "
            f"seconds and sample_rate (--seconds, --sample-rate)."
        ) from error


def _parameters(model_name):
    return inspect.signature(builder(model_name)).parameters


def _of_songs(outputs, targets, songs):
    names, scores = song_scores(outputs, songs)
    first = {song: place for place, song in reversed(list(enumerate(songs)))}
    return scores, targets[[first[name] for name in names]]


def _draw_data_and_filters(run, model, info, targets):
    """Pictures of what the net was trained on, and of what its first layer hears."""
    if info.task in ("classes", "binary", "tags"):
        with replace_file(run.path / "class_balance.png") as path:
            class_balance_picture(
                {"train": targets.astype("int64")}, info.classes or ("no", "yes"), path
            )
    if info.sample_rate is not None and hears_the_waveform(model):
        with replace_file(run.path / "filters.png") as path:
            filters_picture(model, path, info.sample_rate)


def _write(run, model, card, history, result, held_out):
    with replace_file(run.path / "model.keras") as path:
        with_stock_metrics(model).save(path)
    with replace_file(run.path / "card.json") as path:
        path.write_text(card.to_json() + "\n")
    task = run.command["task"]
    figure, label = FIGURES[task]
    title = f"{card.name} on {run.command['data']}"
    draw_training_curves(
        history,
        run.path / "training_curves.png",
        title,
        final=(held_out, result["loss"], shown(figure, result[figure])),
        figure=figure,
        label=label,
    )
    if "confusion" in result:
        draw_confusion_matrix(
            result["confusion"],
            card.labels or ("no", "yes"),
            run.path / "confusion_matrix.png",
            f"{title}, {held_out} error {result['error']:.2f} %",
        )
