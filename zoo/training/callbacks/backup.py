import csv
import math
import os
import shutil
import time
from pathlib import Path

import h5py
import keras
import numpy as np

from zoo._files import replace_file
from zoo.training.distributed.interruptions import Preempted, Terminated
from zoo.training.distributed.together import Together
from zoo.training.metrics.macro_roc_auc import MacroRocAuc

# Workers agree every so many steps whether one of them was told to stop.
STEPS_BETWEEN_WORDS = 10
EXTRAS = "convzoo"
# What the examples that a metric ranks consist of.
EXAMPLES = ("tags", "scores", "weights")


class Backup(keras.callbacks.Callback):
    """Keeps what a killed run needs to go on, after every epoch and every few minutes.

    Unlike `keras.callbacks.BackupAndRestore` it writes one file and renames it into
    place: weights, optimizer, the states of what draws random numbers and (as the
    optimizer's count of steps) the epoch and the step in it can't disagree, whenever
    the process dies. The last two files are kept. Of several processes the chief
    writes. SIGTERM, noted by `terminated`, saves and ends the run.

    Args:
        folder: the run folder.
        steps: batches an epoch.
        minutes: None, or how long to train inside an epoch before saving.
        together: the `Together` of the run; one process by default.
        terminated: a `Terminated`.

    Example:

    >>> import tempfile
    >>> import numpy as np
    >>> model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(1)])
    >>> model.compile("adam", "mse")
    >>> backup = Backup(tempfile.mkdtemp(), steps=1)
    >>> _ = model.fit(np.ones((8, 2)), np.ones(8), verbose=0, callbacks=[backup])
    >>> backup.restore(model)
    1
    """

    def __init__(self, folder, steps, minutes=None, together=None, terminated=None):
        super().__init__()
        self.weights_file = Path(folder) / "backup.weights.h5"
        self.previous_file = Path(folder) / "backup.previous.weights.h5"
        self.history_file = Path(folder) / "history.csv"
        self.steps = steps
        self.minutes = minutes
        self.together = together or Together(None)
        self.terminated = terminated or Terminated()
        self.rows = []
        # Steps of the epoch that were done before this process began.
        self.first_step = 0
        self._metrics, self._examples, self._seconds_before = None, [], 0.0

    def restore(self, model):
        """Loads the last backup, if there is one, into a compiled model.

        Where the last ones of several workers differ, they agree on the oldest of
        these; a worker without any is told what the others have.

        Returns:
            The number of epochs that are done; `first_step` says how much of the next.
        """
        done = self._agree(model)
        if not done:
            return 0
        epochs, self.first_step = divmod(done, self.steps)
        self.rows = self.together.broadcast(self._rows_of(epochs), source=0)
        return epochs

    def _agree(self, model):
        """Loads what all agree on, and returns the steps that are done by it."""
        with self.together.strategy.scope():
            model.optimizer.build(model.trainable_variables)
        # Outside: there every variable that reading a file makes would be one of all
        # workers, who do not read it.
        found = {self._steps_in(file): file for file in self._files()}
        newest = self.together.gather(max(found, default=0))
        if not any(newest):
            return 0
        agreed = min(steps for steps in newest if steps)
        holders = self.together.gather(agreed in found)
        if not any(holders):
            raise ValueError(
                f"The workers have backups after {newest} steps, and none has that "
                f"after {agreed}. Remove the folders to begin anew."
            )
        source = holders.index(1)
        # A backup that one worker can't read must stop all of them.
        trouble = None
        if self.together.rank == source:
            trouble = self._load(model, found[agreed])
        trouble = self.together.broadcast(trouble, source)
        if trouble:
            raise ValueError(trouble)
        if self.together.workers > 1:
            for variable in _state(model):
                mine = keras.ops.convert_to_numpy(variable)
                if self.together.rank != source:
                    mine = np.zeros_like(mine)
                variable.assign(self.together.sum(mine))
        return agreed

    def _files(self):
        files = (self.previous_file, self.weights_file)
        return [file for file in files if file.is_file()]

    def _steps_in(self, file):
        with self._readable(), h5py.File(file, "r") as content:
            extras = content[EXTRAS]
            if extras.attrs["steps"] != self.steps:
                raise ValueError(
                    f"its epochs had {extras.attrs['steps']} steps, here they have "
                    f"{self.steps}: other devices share an epoch out otherwise"
                )
            return int(extras.attrs["done"])

    def _load(self, model, file):
        """None, or the message of what went wrong."""
        try:
            with self._readable():
                model.load_weights(file)
                with h5py.File(file, "r") as content:
                    extras = content[EXTRAS]
                    for number, variable in enumerate(_random_states(model)):
                        variable.assign(extras[f"random_{number}"][()])
                    count = extras.attrs["metrics"]
                    self._metrics = [extras[f"metric_{n}"][()] for n in range(count)]
                    ranked = [extras[name] for name in extras if "examples" in name]
                    self._examples = [
                        [group[name][()] for name in EXAMPLES] for group in ranked
                    ]
                    self._seconds_before = float(extras.attrs["seconds"])
        except ValueError as error:
            return str(error)
        return None

    def _rows_of(self, epochs):
        # The row of an epoch stands before its backup: one more may be there.
        if not epochs or not self.together.is_chief:
            return []
        if not self.history_file.is_file() and self.together.workers > 1:
            return []  # the chief's disk is new
        with self._readable():
            return read_history(self.history_file)[:epochs]

    def _readable(self):
        return _Readable(self.weights_file.parent)

    def on_epoch_begin(self, epoch, logs=None):
        self._start = time.perf_counter()
        self._saved = self._start
        self._step = self.first_step

    def on_train_batch_end(self, batch, logs=None):
        self._step = min(self.first_step + batch + 1, self.steps)
        self._add_metrics()
        if self._step == self.steps:
            return  # the epoch ends, and is saved then
        if self._is_told_to_stop():
            self._stop()
        now = time.perf_counter()
        if self.minutes is not None and now - self._saved >= 60 * self.minutes:
            self._save()
            self._saved = now

    def on_epoch_end(self, epoch, logs=None):
        if not math.isfinite(logs["loss"]):
            raise ValueError(
                f"The loss is no longer finite after epoch {epoch + 1}. Choose a "
                f"smaller learning rate. The backup of the epoch before is kept."
            )
        self.rows.append({"epoch": epoch + 1, **logs, "seconds": self._seconds()})
        self.first_step, self._metrics, self._seconds_before = 0, None, 0.0
        self._examples = []
        self._step = self.steps
        if self.together.is_chief:
            with (
                replace_file(self.history_file) as path,
                open(path, "w", newline="") as file,
            ):
                names = max(map(list, self.rows), key=len)
                writer = csv.DictWriter(file, fieldnames=names)
                writer.writeheader()
                writer.writerows(self.rows)
        self._save()
        if epoch + 1 < self.params.get("epochs", 0) and self._is_told_to_stop(True):
            self._stop(saved=True)

    def _add_metrics(self):
        """Adds what the epoch's figures counted before this process began: once.

        Keras makes and empties its metrics with the first step; all of them are sums,
        but for those that rank the examples.
        """
        if self._metrics:
            variables = _metric_states(self.model)
            for variable, value in zip(variables, self._metrics, strict=True):
                variable.assign(variable + value)
        if self._examples:
            for metric, examples in zip(
                _rankings(self.model), self._examples, strict=True
            ):
                metric.update_state(*examples)
        self._metrics, self._examples = None, []

    def _seconds(self):
        return self._seconds_before + time.perf_counter() - self._start

    def _is_told_to_stop(self, at_the_end=False):
        if self.together.workers == 1:
            return self.terminated.asked
        if not at_the_end and self._step % STEPS_BETWEEN_WORDS:
            return False
        return any(self.together.gather(self.terminated.asked))

    def _stop(self, saved=False):
        if not saved:
            self._save()
        self.together.wait()
        raise Preempted(
            f"told to stop: saved after {_steps_done(self.model)} steps; "
            f"the same command goes on from there."
        )

    def _save(self):
        if not self.together.is_chief:
            return
        with replace_file(self.weights_file) as path:
            self.model.save_weights(path)
            self._add_extras(path)
            if self.weights_file.is_file():
                with replace_file(self.previous_file) as previous:
                    _link(self.weights_file, previous)

    def _add_extras(self, path):
        # Inside an epoch: what the figures are made of. On several devices reading it
        # would need all of them, and the row of the epoch is of what follows only.
        inside = self._step < self.steps and not self.together.is_distributed
        metrics = _metric_states(self.model) if inside else []
        with h5py.File(path, "a") as content:
            extras = content.create_group(EXTRAS)
            extras.attrs["done"] = _steps_done(self.model)
            extras.attrs["steps"] = self.steps
            extras.attrs["metrics"] = len(metrics)
            extras.attrs["seconds"] = self._seconds() if inside else 0.0
            for number, variable in enumerate(_random_states(self.model)):
                extras[f"random_{number}"] = keras.ops.convert_to_numpy(variable)
            for number, variable in enumerate(metrics):
                extras[f"metric_{number}"] = keras.ops.convert_to_numpy(variable)
            for number, metric in enumerate(_rankings(self.model) if inside else []):
                group = extras.create_group(f"examples_{number}")
                for name, values in zip(EXAMPLES, metric.get_examples(), strict=True):
                    group[name] = values


