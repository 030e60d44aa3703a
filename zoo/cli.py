"""The `zoo` command.

TensorFlow is imported inside the commands, so that `zoo --help` answers at once.
"""

import contextlib
import json
import os
import re
import signal
import socket
import sys
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table
from typer.exceptions import TyperException

from zoo.training.recipes import list_recipes

INTERRUPTED = 130  # the exit status that typer gives to Ctrl-C
DEMO_FILES = ("z2cnn", "p4cnn", "saved_model", "turning.png")
DEMO_MARK = "demo.json"
DEMO_EPOCHS = 20


class OneLineErrors(typer.core.TyperGroup):
    """Bad input ends in one line on standard error and status 2, without a traceback.

    Errors of other kinds than ValueError and OSError are faults of the program and keep
    their traceback.
    """

    def main(self, *args, standalone_mode=True, **extra):
        try:
            status = super().main(*args, standalone_mode=False, **extra)
        except TyperException as error:
            message = error.format_message().rstrip(".")
            _fail(f"{message}. See zoo --help.", error.exit_code)
        except (ValueError, OSError) as error:
            _fail(error, 2)
        if status == INTERRUPTED:
            message = "interrupted; the same command takes a training run up again."
            _fail(message, INTERRUPTED)
        sys.exit(status or 0)


app = typer.Typer(
    cls=OneLineErrors,
    help="Convolutional networks for Keras that know symmetry.",
    add_completion=False,
    pretty_exceptions_enable=False,
)

ModelName = Annotated[str, typer.Argument(help="A name that `zoo list` shows.")]
ModelPath = Annotated[str, typer.Argument(help="A .keras file or a run folder.")]
Data = Annotated[str, typer.Option(help="A name that `zoo datasets` shows.")]
DataDir = Annotated[
    Path | None, typer.Option(help="Folder with the source files of the data set.")
]
Epochs = Annotated[int | None, typer.Option(help="By default the recipe's.")]
ImageShape = Annotated[
    tuple[int, int, int] | None,
    typer.Option(help="Height, width, channels (227 227 3), for data of any size."),
]
SkipBad = Annotated[
    bool, typer.Option("--skip-bad", help="Leave bad files of a folder out.")
]
SampleRate = Annotated[
    int | None, typer.Option(help="Of sound, in Hz; by default the data set's.")
]
Seconds = Annotated[float | None, typer.Option(help="Length of a clip of sound.")]
Labels = Annotated[
    str | None, typer.Option(help="folder, or a CSV file: what an audio_folder holds.")
]
SplitBy = Annotated[
    str | None, typer.Option(help="song, speaker or a column: never on two sides.")
]
HeldOut = Annotated[
    list[str] | None,
    typer.Option(help="Speaker, song, ... that tests. May be repeated."),
]
ValidateOn = Annotated[
    list[str] | None, typer.Option(help="The same for validation; no test then.")
]
SoundTask = Annotated[
    str | None,
    typer.Option(help="Of an audio_folder: classes, binary, tags, rating or tempo."),
]


def main():
    """The entry point of `zoo`."""
    app()


@app.command("list")
def list_command(
    pattern: Annotated[str, typer.Argument(help='Such as "p4*".')] = "*",
    task: Annotated[str | None, typer.Option(help="Only models of this task.")] = None,
):
    """The models."""
    zoo = _import_zoo()
    names = zoo.list_models(pattern, task)
    if not names:
        raise ValueError(
            f"No model fits {pattern!r}. `zoo list` shows all {len(zoo.list_models())}."
        )
    table = _table("model", "group", "parameters", "what it is", "paper")
    for name in names:
        card = zoo.card(name)
        table.add_row(
            name, card.group or "-", f"{card.parameters:,}", card.summary, card.paper
        )
    _print(table)


