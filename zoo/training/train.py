import dataclasses
import math
import numbers
import shlex
from pathlib import Path

import keras

import zoo.datasets
from zoo._files import replace_file
from zoo._model_card import Normalization, Result
from zoo._registry import card as find_card
from zoo._registry import create_model
from zoo.analysis._outputs import NotFiniteError
from zoo.analysis.equivariance import group_report
from zoo.datasets.cache import file_hash
from zoo.training.callbacks.batch_normalization_reestimation import (
    reestimate_batch_normalization,
)
from zoo.training.data.check import check_images
from zoo.training.data.normalized import normalized
from zoo.training.data.resizable import find_data, resized
from zoo.training.distributed.data_service import check_service
from zoo.training.distributed.run import (
    alone,
    begin,
    check_batch,
    find_together,
)
from zoo.training.evaluation import measure
from zoo.training.fit import fit
from zoo.training.losses import loss_for
from zoo.training.metrics.keras_metrics import (
    SparseCategoricalAccuracy,
    with_stock_metrics,
)
from zoo.training.pictures import draw_confusion_matrix, draw_training_curves
from zoo.training.recipes import default_recipe, find_recipe
from zoo.training.run_folder import RunFolder
from zoo.training.sounds import find_sounds, refuse_for_sounds, train_on_sounds

CHECKED_IMAGES = 100_000
MEASURED_AT_A_TIME = 128


