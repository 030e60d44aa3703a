import io

import keras
import numpy as np
import pytest
from rich.console import Console

from zoo.training import RichProgress


def fit(progress):
    model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(1)])
    model.compile("sgd", "mse", metrics=["accuracy"])
    x, y = np.ones((8, 2)), np.ones(8)
    with progress:
        model.fit(x, y, batch_size=4, epochs=3, verbose=0, callbacks=[progress])


def test_one_line_an_epoch_without_a_terminal():
    text = io.StringIO()
    fit(RichProgress(Console(file=text)))
    lines = text.getvalue().splitlines()
    assert [line.split()[1] for line in lines] == ["1/3", "2/3", "3/3"]
    assert all("loss" in line and "accuracy" in line for line in lines)


def test_a_bar_over_all_steps_on_a_terminal():
    text = io.StringIO()
    fit(RichProgress(Console(file=text, force_terminal=True, width=100)))
    last = text.getvalue()[text.getvalue().rindex("epoch ") :]
    assert last.startswith("epoch 3/3")
    assert "6/6" in last
    assert "loss" in last


def test_the_terminal_is_given_back_after_an_interruption():
    class Interrupt(keras.callbacks.Callback):
        def on_train_batch_end(self, batch, logs=None):
            raise KeyboardInterrupt

    text = io.StringIO()
    progress = RichProgress(Console(file=text, force_terminal=True))
    model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(1)])
    model.compile("sgd", "mse")
    with pytest.raises(KeyboardInterrupt), progress:
        model.fit(
            np.ones((8, 2)), np.ones(8), verbose=0, callbacks=[progress, Interrupt()]
        )
    assert text.getvalue().rstrip("\n").endswith("\x1b[?25h")  # the cursor is back
