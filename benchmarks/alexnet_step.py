"""One training step of AlexNet: ours against torch's, and towers against `groups=2`.

    python benchmarks/alexnet_step.py > benchmarks/results/alexnet_step.txt

Batch 32, SGD with momentum, weight decay off, dropout on, as many threads as cores.
Each pair takes turns in one process; the figure is the median of the ratios, step by
step, the other net's time over ours. The targets: `variant="torchvision"` 1.25 times as
fast as torchvision's AlexNet in PyTorch, the 2012 net as fast as its equal there, and
5 times as fast as itself with `Conv2D(groups=2)`.

Both sides compute with oneDNN. torch always does; TensorFlow by itself only on
processors with AVX-512 VNNI or AMX, so it is asked to, as the `zoo` command does;
TF_ENABLE_ONEDNN_OPTS=0 measures without.
"""

import os
import platform
import statistics
import sys
import time
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "1")

import keras
import numpy as np
import tensorflow as tf
import torch

import zoo
from zoo.training.optimizers.momentum_sgd import MomentumSGD

BATCH, REPEATS, WARM_UP = 32, 20, 3


def keras_step(model, size):
    """`train_on_batch`'s compiled step, on data that is a tensor already."""
    model.compile(MomentumSGD(1e-3, momentum=0.9), "sparse_categorical_crossentropy")
    images = tf.random.normal((BATCH, size, size, 3))
    labels = tf.constant(np.arange(BATCH), "int64")
    model.make_train_function()
    batches = iter(tf.data.Dataset.from_tensors((images, labels)).repeat())
    return lambda: float(model.train_function(batches)["loss"])


def torch_step(model, size):
    optimizer = torch.optim.SGD(model.parameters(), 1e-3, momentum=0.9)
    images, labels = torch.randn(BATCH, 3, size, size), torch.arange(BATCH)

    def step():
        optimizer.zero_grad()
        loss = torch.nn.functional.cross_entropy(model(images), labels)
        loss.backward()
        optimizer.step()
        return loss.item()

    return step


def torch_alexnet(channels, groups, padding, normalize):
    """AlexNet in torch: torchvision's layers, or those of the paper."""
    nn = torch.nn
    first, second, third, fourth, fifth = channels

    def norm():
        # torch divides alpha by n, the paper does not.
        return [nn.LocalResponseNorm(5, 5e-4, 0.75, 2.0)] if normalize else []

    return nn.Sequential(
        *(nn.Conv2d(3, first, 11, 4, padding), nn.ReLU(inplace=True), *norm()),
        nn.MaxPool2d(3, 2),
        *(nn.Conv2d(first, second, 5, 1, 2, groups=groups), nn.ReLU(inplace=True)),
        *(*norm(), nn.MaxPool2d(3, 2)),
        *(nn.Conv2d(second, third, 3, 1, 1), nn.ReLU(inplace=True)),
        *(nn.Conv2d(third, fourth, 3, 1, 1, groups=groups), nn.ReLU(inplace=True)),
        *(nn.Conv2d(fourth, fifth, 3, 1, 1, groups=groups), nn.ReLU(inplace=True)),
        *(nn.MaxPool2d(3, 2), nn.AdaptiveAvgPool2d(6), nn.Flatten(), nn.Dropout()),
        *(nn.Linear(36 * fifth, 4096), nn.ReLU(inplace=True), nn.Dropout()),
        *(nn.Linear(4096, 4096), nn.ReLU(inplace=True), nn.Linear(4096, 1000)),
    ).train()


def with_groups_argument():
    """The 2012 net with its towers as `Conv2D(groups=2)`."""
    layers = keras.layers

    def conv(filters, kernel_size, **arguments):
        return layers.Conv2D(filters, kernel_size, activation="relu", **arguments)

    return keras.Sequential(
        [
            keras.Input((227, 227, 3)),
            conv(96, 11, strides=4),
            zoo.layers.LocalResponseNormalization(),
            layers.MaxPooling2D(3, 2),
            conv(256, 5, padding="same", groups=2),
            zoo.layers.LocalResponseNormalization(),
            layers.MaxPooling2D(3, 2),
            conv(384, 3, padding="same"),
            conv(384, 3, padding="same", groups=2),
            conv(256, 3, padding="same", groups=2),
            layers.MaxPooling2D(3, 2),
            layers.Flatten(),
            *(layers.Dense(4096, "relu"), layers.Dropout(0.5)),
            *(layers.Dense(4096, "relu"), layers.Dropout(0.5)),
            layers.Dense(1000, "softmax"),
        ]
    )


def seconds(step):
    start = time.perf_counter()
    step()
    return time.perf_counter() - start


def compare(title, target, other, ours, repeats):
    for _ in range(WARM_UP):
        other(), ours()
    pairs = [(seconds(other), seconds(ours)) for _ in range(repeats)]
    ratios = sorted(a / b for a, b in pairs)
    print(title)
    for name, times in zip(("other", "ours"), zip(*pairs, strict=True), strict=True):
        print(f"  {name:<6} median {1e3 * statistics.median(times):8.0f} ms a step")
    print(
        f"  ratio  median {statistics.median(ratios):8.2f}   (quartiles "
        f"{ratios[repeats // 4]:.2f} to {ratios[3 * repeats // 4]:.2f}), "
        f"target {target}",
        flush=True,
    )


def vector_units():
    """What decides which kernels are taken, where the system says it."""
    known = ("amx_tile", "avx512_vnni", "avx512f", "avx2")
    try:
        flags = Path("/proc/cpuinfo").read_text().split()
    except OSError:
        return "vector units unknown"
    return next((name for name in known if name in flags), "neither AVX2 nor AVX-512")


def main(repeats=REPEATS):
    print(f"keras {keras.__version__}, tensorflow {tf.__version__}, ", end="")
    print(f"torch {torch.__version__}, {platform.machine()}, ", end="")
    print(f"{len(os.sched_getaffinity(0))} cores, {vector_units()}, ", end="")
    print(f"oneDNN {os.environ['TF_ENABLE_ONEDNN_OPTS']}, ", end="")
    print(f"{repeats} pairs, batch {BATCH}")
    compare(
        "torchvision's AlexNet at 224: torch against zoo",
        1.25,
        torch_step(torch_alexnet((64, 192, 384, 256, 256), 1, 2, False), 224),
        keras_step(zoo.alexnet(variant="torchvision"), 224),
        repeats,
    )
    keras.backend.clear_session()
    ours = keras_step(zoo.alexnet(), 227)
    compare(
        "the 2012 net at 227: torch against zoo",
        1.0,
        torch_step(torch_alexnet((96, 256, 384, 384, 256), 2, 0, True), 227),
        ours,
        repeats,
    )
    compare(
        "the 2012 net at 227: Conv2D(groups=2) against split and concatenate",
        5.0,
        keras_step(with_groups_argument(), 227),
        ours,
        repeats,
    )


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
