"""A picture of how many examples each class has."""

import numpy as np
from matplotlib.figure import Figure

from zoo._files import replace_file

# Of more classes the names can't be read.
NAMED = 60


def class_balance_picture(labels, classes, path, title=None):
    """Draws the share of each class in each split of a data set, with the counts.

    Args:
        labels: dictionary from the name of a split to its labels, integers `(n,)`; of a
            multi-hot `(n, classes)` every tag of an example counts.
        classes: names of the classes.
        path: of the PNG file.
        title: of the picture, or None.

    Raises:
        ValueError: for no labels, or labels outside of the classes.

    Example:

    >>> import os, tempfile
    >>> path = os.path.join(tempfile.mkdtemp(), "balance.png")
    >>> splits = {"train": [0, 0, 1, 2], "test": [0, 2]}
    >>> class_balance_picture(splits, ["waltz", "polka", "tango"], path)
    >>> os.path.exists(path)
    True
    """
    classes = [str(name) for name in classes]
    counts = {split: _counts(split, y, len(classes)) for split, y in labels.items()}
    if not counts:
        raise ValueError("Expected labels of at least one split. Received: none.")
    named = len(classes) <= NAMED
    height = 1.4 + (0.2 * len(classes) * (0.4 + len(counts)) if named else 5)
    figure = Figure(figsize=(8, height), layout="constrained")
    axes = figure.subplots()
    width = 0.8 / len(counts)
    for number, (split, count) in enumerate(counts.items()):
        total = count.sum()
        places = np.arange(len(classes)) + (number - (len(counts) - 1) / 2) * width
        label = f"{split} ({total:,})"
        bars = axes.barh(places, 100 * count / total, width, label=label)
        if named:
            axes.bar_label(bars, [f"{n:,}" for n in count], padding=2, fontsize=7)
    if named:
        axes.set_yticks(range(len(classes)), classes)
    else:
        axes.set_ylabel("class")
    axes.set_ylim(len(classes) - 0.5, -0.5)
    axes.set(xlabel="share, %", title=title)
    axes.margins(x=0.1)
    axes.grid(axis="x", alpha=0.3)
    axes.set_axisbelow(True)
    figure.legend(loc="outside lower center", ncols=len(counts), frameon=False)
    with replace_file(path) as beside:
        figure.savefig(beside, dpi=120)


def _counts(split, labels, classes):
    labels = np.asarray(labels)
    if labels.ndim == 2 and labels.shape[1] == classes and len(labels):
        counts = np.asarray(labels, dtype=bool).sum(axis=0)
        if counts.any():
            return counts
    whole = labels.ndim == 1 and labels.size and (labels == np.floor(labels)).all()
    if not whole or labels.min() < 0 or labels.max() >= classes:
        raise ValueError(
            f"Expected labels of {split} as integers from 0 to {classes - 1}, or "
            f"multi-hot (n, {classes}) with some tag. "
            f"Received: shape={labels.shape}, {np.unique(labels)[:5]}"
        )
    return np.bincount(labels.astype(int), minlength=classes)
