"""Trains a p4cnn and an m5 by one strategy, and writes down what they answer then.

    python train_both.py FOLDER STRATEGY [WORKERS RANK]

FOLDER holds `images` and `sounds`; results go to FOLDER/STRATEGY. In float64, where one
device and several must agree: in float32 ReLU and Adam make a large difference of a
small one after a few steps.
"""

import os
import sys

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import keras
import numpy as np
import tensorflow as tf

import zoo

BATCH = 16


def main(folder, name, workers=None, rank=None):
    if name == "mirrored":
        (cpu,) = tf.config.list_physical_devices("CPU")
        halves = [tf.config.LogicalDeviceConfiguration()] * 2
        tf.config.set_logical_device_configuration(cpu, halves)
    rank = None if rank is None else int(rank)
    strategy = zoo.training.strategy(name, workers, rank)
    keras.config.set_floatx("float64")
    keras.config.set_dtype_policy("float64")
    sets = {
        "p4cnn": ("image_folder", f"{folder}/images", {"image_shape": (28, 28, 1)}),
        "m5": (
            "audio_folder",
            f"{folder}/sounds",
            {"sample_rate": 8000, "seconds": 0.25},
        ),
    }
    for model_name, (data, data_dir, options) in sets.items():
        out = f"{folder}/{name}/{model_name}"
        returned = zoo.training.train(
            model_name,
            data,
            out,
            epochs=2,
            batch_size=BATCH,
            data_dir=data_dir,
            strategy=strategy,
            **options,
        )
        with strategy.scope():
            model = zoo.load_model(out)
            model.compile(loss="sparse_categorical_crossentropy", metrics=["accuracy"])
        rng = np.random.default_rng(0)
        inputs = rng.standard_normal((32, *model.input_shape[1:]))
        labels = np.arange(32) % model.output_shape[-1]
        batches = tf.data.Dataset.from_tensor_slices((inputs, labels)).batch(BATCH)
        answers = {
            **model.evaluate(batches, verbose=0, return_dict=True),
            "predicted": model.predict(batches.map(lambda x, _: x), verbose=0),
            "accuracy_returned": returned["test_accuracy"],
        }
        np.savez(f"{folder}/{name}/{model_name}-{rank or 0}.npz", **answers)


if __name__ == "__main__":
    main(*sys.argv[1:])
