import csv
import math
import time
from pathlib import Path

import keras

from zoo._files import replace_file


class Backup(keras.callbacks.Callback):
    """Keeps what a killed run needs to go on, and the history, after every epoch.

    Unlike `keras.callbacks.BackupAndRestore` it writes one file and renames it into
    place: weights, optimizer and (as the optimizer's count of steps) the epoch can't
    disagree, whenever the process dies.

    Args:
        folder: the run folder.
        steps: batches an epoch.

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

    def __init__(self, folder, steps):
        super().__init__()
        self.weights_file = Path(folder) / "backup.weights.h5"
        self.history_file = Path(folder) / "history.csv"
        self.steps = steps
        self.rows = []

    def restore(self, model):
        """Loads the last backup, if there is one, into a compiled model.

        Returns:
            The number of epochs that are done.
        """
        if not self.weights_file.is_file():
            return 0
        model.optimizer.build(model.trainable_variables)
        try:
            model.load_weights(self.weights_file)
            epochs = int(model.optimizer.iterations) // self.steps
            # The row of an epoch stands before its backup: one more may be there.
            self.rows = read_history(self.history_file)[:epochs]
        except (OSError, ValueError, TypeError, KeyError) as error:
            raise ValueError(
                f"The backup in {self.weights_file.parent} can't be read, so the run "
                f"can't go on: {error}. Remove the folder to begin anew, or choose "
                f"another place."
            ) from error
        return epochs

    def on_epoch_begin(self, epoch, logs=None):
        self._start = time.perf_counter()

    def on_epoch_end(self, epoch, logs=None):
        if not math.isfinite(logs["loss"]):
            raise ValueError(
                f"The loss is no longer finite after epoch {epoch + 1}. Choose a "
                f"smaller learning rate. The backup of the epoch before is kept."
            )
        seconds = time.perf_counter() - self._start
        self.rows.append({"epoch": epoch + 1, **logs, "seconds": seconds})
        with replace_file(self.history_file) as path, open(path, "w", newline="") as f:
            writer = csv.DictWriter(f, fieldnames=list(self.rows[0]))
            writer.writeheader()
            writer.writerows(self.rows)
        with replace_file(self.weights_file) as path:
            self.model.save_weights(path)


def read_history(path):
    """The rows of a `history.csv`, one dictionary of numbers an epoch."""
    with open(path, newline="") as file:
        return [
            {name: float(value) for name, value in row.items()} | {"epoch": number}
            for number, row in enumerate(csv.DictReader(file), start=1)
        ]