@app.command("card")
def card_command(model: ModelName):
    """What is known of a model."""
    zoo = _import_zoo()
    card = zoo.card(model)
    counts = zoo.count(zoo.create_model(model))
    multiply_adds = counts.multiply_adds
    table = _table()
    for name, value in {
        "model": card.name,
        "summary": card.summary,
        "paper": f"{card.paper} ({card.year})",
        "task": card.task,
        "input": _input(card),
        "output": f"{', '.join(card.outputs)}, {card.classes} classes",
        "group": card.group or "none",
        "parameters": f"{card.parameters:,} trainable",
        "multiply-adds": "unknown" if multiply_adds is None else f"{multiply_adds:,}",
        "licence": card.licence,
        "weights": ", ".join(card.weights) or "none",
    }.items():
        table.add_row(name, value)
    for result in card.results:
        table.add_row(
            result.metric, f"{result.value:g} on {result.data} ({result.source})"
        )
    for note in card.notes:
        table.add_row("note", note)
    _print(table)


@app.command("count")
def count_command(
    model: ModelName,
    compare: Annotated[
        bool, typer.Option("--compare", help="Beside dense layers that do the same.")
    ] = False,
):
    """Parameters and multiply-adds, layer by layer."""
    zoo = _import_zoo()
    net = zoo.create_model(model)
    report = zoo.count(net)
    table = _table("layer", "kind", "output", "parameters", "multiply-adds", numbers=2)
    for row in report.rows:
        table.add_row(
            row.layer,
            row.kind,
            _shape(row.output_shape[1:]),
            f"{row.parameters:,}",
            "?" if row.multiply_adds is None else f"{row.multiply_adds:,}",
        )
    total = "?" if report.multiply_adds is None else f"{report.multiply_adds:,}"
    table.add_row(net.name, "", "", f"{report.parameters:,}", total)
    _print(table)
    if compare:
        table = _table("", "from", "to", "dense", "convolution", "times", numbers=3)
        rows = zoo.analysis.compare()
        if any("Conv" in row.kind for row in report.rows):
            rows += zoo.analysis.compare(net)
        for row in rows:
            table.add_row(
                row.what,
                _shape(row.inputs),
                _shape(row.outputs),
                f"{row.dense:,}",
                f"{row.convolution:,}",
                f"{row.times:,.0f}",
            )
        _print(table)


@app.command("datasets")
def datasets_command():
    """The data sets."""
    zoo = _import_zoo()
    table = _table("data set", "input", "classes", "examples", "what it is")
    for name in zoo.datasets.list_datasets():
        info = zoo.datasets.info(name)
        splits = ", ".join(f"{split} {n:,}" for split, n in info.splits.items())
        is_open = name in ("image_folder", "audio_folder")
        table.add_row(
            name,
            "any" if is_open else f"{info.input_name} {_shape(info.input_shape)}",
            str(len(info.classes)) if info.classes else "its labels",
            splits or "its files",
            info.description,
        )
    _print(table)