def train(
    model_name,
    data,
    out,
    epochs=None,
    batch_size=None,
    recipe=None,
    learning_rate=None,
    weight_decay=None,
    seed=0,
    data_dir=None,
    download=False,
    validation=0,
    image_shape=None,
    skip_bad=False,
    weights=None,
    also=None,
    strategy=None,
    workers=None,
    rank=None,
    scale_batch=False,
    checkpoint_minutes=10,
    data_service=None,
    **sound,
):
    """Trains a registered model on a data set, and leaves a run folder.

    The folder holds `run.json` (the command), `card.json` (with the normalisation and
    the results), `model.keras`, `metrics.json`, `history.csv`, TensorBoard `logs/`,
    `training_curves.png` and `confusion_matrix.png`. The same command again goes on
    where a killed run stopped, with the examples and random numbers that would have
    come next, or returns the figures of a finished one. All arguments are checked
    before anything is written.

    Args:
        model_name: one of `zoo.list_models()`.
        data: one of `zoo.datasets.list_datasets()`.
        out: the run folder: a new or empty one, or that of the same command.
        epochs, batch_size, learning_rate, weight_decay: None for the recipe's.
        recipe: one of `zoo.training.list_recipes()`; None for the model's own.
        seed: of the weights, the order of the images and dropout.
        data_dir: folder with the source files, for a data set that needs them.
        download: bool. Whether the data may be fetched from the network.
        validation: of images and signals: the last so many of the training set are
            held out and evaluated each epoch and at the end, and the test set is not
            touched: choose recipes by it. With 0 the net trains on all of them and
            meets the test set once, at the end.
        image_shape: (height, width, channels) to bring the images to. By default that
            of the card for a data set that can have any (`image_folder`,
            `imagenet2012`), and its own for another.
        skip_bad: whether bad files in an `image_folder` are left out.
        weights: None, or where to start from: a name on the card, or the `model.keras`
            of another run of the same net.
        also: of sounds, None or the name of another set, made or prepared already, of
            the same labels: each batch holds as much of its training split too.
        strategy: None or a word of `zoo.training.strategy`, or what that returned, to
            train on several devices. Of several workers the first, the chief, writes
            the folder, and the others return its figures.
        workers, rank: as `zoo.training.strategy` takes them.
        scale_batch: whether the batch size and learning rate are those of one device:
            both grow with the devices, and the learning rate is reached over five
            epochs. Otherwise they are those of all devices together.
        checkpoint_minutes: how often an epoch is interrupted to save, beside its end.
        data_service: "grpc://host:port" of a tf.data service that makes the batches
            (`zoo data-dispatcher`); not with `also`.
        **sound: of a set of sounds, what `zoo.datasets.load` takes: `sample_rate`,
            `seconds`, `labels`, `split_by`, `held_out` (who tests), `task`, ...;
            with `validate_on` those are measured, and the test split is not touched.

    Returns:
        A dictionary, whose numbers are NaN (the text "NaN" in `metrics.json` and
        `card.json`) if the net's outputs are. Of images: `test_error` in percent,
        `test_accuracy`,
        `test_loss` (or `validation_error`, ...), with more than five classes
        `test_top_5_error`, `train_accuracy`, `epochs`, `seconds` of training,
        `parameters`, `equivariance_error`, `seed`. Of sounds, those of the task: see
        `zoo.training.measure_sounds`.

    Raises:
        ValueError: for an unknown name, a value out of range, images too small for the
            model, faulty data, or a folder that is not free.

    Example:

    ```python
    metrics = zoo.training.train("p4cnn", "rotated_digits", "runs/p4cnn", epochs=1)
    print(metrics["test_error"])
    ```
    """
    card = find_card(model_name)
    is_sound = zoo.datasets.info(data, **sound).input_name == "waveform"
    if is_sound:
        refuse_for_sounds(data, sound, image_shape=image_shape, skip_bad=skip_bad)
    recipe_name = recipe or default_recipe(model_name, data)
    recipe = find_recipe(
        recipe_name,
        model_name,
        epochs=epochs,
        batch_size=batch_size,
        learning_rate=learning_rate,
        weight_decay=weight_decay,
    )
    _check_seed(seed)
    _check_minutes(checkpoint_minutes)
    check_service(data_service)
    if also is not None and data_service is not None:
        raise ValueError(
            "`also` and `data_service` can't be combined: a service deals out one set. "
            f"Received: also={also!r}, data_service={data_service!r}"
        )
    together = find_together(strategy, workers, rank)
    if scale_batch:
        recipe = recipe.scaled(together.strategy.num_replicas_in_sync)
    check_batch(recipe, together)
    how = {"minutes": checkpoint_minutes, "data_service": data_service}
    if is_sound:
        return _train_on_sounds(
            model_name,
            card,
            data,
            out,
            recipe_name,
            recipe,
            seed,
            data_dir,
            download,
            validation,
            weights,
            also,
            sound,
            together,
            how,
        )
    if also is not None:
        raise ValueError(f"`also` is for sets of sounds. Received: also={also!r}")
    info, options = find_data(data, data_dir, image_shape, card.input_shape, skip_bad)
    _check_validation(validation, info)
    command = {
        "model": model_name,
        "data": data,
        "recipe": recipe.settings(),
        "seed": seed,
        "validation": validation,
    }
    if image_shape is not None:
        command["image_shape"] = list(image_shape)
    if options:
        # What a folder holds, not where it stands.
        command |= {**options, "source": info.source}
    if weights is not None:
        command["weights"] = _content(weights)
    run = RunFolder(out, command)
    finished = together.broadcast(run.metrics, source=0)
    if finished is not None:
        return finished

    keras.utils.set_random_seed(seed)

    def build():
        return _build(model_name, info, {"weights": weights, **recipe.arguments})

    with together.strategy.scope():
        model = build()
    held_out = f"train[-{validation}:]" if validation else "test"
    train_split = f"train[:-{validation}]" if validation else "train"
    epochs = zoo.datasets.epochs(
        data, train_split, recipe.batch_size, seed, data_dir, download, **options
    ).map(lambda dataset, *place: resized(dataset, info))
    train_data = epochs.dataset(0)
    held_out_data = resized(
        zoo.datasets.load(
            data,
            held_out,
            recipe.batch_size,
            seed,
            data_dir,
            download,
            training=False,
            **options,
        ),
        info,
    )
    # Shuffled: of more images than that the first are a fair sample.
    checked = train_data.take(math.ceil(CHECKED_IMAGES / recipe.batch_size))
    card = dataclasses.replace(
        card,
        input_shape=info.input_shape,
        classes=len(info.classes),
        labels=info.classes,
        parameters=sum(math.prod(w.shape) for w in model.trainable_weights),
        normalization=_normalization(card, check_images(checked, info)),
    )
    epochs = epochs.map(lambda dataset, *place: normalized(dataset, card))
    train_data = normalized(train_data, card)
    held_out_data = normalized(held_out_data, card)

    begin(run, together)
    history = fit(
        model,
        recipe,
        epochs,
        held_out_data if validation else None,
        run,
        loss_for(model),
        lambda: [SparseCategoricalAccuracy(name="accuracy")],
        together,
        **how,
    )
    if not together.is_chief:
        return together.broadcast(None, source=0)
    model = alone(model, build, together)
    reestimate_batch_normalization(model, train_data)
    # One image at a time, as some recipes train, would take long.
    larger = max(recipe.batch_size, MEASURED_AT_A_TIME)
    result = measure(model, held_out_data.rebatch(larger))
    name = "validation" if validation else "test"
    top_5 = "top_5_error" in result
    metrics = {
        f"{name}_error": result["error"],
        f"{name}_accuracy": result["accuracy"],
        f"{name}_loss": result["loss"],
        **({f"{name}_top_5_error": result["top_5_error"]} if top_5 else {}),
        "train_accuracy": measure(model, train_data.rebatch(larger))["accuracy"],
        "epochs": recipe.epochs,
        "seconds": sum(row["seconds"] for row in history),
        "parameters": card.parameters,
        "equivariance_error": _equivariance_error(model, card),
        "seed": seed,
    }
    source = _command_line(
        model_name,
        data,
        recipe_name,
        recipe,
        seed,
        validation,
        {
            "data_dir": "FOLDER" if options else None,
            "weights": None if weights is None else Path(weights).name,
            "image_shape": image_shape,
            **options,
        },
    )
    measured = Result(
        f"{data}, {held_out}", f"{name} error, %", result["error"], source
    )
    card = dataclasses.replace(card, results=(*card.results, measured))
    _write_results(run, model, card, history, result, name)
    run.finish(metrics)
    return together.broadcast(metrics, source=0)


