"""The area of tags that two devices of one process evaluate and train: as JSON.

    python mirrored_roc_auc.py FILE

The learning rate is zero, so that the outputs of an epoch are those of `predict`.
"""

import json
import os
import sys

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import keras
import numpy as np
import sklearn.metrics
import tensorflow as tf

from zoo.training.metrics import MacroRocAuc


def main(file):
    (cpu,) = tf.config.list_physical_devices("CPU")
    halves = [tf.config.LogicalDeviceConfiguration()] * 2
    tf.config.set_logical_device_configuration(cpu, halves)
    random = np.random.default_rng(0)
    inputs = random.normal(size=(90, 4)).astype("float32")
    tags = (random.uniform(size=(90, 3)) < 0.3).astype("float32")
    with tf.distribute.MirroredStrategy(["CPU:0", "CPU:1"]).scope():
        top = keras.layers.Dense(3, "sigmoid")
        model = keras.Sequential([keras.Input((4,)), top])
        model.compile(keras.optimizers.SGD(0.0), "mse", metrics=[MacroRocAuc(3)])
    data = tf.data.Dataset.from_tensor_slices((inputs, tags)).batch(20)
    scores = model.predict(inputs, verbose=0)
    result = {
        "expected": sklearn.metrics.roc_auc_score(tags, scores, average="macro"),
        "evaluated": model.evaluate(data, verbose=0, return_dict=True)["roc_auc"],
        "trained": model.fit(data, epochs=2, verbose=0).history["roc_auc"],
    }
    with open(file, "w") as opened:
        json.dump(result, opened)


if __name__ == "__main__":
    main(*sys.argv[1:])
