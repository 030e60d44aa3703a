"""The pictures of a training run."""

import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from zoo._files import replace_file


def draw_training_curves(history, path, title, final=None):
    """Draws loss and error against the epoch, as a PNG.

    Args:
        history: list of dictionaries with `epoch`, `loss`, `accuracy` and perhaps
            `val_loss`, `val_accuracy`.
        path: of the picture.
        title: of the picture.
        final: None, or (name, loss, error in percent) of the last evaluation.
    """
    epochs = [row["epoch"] for row in history]
    figure = Figure(figsize=(9, 3.6), layout="constrained")
    loss_axes, error_axes = figure.subplots(1, 2)
    for prefix, name in (("", "training"), ("val_", "validation")):
        if f"{prefix}loss" in history[0]:
            losses = [row[f"{prefix}loss"] for row in history]
            errors = [100 * (1 - row[f"{prefix}accuracy"]) for row in history]
            marker = "o" if len(history) == 1 else None
            loss_axes.plot(epochs, losses, marker=marker, label=name)
            error_axes.plot(epochs, errors, marker=marker, label=name)
    if final is not None:
        name, loss, error = final
        style = {"color": "black", "marker": "D", "linestyle": "none", "zorder": 3}
        loss_axes.plot(epochs[-1], loss, label=f"{name}, {loss:.3f}", **style)
        error_axes.plot(epochs[-1], error, label=f"{name}, {error:.2f} %", **style)
    for axes, label in ((loss_axes, "cross-entropy"), (error_axes, "error, %")):
        axes.set(xlabel="epoch", ylabel=label)
        axes.set_ylim(bottom=0)
        axes.xaxis.set_major_locator(MaxNLocator(integer=True))
        axes.grid(alpha=0.3)
        axes.legend()
    figure.suptitle(title)
    with replace_file(path) as beside:
        figure.savefig(beside, dpi=120)


def draw_confusion_matrix(confusion, labels, path, title):
    """Draws a confusion matrix as a PNG: a share a row, with the counts written in.

    Args:
        confusion: array of counts, true class x predicted class.
        labels: names of the classes.
        path: of the picture.
        title: of the picture.
    """
    shares = confusion / np.maximum(confusion.sum(axis=1, keepdims=True), 1)
    side = max(4.0, 0.45 * len(labels) + 1.5)
    figure = Figure(figsize=(side, side), layout="constrained")
    axes = figure.subplots()
    axes.imshow(shares, cmap="Blues", vmin=0, vmax=1)
    ticks = range(len(labels))
    axes.set_xticks(ticks, labels, rotation=90 if max(map(len, labels)) > 3 else 0)
    axes.set_yticks(ticks, labels)
    axes.set(xlabel="predicted", ylabel="true", title=title)
    for row, column in zip(*np.nonzero(confusion), strict=True):
        color = "white" if shares[row, column] > 0.5 else "black"
        count = confusion[row, column]
        axes.text(column, row, count, ha="center", va="center", color=color, size=8)
    with replace_file(path) as beside:
        figure.savefig(beside, dpi=120)