def _train_on_sounds(
    model_name,
    card,
    data,
    out,
    recipe_name,
    recipe,
    seed,
    data_dir,
    download,
    validation,
    weights,
    also,
    sound,
    together,
    how,
):
    clips = find_sounds(data, data_dir, download, validation, sound)
    info = clips.info
    _check_validation(validation, info)
    more = None if also is None else find_sounds(also, sound=_of_clips(sound))
    command = {
        "model": model_name,
        "data": data,
        "task": info.task,
        "recipe": recipe.settings(),
        "seed": seed,
        "validation": validation,
        # What the files hold, not where they stand.
        "source": info.source,
        "clip": [*info.input_shape, info.sample_rate],
        "groups": {split: list(names) for split, names in info.groups.items()},
    }
    if weights is not None:
        command["weights"] = _content(weights)
    if more is not None:
        command["also"] = [also, more.info.source]
    run = RunFolder(out, command)
    finished = together.broadcast(run.metrics, source=0)
    if finished is not None:
        return finished
    folder = None if data_dir is None else "FOLDER"
    start = None if weights is None else Path(weights).name
    options = {"data_dir": folder, "weights": start, "also": also, **sound}
    line = _command_line(
        model_name, data, recipe_name, recipe, seed, validation, options
    )
    held_out = "validation" if "validation" in info.splits or validation else "test"
    return train_on_sounds(
        model_name,
        card,
        clips,
        recipe,
        run,
        seed,
        line,
        held_out,
        weights,
        more,
        together,
        **how,
    )