class _Readable:
    """Says of a backup that can't be read what to do about it."""

    def __init__(self, folder):
        self.folder = folder

    def __enter__(self):
        return self

    def __exit__(self, kind, error, traceback):
        if isinstance(error, OSError | ValueError | TypeError | KeyError):
            raise ValueError(
                f"The backup in {self.folder} can't be read, so the run can't go on: "
                f"{error}. Remove the folder to begin anew, or choose another place."
            ) from error


def _steps_done(model):
    return int(keras.ops.convert_to_numpy(model.optimizer.iterations))


def _random_states(model):
    """The variables that dropout and the like draw from, which are no weights."""
    weights = {id(variable) for variable in model.weights}
    return [variable for variable in model.variables if id(variable) not in weights]


def _metric_states(model):
    return [variable for metric in model.metrics for variable in metric.variables]


def _rankings(model):
    """The metrics whose state is the examples themselves."""
    found = [own for metric in model.metrics for own in getattr(metric, "metrics", [])]
    return [metric for metric in found if isinstance(metric, MacroRocAuc)]


def _state(model):
    """All that a run consists of between two steps."""
    return [*model.variables, *model.optimizer.variables]


def _link(source, target):
    """A second name for a file; a copy where the disk knows no such thing."""
    try:
        os.link(source, target)
    except OSError:
        shutil.copyfile(source, target)


def read_history(path):
    """The rows of a `history.csv`, one dictionary of numbers an epoch."""
    with open(path, newline="") as file:
        return [
            {name: float(value) for name, value in row.items()} | {"epoch": number}
            for number, row in enumerate(csv.DictReader(file), start=1)
        ]
