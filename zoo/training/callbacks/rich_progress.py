import keras
from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TextColumn,
    TimeRemainingColumn,
)


class RichProgress(keras.callbacks.Callback):
    """One bar over all epochs and steps; where no terminal is, one line an epoch.

    Use it as a context manager, so that the terminal is given back also when training
    is interrupted.

    Args:
        console: a `rich.console.Console`; standard error by default, which leaves
            standard output to results.

    Example:

    >>> import numpy as np
    >>> model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(1)])
    >>> model.compile("adam", "mse")
    >>> with RichProgress() as progress:
    ...     _ = model.fit(np.ones((8, 2)), np.ones(8), verbose=0, callbacks=[progress])
    """

    def __init__(self, console=None):
        super().__init__()
        self.console = console or Console(stderr=True)
        self._bar = Progress(
            TextColumn("epoch {task.fields[epoch]}"),
            BarColumn(),
            MofNCompleteColumn(),
            TextColumn("{task.fields[figures]}"),
            TimeRemainingColumn(),
            console=self.console,
            disable=not self.console.is_terminal,
        )

    def __enter__(self):
        return self

    def __exit__(self, *exception):
        self._bar.stop()

    def on_train_begin(self, logs=None):
        self._steps = self.params["steps"]
        total = self._steps and self._steps * self.params["epochs"]
        self._task = self._bar.add_task("", total=total, epoch="", figures="")
        self._bar.start()

    def on_epoch_begin(self, epoch, logs=None):
        self._done = epoch * (self._steps or 0)
        self._epoch = f"{epoch + 1}/{self.params['epochs']}"
        self._bar.update(self._task, completed=self._done, epoch=self._epoch)

    def on_train_batch_end(self, batch, logs=None):
        # Without a bar the figures of a step are not fetched from the device.
        if not self._bar.disable:
            done = self._done + batch + 1
            self._bar.update(self._task, completed=done, figures=_figures(logs))

    def on_epoch_end(self, epoch, logs=None):
        if self._bar.disable:
            self.console.print(
                f"epoch {self._epoch}  {_figures(logs)}",
                highlight=False,
                soft_wrap=True,
            )

    def on_train_end(self, logs=None):
        self._bar.stop()


def _figures(logs):
    return "  ".join(f"{name} {value:.4f}" for name, value in (logs or {}).items())
