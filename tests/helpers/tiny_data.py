"""A data set and a net so small that a training run takes a second."""

import keras
import numpy as np
import tensorflow as tf

import zoo.datasets
from zoo import _registry
from zoo._model_card import ModelCard
from zoo.datasets.pipeline.memory import MemorySource

NAME = "tiny"
INFO = zoo.datasets.DatasetInfo(
    name=NAME,
    description="Grey squares with noise; the class is the brightness.",
    input_shape=(8, 8, 1),
    classes=("dark", "grey", "bright"),
    splits={"train": 96, "test": 48},
    source="made up",
    citation="none",
    needs_data_dir=False,
)
CARD = ModelCard(
    name="tiny_net",
    summary="For tests.",
    paper="none",
    year=2000,
    task="image classification",
    input_shape=(8, 8, 1),
    classes=3,
    parameters=0,
)


class TinyData:
    """Stands in for `zoo.datasets`; remembers which splits were asked for and read."""

    def __init__(self):
        self.loaded = []
        self.passes = {"train": 0, "test": 0}
        rng = np.random.default_rng(0)
        self.arrays = {}
        for split, count in INFO.splits.items():
            labels = np.arange(count) % 3
            images = 0.3 * labels[:, None, None, None] + rng.uniform(
                0, 0.4, (count, 8, 8, 1)
            )
            self.arrays[split] = images.astype("float32"), labels.astype("int64")

    def info(self, name):
        if name != NAME:
            raise ValueError(f"There is no data set {name!r}: choose one of tiny.")
        return INFO

    def epochs(self, name, split, batch_size=64, seed=0, data_dir=None, download=False):
        base, part = self._part(name, split)
        images, labels = (array[part] for array in self.arrays[base])

        def read(places):
            return tf.gather(images, places), tf.gather(labels, places)

        source = MemorySource(len(images), read)
        return zoo.datasets.Epochs(source, batch_size, seed)

    def _part(self, name, split):
        self.info(name)
        self.loaded.append(split)
        base, _, part = split.partition("[")
        start, _, stop = part.rstrip("]").partition(":")
        return base, slice(int(start) if start else None, int(stop) if stop else None)

    def load(
        self,
        name,
        split,
        batch_size=64,
        seed=0,
        data_dir=None,
        download=False,
        training=None,
    ):
        base, part = self._part(name, split)
        images, labels = (array[part] for array in self.arrays[base])

        def examples():
            self.passes[base] += 1
            yield from zip(images, labels, strict=True)

        signature = (tf.TensorSpec((8, 8, 1)), tf.TensorSpec((), tf.int64))
        dataset = tf.data.Dataset.from_generator(examples, output_signature=signature)
        dataset = dataset.apply(tf.data.experimental.assert_cardinality(len(images)))
        if base == "train" and training is not False:
            dataset = dataset.shuffle(len(images), seed=seed)
        return dataset.batch(batch_size)


def tiny_net(
    include_top=True,
    weights=None,
    input_shape=(8, 8, 1),
    classes=3,
    pooling=None,
    classifier_activation="softmax",
    name="tiny_net",
):
    image = keras.Input(input_shape, name="image")
    x = keras.layers.Conv2D(4, 3, name="conv")(image)
    x = keras.layers.BatchNormalization(name="norm")(x)
    x = keras.layers.Activation("relu", name="relu")(x)
    x = keras.layers.GlobalAveragePooling2D(name="pool")(x)
    x = keras.layers.Dropout(0.1, name="dropout")(x)
    x = keras.layers.Dense(classes, name="top")(x)
    x = keras.layers.Activation(classifier_activation, name="probabilities")(x)
    return keras.Model(image, x, name=name)


def install(monkeypatch):
    """Puts both in the places where the package looks for the real ones."""
    data = TinyData()
    monkeypatch.setattr(zoo.datasets, "info", data.info)
    monkeypatch.setattr(zoo.datasets, "load", data.load)
    monkeypatch.setattr(zoo.datasets, "epochs", data.epochs)
    monkeypatch.setitem(_registry._builders, "tiny_net", tiny_net)
    monkeypatch.setitem(_registry._cards, "tiny_net", CARD)
    return data