@app.command("train")
def train_command(
    model: ModelName,
    data: Data,
    epochs: Epochs = None,
    out: Annotated[
        Path | None, typer.Option(help="The run folder; runs/MODEL-DATA by default.")
    ] = None,
    batch_size: Annotated[
        int | None, typer.Option(help="By default the recipe's.")
    ] = None,
    recipe: Annotated[
        str | None,
        typer.Option(
            help=f"One of {', '.join(list_recipes())}; by default the model's own."
        ),
    ] = None,
    learning_rate: Annotated[
        float | None, typer.Option(help="By default the recipe's.")
    ] = None,
    weight_decay: Annotated[
        float | None, typer.Option(help="By default the recipe's.")
    ] = None,
    seed: Annotated[int, typer.Option(help="Of weights, order and dropout.")] = 0,
    data_dir: DataDir = None,
    download: Annotated[
        bool, typer.Option("--download", help="Let the data be fetched.")
    ] = False,
    validation: Annotated[
        int, typer.Option(help="Hold out so many training images; no test then.")
    ] = 0,
    image_shape: ImageShape = None,
    skip_bad: SkipBad = False,
    weights: Annotated[
        str | None,
        typer.Option(help="Where to start: model.keras of a run, or a card's name."),
    ] = None,
    also: Annotated[
        str | None,
        typer.Option(help="Another set of sounds of the same labels to train on too."),
    ] = None,
    strategy: Annotated[
        str | None,
        typer.Option(help="Devices: one, mirrored, multi_worker, tpu or auto."),
    ] = None,
    workers: Annotated[
        str | None,
        typer.Option(help="host:port of each machine, with commas; the first writes."),
    ] = None,
    rank: Annotated[
        int | None, typer.Option(help="Which of the workers this one is, from 0.")
    ] = None,
    scale_batch: Annotated[
        bool,
        typer.Option(
            "--scale-batch",
            help="Batch size and learning rate are those of one device.",
        ),
    ] = False,
    checkpoint_minutes: Annotated[
        float, typer.Option(help="Save so often, beside the end of an epoch.")
    ] = 10.0,
    data_service: Annotated[
        str | None,
        typer.Option(help="grpc://host:port: who makes the batches (data-dispatcher)."),
    ] = None,
    sample_rate: SampleRate = None,
    seconds: Seconds = None,
    labels: Labels = None,
    split_by: SplitBy = None,
    held_out: HeldOut = None,
    validate_on: ValidateOn = None,
    task: SoundTask = None,
):
    """Trains a model, or takes up again what the same command began."""
    zoo = _import_zoo()
    from zoo.training.distributed.interruptions import Preempted, WorkerLost

    sound = _given(
        sample_rate=sample_rate,
        seconds=seconds,
        labels=labels,
        split_by=split_by,
        held_out=held_out,
        validate_on=validate_on,
        task=task,
    )
    out = out or Path("runs", f"{model}-{data}".replace("/", "-"))
    several = strategy in ("auto", "multi_worker") or workers is not None
    cluster = zoo.training.find_cluster(workers, rank) if several else None
    try:
        metrics = zoo.training.train(
            model,
            data,
            out,
            epochs=epochs,
            batch_size=batch_size,
            recipe=recipe,
            learning_rate=learning_rate,
            weight_decay=weight_decay,
            seed=seed,
            data_dir=data_dir,
            download=download,
            validation=validation,
            image_shape=image_shape,
            skip_bad=skip_bad,
            weights=weights,
            also=also,
            strategy=strategy,
            workers=workers,
            rank=rank,
            scale_batch=scale_batch,
            checkpoint_minutes=checkpoint_minutes,
            data_service=data_service,
            **sound,
        )
    except (Preempted, WorkerLost) as end:
        _fail(end.message, end.code)
    if cluster is not None and not cluster.is_chief:
        return
    table = _table(f"{model} on {data}", "", numbers=1)
    for name, value in metrics.items():
        table.add_row(name, _number(value))
    _print(table)
    _print(f"run folder: {out}")


@app.command("data-dispatcher")
def data_dispatcher_command(
    port: Annotated[int, typer.Option(help="To listen at.")] = 5050,
    folder: Annotated[
        Path | None, typer.Option(help="Where to keep what a restart goes on with.")
    ] = None,
):
    """Deals out the work of making batches (zoo train --data-service)."""
    _import_zoo()
    from zoo.training.distributed.data_service import start_dispatcher, wait_for_ever

    server = start_dispatcher(port, folder)
    _print(f"dispatcher: {server.target}")
    sys.stdout.flush()
    wait_for_ever()


@app.command("data-worker")
def data_worker_command(
    dispatcher: Annotated[str, typer.Option(help="grpc://host:port.")],
    host: Annotated[
        str | None, typer.Option(help="This machine's name, as others reach it.")
    ] = None,
    port: Annotated[int, typer.Option(help="To listen at; 0 for any.")] = 0,
):
    """Makes batches for a dispatcher."""
    _import_zoo()
    from zoo.training.distributed.data_service import start_worker, wait_for_ever

    signal.signal(signal.SIGINT, signal.SIG_DFL)  # also while it looks for it
    _print(f"looking for {dispatcher}")
    sys.stdout.flush()
    server = start_worker(dispatcher, host or socket.gethostname(), port)
    _print(f"worker of {dispatcher}")
    sys.stdout.flush()
    wait_for_ever()
    del server


