"""Images a second of the ImageNet pipeline, against decoding its JPEGs alone.

    python benchmarks/imagenet_pipeline.py > benchmarks/results/imagenet_pipeline.txt

Mock images of 500 x 375, ImageNet's usual size, and about as many kB as its own (110
on average), prepared by tensorflow-datasets in a temporary folder. All four read the
same files in turns; the figures are medians of the rounds. The first is by the clock,
the second by the time that the process had on all its cores together, which other
programs on the machine do not change much.
"""

import contextlib
import os
import platform
import statistics
import sys
import tempfile
import time
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

import numpy as np
import tensorflow as tf
import tensorflow_datasets as tfds
from PIL import Image

import zoo.datasets

IMAGES, BATCH, ROUNDS = 512, 128, 4


def mock_images():
    """Clouds with grain, so that a JPEG is about as large as a photograph's."""
    random = np.random.default_rng(0)
    for number in range(IMAGES):
        small = random.integers(0, 256, (47, 63, 3), dtype=np.uint8)
        cloud = np.asarray(Image.fromarray(small).resize((500, 375)), np.float32)
        grain = random.normal(0, 6, cloud.shape)
        image = np.clip(cloud + grain, 0, 255).astype(np.uint8)
        yield {"image": image, "label": number % 1000}


def prepare(folder):
    """imagenet2012 of mock images; returns the mean size of a record in kB."""
    features = tfds.features.FeaturesDict(
        {
            "image": tfds.features.Image(encoding_format="jpeg"),
            "label": tfds.features.ClassLabel(num_classes=1000),
        }
    )
    signature = {
        "image": tf.TensorSpec((375, 500, 3), tf.uint8),
        "label": tf.TensorSpec((), tf.int64),
    }
    images = tf.data.Dataset.from_generator(mock_images, output_signature=signature)
    images = images.take(IMAGES)
    tfds.disable_progress_bar()
    with contextlib.redirect_stdout(sys.stderr):
        tfds.dataset_builders.store_as_tfds_dataset(
            name="imagenet2012",
            version="5.1.0",
            features=features,
            split_datasets={"train": images, "validation": images.take(BATCH)},
            data_dir=folder,
        )
    records = Path(folder).rglob("*-train.tfrecord-*")
    return sum(path.stat().st_size for path in records) / IMAGES / 1e3


def encoded(folder):
    builder = tfds.builder_from_directory(Path(folder, "imagenet2012", "5.1.0"))
    return builder.as_dataset(
        split="train", decoders={"image": tfds.decode.SkipDecoding()}
    )


def pipelines(folder):
    def load(training):
        return zoo.datasets.load(
            "imagenet2012", "train", BATCH, data_dir=folder, training=training
        )

    return {
        "reading": encoded(folder).map(lambda x: x["label"]).batch(BATCH),
        "decoding alone": encoded(folder)
        .map(
            lambda x: tf.io.decode_jpeg(x["image"], 3, dct_method="INTEGER_ACCURATE"),
            num_parallel_calls=tf.data.AUTOTUNE,
        )
        .prefetch(BATCH),
        "evaluation (centre)": load(training=False),
        "training (crop, mirror, noise)": load(training=True),
    }


def seconds(dataset):
    """By the clock, and of the cores, for one pass."""
    clock, cores = time.perf_counter(), time.process_time()
    for _ in dataset:
        pass
    return time.perf_counter() - clock, time.process_time() - cores


def main():
    with tempfile.TemporaryDirectory() as folder:
        size = prepare(folder)
        datasets = pipelines(folder)
        rounds = [
            {name: seconds(dataset) for name, dataset in datasets.items()}
            for _ in range(ROUNDS + 1)
        ][1:]  # the first warms up
    print(f"tensorflow {tf.__version__}, {platform.machine()}, ", end="")
    print(f"{len(os.sched_getaffinity(0))} cores, {IMAGES} JPEGs of {size:.0f} kB")
    print(f"{'images a second':<32} {'clock':>8} {'a core':>8}  of decoding alone")
    for name in datasets:
        clock, core = (
            statistics.median(IMAGES / each[name][kind] for each in rounds)
            for kind in (0, 1)
        )
        share = statistics.median(
            each["decoding alone"][1] / each[name][1] for each in rounds
        )
        print(f"{name:<32} {clock:8.0f} {core:8.0f}  {share:.2f}")


if __name__ == "__main__":
    main()
