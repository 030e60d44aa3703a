"""Trains a group net on JAX in several processes, each with its part of every batch.

    KERAS_BACKEND=jax python jax_data_parallel.py OUT WORKERS RANK

WORKERS is the number of processes, the first of which listens at the port in PORT.
"""

import os
import sys

import keras
import numpy as np

BATCH, STEPS = 16, 6


def main(out, workers, rank):
    if workers > 1:
        address = f"127.0.0.1:{os.environ['PORT']}"
        keras.distribution.initialize(address, workers, rank)
        devices = keras.distribution.list_devices()
        # Each process feeds its own part: nothing is to be cut again.
        data_parallel = keras.distribution.DataParallel(
            devices=devices, auto_shard_dataset=False
        )
        keras.distribution.set_distribution(data_parallel)
    import zoo

    keras.utils.set_random_seed(0)
    model = zoo.p4cnn()
    model.compile("sgd", "sparse_categorical_crossentropy")
    rng = np.random.default_rng(0)
    images = rng.standard_normal((STEPS, BATCH, 28, 28, 1)).astype("float32")
    labels = rng.integers(0, 10, (STEPS, BATCH))
    part = slice(rank * BATCH // workers, (rank + 1) * BATCH // workers)
    batches = [images[:, part].reshape(-1, 28, 28, 1), labels[:, part].reshape(-1)]
    history = model.fit(
        *batches, batch_size=BATCH // workers, epochs=2, shuffle=False, verbose=0
    )
    if rank == 0:
        np.savez(out, *model.get_weights(), loss=history.history["loss"])


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]))