@app.command("evaluate")
def evaluate_command(
    model: ModelPath,
    data: Data,
    split: Annotated[str, typer.Option(help='Such as "test[:1000]".')] = "test",
    data_dir: DataDir = None,
    views: Annotated[
        int, typer.Option(help="10: the mean over AlexNet's ten crops of an image.")
    ] = 1,
    image_shape: ImageShape = None,
    skip_bad: SkipBad = False,
    sample_rate: SampleRate = None,
    seconds: Seconds = None,
    labels: Labels = None,
    split_by: SplitBy = None,
    held_out: HeldOut = None,
    validate_on: ValidateOn = None,
    task: SoundTask = None,
    out: Annotated[
        Path | None, typer.Option(help="A new .png file for the confusion matrix.")
    ] = None,
):
    """Measures a trained model on a data set."""
    zoo = _import_zoo()
    sound = _given(
        sample_rate=sample_rate,
        seconds=seconds,
        labels=labels,
        split_by=split_by,
        held_out=held_out,
        validate_on=validate_on,
        task=task,
    )
    if out is not None:
        _check_picture(out)
    result = zoo.training.evaluate(
        model,
        data,
        split,
        data_dir,
        views=views,
        image_shape=image_shape,
        skip_bad=skip_bad,
        **sound,
    )
    _print_figures(f"{model} on {data}, {split}", result)
    if out is not None:
        if "confusion" not in result:
            raise ValueError(f"--out: {data} has no classes to draw a matrix of.")
        from zoo.training.pictures import draw_confusion_matrix

        title = f"{data}, {split}: error {result['error']:.2f} %"
        draw_confusion_matrix(result["confusion"], result["labels"], out, title)
        _print(f"confusion matrix: {out}")


@app.command("baseline")
def baseline_command(
    data: Data,
    features: Annotated[
        str, typer.Option(help="log_mel, statistics, mfcc, chroma, spectral, tempo.")
    ] = "log_mel",
    classifier: Annotated[str, typer.Option(help="logistic or forest.")] = "logistic",
    data_dir: DataDir = None,
    download: Annotated[
        bool, typer.Option("--download", help="Let the data be fetched.")
    ] = False,
    seed: Annotated[int, typer.Option(help="Of the forest.")] = 0,
    sample_rate: SampleRate = None,
    seconds: Seconds = None,
    labels: Labels = None,
    split_by: SplitBy = None,
    held_out: HeldOut = None,
    validate_on: ValidateOn = None,
    task: SoundTask = None,
):
    """Measures hand-made features of sound and a classical method: the mark to pass."""
    _import_zoo()
    from zoo.baselines.audio import sound_baseline

    sound = _given(
        sample_rate=sample_rate,
        seconds=seconds,
        labels=labels,
        split_by=split_by,
        held_out=held_out,
        validate_on=validate_on,
        task=task,
    )
    split = "validation" if validate_on else "test"
    result = sound_baseline(
        data,
        features,
        classifier,
        split,
        data_dir,
        download,
        n_jobs=1,
        seed=seed,
        **sound,
    )
    _print_figures(f"{features} and {classifier} on {data}, {split}", result)


