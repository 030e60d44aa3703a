"""Sends files to an exported model, and prints how many it answered and refused.

python serve_mutated.py FOLDER INPUT COUNT SEED: mutated files of every kind, after one
animated WebP. In a process of its own: a decoder that crashes takes it along.
"""

import sys

import numpy as np
import tensorflow as tf
from image_files import animated, bad_files, good_files, mutated, repaired


def main(folder, name, count, seed):
    loaded = tf.saved_model.load(folder)
    serve = loaded.signatures["serve_bytes"]
    random = np.random.default_rng(int(seed))
    files = [*good_files().values(), *(content for content, _ in bad_files().values())]
    outcomes = {"answered": 0, "refused": 0}
    for number in range(int(count)):
        content = animated("WEBP")
        if number > 0:
            content = mutated(files[random.integers(len(files))], random)
            if content.startswith(b"\x89PNG") and random.random() < 0.7:
                content = repaired(content)
        try:
            serve(**{name: tf.constant([content])})
            outcomes["answered"] += 1
        except tf.errors.InvalidArgumentError:
            outcomes["refused"] += 1
    print(outcomes["answered"], outcomes["refused"])


main(*sys.argv[1:])
