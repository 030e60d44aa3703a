"""What a group net costs in service: its SavedModel beside a stock net of equal widths.

    python benchmarks/plain_latency.py > benchmarks/results/plain_latency.txt

`p4cnn` (10 filters in 4 orientations) is written by `to_plain` and exported; the other
net has `keras.layers.Conv2D` of 40 filters in the same places. Both SavedModels take
turns in one process; the figure is the median of the ratios, call by call, the first
over the second. The target is 1.03. Control: the group layers themselves, exported
without `to_plain`.
"""

import os
import platform
import statistics
import tempfile
import time

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

import keras
import tensorflow as tf

import zoo

BATCHES, CALLS, WARM_UP = (1, 8, 64), 1000, 50
TARGET = 1.03


def stock_net(filters=40):
    """p4cnn's table with ordinary convolutions, 40 channels in every map."""
    x = image = keras.Input((28, 28, 1), name="image")
    for index in range(1, 7):
        x = keras.layers.Conv2D(filters, 3)(x)
        x = keras.layers.BatchNormalization()(x)
        x = keras.layers.Activation("relu")(x)
        if index == 2:
            x = keras.layers.MaxPooling2D(2)(x)
    x = keras.layers.Conv2D(filters, 4)(x)
    x = keras.layers.GlobalMaxPooling2D()(x)
    return keras.Model(image, keras.layers.Activation("softmax")(x))


def loaded(model, folder):
    model.export(folder, verbose=False)
    served = tf.saved_model.load(folder)
    return served.signatures["serving_default"], served


def seconds(serve, images):
    start = time.perf_counter()
    next(iter(serve(images).values())).numpy()
    return time.perf_counter() - start


def main():
    model = zoo.p4cnn()
    with tempfile.TemporaryDirectory() as folder:
        nets = {
            "stock": loaded(stock_net(), f"{folder}/stock"),
            "plain": loaded(zoo.to_plain(model), f"{folder}/plain"),
            "group layers": loaded(model, f"{folder}/group"),
        }
    print(
        f"{platform.machine()}, {os.cpu_count()} cores, TensorFlow {tf.__version__}, "
        f"Keras {keras.__version__}, {CALLS} calls each in turn"
    )
    for batch in BATCHES:
        images = tf.random.normal((batch, 28, 28, 1))
        times = {name: [] for name in nets}
        for call in range(WARM_UP + CALLS):
            # Who goes first, changes.
            names = list(nets) if call % 2 else list(reversed(nets))
            for name in names:
                times[name].append(seconds(nets[name][0], images))
        times = {name: each[WARM_UP:] for name, each in times.items()}
        print(
            f"\nbatch {batch}, stock {1e3 * statistics.median(times['stock']):.2f} ms"
        )
        for name in ("plain", "group layers"):
            ratios = [a / b for a, b in zip(times[name], times["stock"], strict=True)]
            low, middle, high = statistics.quantiles(ratios, n=4)
            print(
                f"{name:12} {middle:.3f} of the stock net's time "
                f"(quartiles {low:.3f} to {high:.3f}); target {TARGET}"
            )


if __name__ == "__main__":
    main()