@app.command("check")
def check_command(
    model: Annotated[
        str, typer.Argument(help="A model's name, a .keras file or a run folder.")
    ],
    group: Annotated[
        str | None, typer.Option(help='Such as "C4"; by default the model\'s own.')
    ] = None,
    size: Annotated[
        int | None, typer.Option(help="Height and width of the images.")
    ] = None,
):
    """Measures how exactly each layer of a model rotates and moves with its input."""
    zoo = _import_zoo()
    is_path = model not in zoo.list_models() and Path(model).exists()
    net = zoo.load_model(model) if is_path else _untrained(zoo, model, size)
    shape = _image_shape(net, size)
    report = zoo.equivariance_report(net, group=group, input_shape=shape)
    table = _table("layer", "kind", "output", "error", numbers=1)
    for row in report.rows:
        shape = _shape(row.output_shape[1:])
        table.add_row(row.layer, row.kind, shape, f"{row.error:.1e}")
    _print(table)
    if report.translation is not None:
        heading, *rows = report.translation.cells()
        table = _table(*heading)
        for row in rows:
            table.add_row(*row)
        _print("the input shifted by the stride of each layer, and by one pixel:")
        _print(table)
    drawn = dict.fromkeys([*report.drawn, *getattr(report.translation, "drawn", ())])
    if drawn:
        _print(
            "drawn at random, as they are constant now and training sets them apart: "
            + ", ".join(drawn)
        )
    sizes = zoo.admissible_sizes(net, 1, (net.input_shape[1] or size) + 20)
    _print(f"sizes that keep it exact: {', '.join(map(str, sizes)) or 'none'}")
    verdict = "EXACT" if report.exact else "NOT EXACT"
    in_float64 = ""
    if report.float64_error is not None:
        in_float64 = f", {report.float64_error:.1e} when computed in float64"
    _print(
        f"{verdict}: under {report.group} ({', '.join(report.elements)}) the output of "
        f"{net.name} differs by {report.output_error:.1e} of its spread{in_float64}"
    )


@app.command("export")
def export_command(
    model: ModelPath,
    out: Annotated[
        Path,
        typer.Option(help="A folder for versions, or a file: that depends on --format"),
    ],
    format: Annotated[
        str, typer.Option(help="saved_model, openvino, onnx, litert or keras.")
    ] = "saved_model",
    version: Annotated[
        int | None, typer.Option(help="By default one more than the last.")
    ] = None,
    overwrite: Annotated[
        bool, typer.Option("--overwrite", help="Replace a file that is there.")
    ] = False,
    input_name: Annotated[
        str | None, typer.Option(help="For a model whose input has no name.")
    ] = None,
    int8: Annotated[
        bool, typer.Option("--int8", help="LiteRT in 8 bits; takes --data.")
    ] = False,
    data: Annotated[
        str | None, typer.Option(help="Calibrates and measures the 8 bits.")
    ] = None,
    data_dir: DataDir = None,
    labels: Labels = None,
    split_by: SplitBy = None,
    held_out: HeldOut = None,
):
    """Writes a model for servers, phones, ... and runs what was written elsewhere."""
    zoo = _import_zoo()
    if not int8:
        if data is not None:
            raise ValueError("--data is for --int8.")
        written, difference = _export(
            model,
            out,
            format=format,
            version=version,
            overwrite=overwrite,
            input_name=input_name,
        )
        _print(f"{format}: {written}")
        _print(f"largest difference to model.predict, after reload: {difference:.1e}")
        return
    if format != "litert" or data is None:
        raise ValueError("--int8 takes --format litert and --data with classes.")
    sound = _given(labels=labels, split_by=split_by, held_out=held_out)
    figures = zoo.serving.export_int8(
        model, out, data, data_dir=data_dir, overwrite=overwrite, **sound
    )
    _print_figures(f"{out} on {data}", figures)


@app.command("serve")
def serve_command(
    path: Annotated[Path, typer.Argument(help="What `zoo export` wrote, or a folder.")],
    host: Annotated[str, typer.Option(help="0.0.0.0 for every address.")] = "127.0.0.1",
    http_port: Annotated[int, typer.Option(help="Of REST.")] = 8080,
    grpc_port: Annotated[
        int, typer.Option(help="Of gRPC; metrics are at the next one.")
    ] = 8081,
    workers: Annotated[
        int, typer.Option(help="Processes that compute; 0 for the server's own.")
    ] = 0,
):
    """Serves exported models with MLServer: KServe's V2 protocol, REST and gRPC."""
    zoo = _import_zoo()
    arguments, environment = zoo.serving.server_command(
        path, host, http_port, grpc_port, workers
    )
    _print(f"serving {path} at http://{host}:{http_port}/v2, gRPC at {grpc_port}")
    sys.stdout.flush()
    os.execve(arguments[0], arguments, environment)


