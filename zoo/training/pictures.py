"""The pictures of a training run."""

import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from zoo._files import replace_file


def draw_training_curves(
    history, path, title, final=None, figure="accuracy", label="error, %"
):
    """Draws the loss and one figure against the epoch, as a PNG.

    Args:
        history: list of dictionaries with `epoch`, `loss`, the figure and perhaps
            `val_loss` and `val_` with the figure.
        path: of the picture.
        title: of the picture.
        final: None, or (name, loss, figure as it is shown) of the last evaluation.
        figure: name of the figure; an accuracy is shown as an error in percent.
        label: what it is called.
    """
    epochs = [row["epoch"] for row in history]
    canvas = Figure(figsize=(9, 3.6), layout="constrained")
    loss_axes, error_axes = canvas.subplots(1, 2)
    for prefix, name in (("", "training"), ("val_", "validation")):
        if f"{prefix}loss" in history[0]:
            losses = [row[f"{prefix}loss"] for row in history]
            errors = [shown(figure, row[f"{prefix}{figure}"]) for row in history]
            marker = "o" if len(history) == 1 else None
            loss_axes.plot(epochs, losses, marker=marker, label=name)
            error_axes.plot(epochs, errors, marker=marker, label=name)
    if final is not None:
        name, loss, error = final
        style = {"color": "black", "marker": "D", "linestyle": "none", "zorder": 3}
        loss_axes.plot(epochs[-1], loss, label=f"{name}, {loss:.3f}", **style)
        unit = " %" if label.endswith("%") else ""
        error_axes.plot(epochs[-1], error, label=f"{name}, {error:.2f}{unit}", **style)
    for axes, what in ((loss_axes, "loss"), (error_axes, label)):
        axes.set(xlabel="epoch", ylabel=what)
        axes.set_ylim(bottom=0)
        axes.xaxis.set_major_locator(MaxNLocator(integer=True))
        axes.grid(alpha=0.3)
        axes.legend()
    canvas.suptitle(title)
    with replace_file(path) as beside:
        canvas.savefig(beside, dpi=120)


def shown(figure, value):
    """A figure as pictures show it: a share of right ones as an error in percent."""
    return 100 * (1 - value) if "accuracy" in figure else value


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