def _of_clips(sound):
    """The options that say what a clip is, not who tests."""
    names = ("sample_rate", "seconds", "normalize")
    return {name: sound[name] for name in names if name in sound}


def _content(weights):
    """What a weights file holds, as a hash; the name of weights that have one."""
    path = Path(weights)
    return file_hash(path) if path.is_file() else str(weights)


def _equivariance_error(model, card):
    """That of the output, NaN if the net diverged."""
    try:
        report = group_report(model, _measured_group(card))
    except NotFiniteError:
        return math.nan
    return float(report.output_error)


def _measured_group(card):
    """The model's group (None: the report's own choice), but on oblong images only
    the part of it that keeps their shape.
    """
    height, width, _ = card.input_shape
    if height == width or card.group not in (None, "C4", "D4"):
        return card.group
    return "C2" if card.group == "C4" else "D2"


def _normalization(card, measured):
    """The constants of the card, if it has its own, else those of the training set."""
    own = card.normalization
    return measured if own == Normalization() else own


def _build(model_name, info, arguments):
    try:
        return create_model(
            model_name,
            input_shape=info.input_shape,
            classes=len(info.classes),
            **arguments,
        )
    except ValueError as error:
        raise ValueError(
            f"{model_name} can't be built for the images of {info.name}, shape "
            f"{info.input_shape}: {error} To resize the images, give image_shape "
            f"(--image-shape)."
        ) from error


def _write_results(run, model, card, history, result, name):
    with replace_file(run.path / "model.keras") as path:
        with_stock_metrics(model).save(path)
    with replace_file(run.path / "card.json") as path:
        path.write_text(card.to_json() + "\n")
    title = f"{card.name} on {run.command['data']}"
    draw_training_curves(
        history,
        run.path / "training_curves.png",
        title,
        final=(name, result["loss"], result["error"]),
    )
    draw_confusion_matrix(
        result["confusion"],
        card.labels,
        run.path / "confusion_matrix.png",
        f"{title}, {name} error {result['error']:.2f} %",
    )


def _command_line(model_name, data, recipe_name, recipe, seed, validation, options):
    line = (
        f"zoo train {model_name} --data {data} --recipe {recipe_name} "
        f"--epochs {recipe.epochs} --batch-size {recipe.batch_size} "
        f"--learning-rate {recipe.learning_rate} "
        f"--weight-decay {recipe.weight_decay} --seed {seed}"
    )
    if validation:
        line += f" --validation {validation}"
    for name, value in options.items():
        flag = f" --{name.replace('_', '-')}"
        if name in ("held_out", "validate_on") and isinstance(value, list | tuple):
            line += "".join(f"{flag} {_words(group)}" for group in value)
        elif value is True:
            line += flag
        elif value not in (None, False):
            line += f"{flag} {_words(value)}"
    return line


def _words(value):
    """A value as a shell takes it; several stand behind one flag."""
    values = value if isinstance(value, list | tuple) else (value,)
    return " ".join(shlex.quote(str(value)) for value in values)


def _check_seed(seed):
    if not isinstance(seed, numbers.Integral) or not 0 <= seed < 2**32:
        raise ValueError(
            f"`seed` must be an integer from 0 to 2**32 - 1. Received: seed={seed!r}"
        )


def _check_minutes(minutes):
    is_number = isinstance(minutes, numbers.Real) and not isinstance(minutes, bool)
    if not is_number or not 0 < minutes < math.inf:
        raise ValueError(
            f"`checkpoint_minutes` must be a positive number. Received: "
            f"checkpoint_minutes={minutes!r}"
        )


def _check_validation(validation, info):
    available = info.splits["train"]
    if not isinstance(validation, numbers.Integral) or not 0 <= validation < available:
        raise ValueError(
            f"`validation` must be 0, or less than the {available} training images of "
            f"{info.name}. Received: validation={validation!r}"
        )