@app.command("demo")
def demo_command(
    out: Annotated[Path, typer.Option(help="A folder for everything.")] = Path(
        "runs", "demo"
    ),
    epochs: Annotated[int, typer.Option(help="Passes over the images.")] = DEMO_EPOCHS,
):
    """Trains a plain and an equivariant net, exports one, and compares the two."""
    zoo = _import_zoo()
    zoo.training.find_recipe("cosine", epochs=epochs)  # refuses what is no number
    _claim_demo_folder(out, epochs)
    metrics, errors = {}, {}
    for name in ("z2cnn", "p4cnn"):
        _print(f"{name} on rotated_digits, {epochs} epochs")
        metrics[name] = zoo.training.train(
            name,
            "rotated_digits",
            out / name,
            epochs=epochs,
            batch_size=64,
            recipe="cosine",
            learning_rate=1e-2,
            weight_decay=0.0,
        )
        model = zoo.load_model(out / name)
        errors[name] = zoo.equivariance_report(model, group="C4").output_error
    _, difference = _export(out / "p4cnn", out / "saved_model")
    _draw_turning_picture(zoo, out)

    planar, exact = (100 * metrics[name]["test_accuracy"] for name in metrics)
    heading = "1,000 turned digits, not seen in training"
    table = _table(heading, "z2cnn", "p4cnn", numbers=2)
    table.add_row("test accuracy, %", f"{planar:.1f}", f"{exact:.1f}")
    table.add_row("points ahead", "", f"{exact - planar:+.1f}")
    table.add_row("error under quarter turns", *(f"{e:.1e}" for e in errors.values()))
    table.add_row("SavedModel after reload, difference", "", f"{difference:.1e}")
    table.add_row(
        "seconds of training", *(f"{m['seconds']:.0f}" for m in metrics.values())
    )
    _print(table)
    for name in DEMO_FILES:
        _print(f"  {out / name}")
    kept = (
        exact - planar >= 3
        and planar >= 85
        and errors["p4cnn"] < 1e-5
        and errors["z2cnn"] > 0.05
        and difference < 1e-5
    )
    if epochs == DEMO_EPOCHS and not kept:
        _fail(
            "The demo misses what it promises: z2cnn at least 85 %, p4cnn 3 points "
            "ahead, errors above 0.05 and below 1e-5, SavedModel within 1e-5.",
            1,
        )


def _print_figures(title, result):
    table = _table(title, "", numbers=1)
    names = {"error": "error, %", "top_5_error": "top-5 error, %"}
    for name, value in result.items():
        if isinstance(value, int | float):
            table.add_row(names.get(name, name), _number(value))
    _print(table)


def _given(**options):
    """The options that were said on the command line."""
    return {name: value for name, value in options.items() if value is not None}


def _untrained(zoo, name, size):
    """A registered model on logits, every kernel drawn by the Glorot rule.

    Small initial weights would make any net look equivariant.
    """
    import keras

    arguments = {}
    if size is not None:
        arguments["input_shape"] = (size, size, zoo.card(name).input_shape[-1])
    model = zoo.create_model(name, classifier_activation=None, **arguments)
    for seed, weight in enumerate(model.trainable_weights):
        if len(weight.shape) > 1:
            glorot = keras.initializers.GlorotUniform(seed)
            weight.assign(glorot(weight.shape))
    return model


def _image_shape(model, size):
    """The shape to measure at: the model's own, completed by --size."""
    own = getattr(model, "input_shape", None)
    if size is None or own is None or len(own) != 4:
        if own is not None and None in own[1:]:
            raise ValueError(
                f"{model.name} leaves height and width open. Say at which to measure, "
                f"as --size."
            )
        return None
    if not set(own[1:3]) <= {None, size}:
        raise ValueError(
            f"{model.name} takes images of {own[1]} x {own[2]}. Received: --size "
            f"{size}. Leave it away."
        )
    return (size, size, own[3])


def _export(path, out, format="saved_model", **options):
    """Exports; returns where, and the largest difference in another process."""
    from zoo.serving._places import check_place
    from zoo.serving.export import export_and_compare
    from zoo.serving.formats import find_format
    from zoo.training.evaluation import load_with_card

    # Refused before a model is loaded.
    check_place(out, find_format(format), options.get("overwrite", False))
    model, card = load_with_card(path)
    return export_and_compare(model, out, format, card=card, **options)


