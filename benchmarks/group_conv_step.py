"""One training step of a GroupConv2D layer against keras.layers.Conv2D, paired.

    python benchmarks/group_conv_step.py > benchmarks/results/group_conv_step.txt

10 filters in 4 orientations (p4), 3 x 3, batch 64, 28 x 28, against the ordinary
convolution of equal width: 40 filters on 40 channels. The two take turns in one
process; the figure is the median of the ratios, step by step. The target is 1.15.
"""

import os
import platform
import statistics
import time

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

import keras
import tensorflow as tf

from zoo.layers import GroupConv2D

BATCH, SIZE, REPEATS, WARM_UP = 64, 28, 200, 10


def training_step(layer, *input_shape):
    """A compiled step: forward, gradient of input and weights, update."""
    image = keras.Input(input_shape)
    model = keras.Model(image, layer(image))
    optimizer = keras.optimizers.SGD(1e-3)
    optimizer.build(model.trainable_variables)
    images = tf.random.normal((BATCH, *input_shape))
    targets = tf.random.normal((BATCH, *model.output_shape[1:]))

    @tf.function
    def step():
        with tf.GradientTape() as tape:
            tape.watch(images)
            outputs = model(images, training=True)
            loss = tf.reduce_mean((outputs - targets) ** 2)
        sources = [images, *model.trainable_variables]
        _, *gradients = tape.gradient(loss, sources)
        optimizer.apply(gradients, model.trainable_variables)
        return loss

    return step


def seconds(step):
    start = time.perf_counter()
    step()
    return time.perf_counter() - start


def main():
    planar_layer = keras.layers.Conv2D(40, 3, padding="same")
    planar_layer.build((None, SIZE, SIZE, 40))  # TensorFlow starts at its first use
    start = time.perf_counter()
    group_layer = GroupConv2D(10, 3, group="C4", padding="same")
    group_layer.build((None, SIZE, SIZE, 4, 10))
    construction = time.perf_counter() - start

    group = training_step(group_layer, SIZE, SIZE, 4, 10)
    planar = training_step(planar_layer, SIZE, SIZE, 40)
    for _ in range(WARM_UP):
        group(), planar()
    pairs = [(seconds(group), seconds(planar)) for _ in range(REPEATS)]
    ratios = sorted(a / b for a, b in pairs)
    print(f"keras {keras.__version__}, tensorflow {tf.__version__}, ", end="")
    print(f"{platform.machine()}, {os.cpu_count()} cores, {REPEATS} pairs")
    for name, times in zip(
        ("GroupConv2D(10), C4", "Conv2D(40)"), zip(*pairs, strict=True), strict=True
    ):
        print(f"{name:<24} median {1e3 * statistics.median(times):6.2f} ms a step")
    print(
        f"ratio                    median {statistics.median(ratios):6.3f}"
        f"   (quartiles {ratios[REPEATS // 4]:.3f} to {ratios[3 * REPEATS // 4]:.3f})"
    )
    print(f"construction             {1e3 * construction:13.2f} ms")


if __name__ == "__main__":
    main()
