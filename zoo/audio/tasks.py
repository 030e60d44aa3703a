"""What a sound net can be asked: five tasks, each with its head, loss and metrics.

| task    | question                   | output                   | target          |
| classes | which of these is it?      | softmax over the classes | its index       |
| binary  | is it?                     | sigmoid                  | 0 or 1          |
| tags    | which of these hold?       | a sigmoid for each       | 0 or 1 for each |
| rating  | how much, from 1 to 100?   | 1 + 99 sigmoid           | 1 to 100        |
| tempo   | how many beats per minute? | softmax over 30 to 285   | BPM             |
"""

from dataclasses import dataclass

import keras
import numpy as np

from zoo.audio.rating_squared_error import RatingSquaredError
from zoo.audio.tempo_crossentropy import HIGHEST_BPM, LOWEST_BPM, TempoCrossentropy


@dataclass(frozen=True)
class Task:
    """One question that a sound net answers.

    Args:
        name: as `task=` takes it.
        output: name of the model's output.
        activation: the last one.
        units: of the last layer; None for the number of classes.
        target: what a data set gives, in words.
        answer: what `decode` makes of an output, in words.
    """

    name: str
    output: str
    activation: str
    units: int | None
    target: str
    answer: str


TASKS = {
    task.name: task
    for task in (
        Task(
            "classes",
            output="probabilities",
            activation="softmax",
            units=None,
            target="int64 (batch,), the index of the class",
            answer="int64 (batch,), the index of the most probable class",
        ),
        Task(
            "binary",
            output="probability",
            activation="sigmoid",
            units=1,
            target="float32 (batch,), 0 or 1",
            answer="bool (batch,), whether the probability is above one half",
        ),
        Task(
            "tags",
            output="tags",
            activation="sigmoid",
            units=None,
            target="float32 (batch, classes), 1 for each tag that holds, else 0",
            answer="bool (batch, classes), which probabilities are above one half",
        ),
        Task(
            "rating",
            output="rating",
            activation="sigmoid",
            units=1,
            target="float32 (batch,), from 1 to 100",
            answer="float32 (batch,), from 1 to 100",
        ),
        Task(
            "tempo",
            output="tempo",
            activation="softmax",
            units=HIGHEST_BPM - LOWEST_BPM + 1,
            target=f"float32 (batch,), {LOWEST_BPM} to {HIGHEST_BPM} BPM",
            answer="int64 (batch,), BPM",
        ),
    )
}


def find_task(name):
    """The `Task` of a name.

    Raises:
        ValueError: if there is none.

    Example:

    >>> find_task("tempo").units
    256
    """
    if not isinstance(name, str) or name not in TASKS:
        raise ValueError(
            f"`task` must be one of {', '.join(map(repr, TASKS))}. "
            f"Received: task={name!r}"
        )
    return TASKS[name]


def loss_for_task(task, from_logits=False):
    """The loss that a task is trained with.

    Args:
        task: `"classes"` (cross-entropy), `"binary"` and `"tags"` (binary
            cross-entropy), `"rating"` (squared error of rating / 100) or `"tempo"`
            (cross-entropy of the tempo rounded to whole BPM).
        from_logits: bool. The model was built with `classifier_activation=None`.

    Returns:
        A Keras loss on the task's targets.

    Raises:
        ValueError: for another task.

    Example:

    >>> loss_for_task("tempo").name
    'tempo_crossentropy'
    """
    find_task(task)
    if task == "classes":
        return keras.losses.SparseCategoricalCrossentropy(from_logits=from_logits)
    if task == "rating":
        return RatingSquaredError(from_logits=from_logits)
    if task == "tempo":
        return TempoCrossentropy(from_logits=from_logits)
    return keras.losses.BinaryCrossentropy(from_logits=from_logits)


def metrics_for_task(task, classes):
    """The metrics that a task is judged by, on outputs that are not logits.

    If an output is NaN, so is the result of each.

    Args:
        task: `"classes"` and `"binary"` (accuracy), `"tags"` (area under the ROC curve,
            the mean over the tags), `"rating"` (mean absolute error in points) or
            `"tempo"` (Accuracy 1: within 4 % of the tempo).
        classes: int, number of tags; the others do not need it.

    Returns:
        A list of Keras metrics.

    Raises:
        ValueError: for another task.

    Example:

    >>> [metric.name for metric in metrics_for_task("rating", classes=10)]
    ['mean_absolute_error']
    """
    # Only here, so that a net is built without them.
    from zoo.training.metrics.keras_metrics import (
        BinaryAccuracy,
        MeanAbsoluteError,
        SparseCategoricalAccuracy,
    )
    from zoo.training.metrics.macro_roc_auc import MacroRocAuc
    from zoo.training.metrics.tempo_accuracy import TempoAccuracy

    find_task(task)
    if task == "classes":
        return [SparseCategoricalAccuracy(name="accuracy")]
    if task == "binary":
        return [BinaryAccuracy(name="accuracy")]
    if task == "tags":
        return [MacroRocAuc(classes)]
    if task == "rating":
        return [MeanAbsoluteError(name="mean_absolute_error")]
    return [TempoAccuracy(1)]


def decode(task, outputs):
    """Turns outputs of a model into answers.

    Args:
        task: `"classes"`, `"binary"`, `"tags"`, `"rating"` or `"tempo"`.
        outputs: array `(batch, units)` as `model.predict` gives it, no logits.

    Returns:
        An array: the index of the class (int64), yes or no (bool), yes or no for each
        tag (bool, `(batch, classes)`), the rating from 1 to 100 (float32), or the tempo
        in BPM (int64); `(batch,)` but for the tags.

    Raises:
        ValueError: for another task, or outputs that can't be those of the task.

    Example:

    >>> decode("tempo", np.eye(256)[[90]])
    array([120])
    >>> decode("binary", np.array([[0.7], [0.2]]))
    array([ True, False])
    """
    known, outputs = find_task(task), np.asarray(outputs)
    low, high = (1, 100) if task == "rating" else (0, 1)
    units = "classes" if known.units is None else known.units
    fits = outputs.ndim == 2 and known.units in (None, outputs.shape[-1])
    if np.isnan(outputs).any():
        raise ValueError(
            f"Outputs for task={task!r} must be numbers. Received: NaN, which has no "
            f"answer: the model diverged in training, or its input holds NaN."
        )
    # A mean over pieces may round beyond the bounds.
    within = (outputs >= low - 1e-4) & (outputs <= high + 1e-4)
    if not fits or not within.all():
        seen = f", values {outputs.min()} to {outputs.max()}" if outputs.size else ""
        raise ValueError(
            f"Outputs for task={task!r} must be an array (batch, {units}) of numbers "
            f"from {low} to {high}. Received: shape={outputs.shape}{seen}. For logits, "
            f"build the model with classifier_activation='default' instead."
        )
    if task == "classes":
        return outputs.argmax(axis=-1)
    if task == "binary":
        return outputs[:, 0] > 0.5
    if task == "tags":
        return outputs > 0.5
    if task == "rating":
        return np.clip(outputs[:, 0], low, high).astype("float32")
    return outputs.argmax(axis=-1) + LOWEST_BPM