def _draw_turning_picture(zoo, out):
    from zoo.training.evaluation import load_with_card

    model, card = load_with_card(out / "p4cnn")
    digits = zoo.datasets.load("rotated_digits", "test", batch_size=1)
    image, _ = next(iter(digits))
    image = zoo.preprocess_input(image.numpy(), card)[0]
    zoo.analysis.turning_picture(model, image, out / "turning.png")


def _claim_demo_folder(out, epochs):
    """Marks a new or empty folder as the demo's; refuses all but its own."""
    from zoo._files import check_can_be_made, is_empty, replace_file

    check_can_be_made(out)
    if not is_empty(out) and not (out / DEMO_MARK).is_file():
        raise ValueError(
            f"{out} holds something else than an earlier demo: "
            f"{min(path.name for path in out.iterdir())}. Choose another place, or an "
            f"empty folder."
        )
    with replace_file(out / DEMO_MARK) as path:
        path.write_text(json.dumps({"command": "zoo demo", "epochs": epochs}) + "\n")


def _check_picture(path):
    from zoo._files import check_can_be_made

    if path.suffix != ".png":
        raise ValueError(f"--out must be a .png file. Received: {path}")
    if path.exists():
        raise ValueError(f"{path} exists already. Choose another name, or remove it.")
    check_can_be_made(path)


def _import_zoo():
    """Imports the package with TensorFlow, whose log lines are not for users."""
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    # By itself TensorFlow takes oneDNN only on processors with AVX-512 VNNI or AMX. On
    # one with AVX2 a step without it was 1.1 to 1.6 times as long. Once imported, it
    # would only make processes that are started from here compute differently.
    if "tensorflow" not in sys.modules:
        os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "1")
    with _no_native_output():
        import tensorflow
    import absl.logging

    import zoo

    tensorflow.get_logger().setLevel("ERROR")
    absl.logging.set_verbosity(absl.logging.ERROR)
    return zoo


@contextlib.contextmanager
def _no_native_output():
    """Silences file descriptor 2: TensorFlow logs there before it reads its level."""
    sys.stderr.flush()
    kept = os.dup(2)
    with open(os.devnull, "wb") as nothing:
        os.dup2(nothing.fileno(), 2)
    try:
        yield
    finally:
        os.dup2(kept, 2)
        os.close(kept)


def _fail(error, status):
    print(f"zoo: {one_line(str(error) or type(error).__name__)}", file=sys.stderr)
    sys.exit(status)


def one_line(message):
    """The message itself, on one line, without what Keras wraps around it.

    Example:

    >>> one_line("Exception encountered when calling A.call().\\n\\n\\x1b[1mToo small."
    ...          "\\x1b[0m\\n\\nArguments received by A.call():\\n  inputs=...")
    'Too small.'
    """
    message = re.sub(r"\x1b\[[0-9;]*m", "", message)
    message = re.sub(r"Exception encountered when calling [^\n]*\n", "", message)
    message = re.sub(r"\n\nArguments received by .*", "", message, flags=re.DOTALL)
    return " ".join(message.split())


def _table(*columns, numbers=0):
    """A table with the last `numbers` columns right-aligned; without headings, two."""
    table = Table(show_header=bool(columns))
    columns = columns or ("", "")
    for index, column in enumerate(columns):
        is_number = len(columns) - index <= numbers
        table.add_column(column, justify="right" if is_number else "left")
    return table


def _print(value):
    # Piped output has no width of its own; 80 columns would break tables.
    width = None if sys.stdout.isatty() else 120
    console = Console(width=width, highlight=False)
    console.print(value, markup=False, soft_wrap=isinstance(value, str))


def _input(card):
    text = f"{card.input_name} {_shape(card.input_shape)}"
    return text if card.sample_rate is None else f"{text}, {card.sample_rate:,} Hz"


def _shape(shape):
    return " x ".join("?" if size is None else str(size) for size in shape)


def _number(value):
    return f"{value:.4g}" if isinstance(value, float) else f"{value:,}"
