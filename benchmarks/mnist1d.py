"""Convolution against dense layers on MNIST-1D, in order and shuffled.

    python benchmarks/mnist1d.py > benchmarks/results/mnist1d.txt

Each net is trained on the 4,000 training signals by `zoo.training.train` and meets the
1,000 test signals once, at the end: the last epoch counts, not the best. Seeds 0 to 4.
Published (Greydanus and Kobak, arXiv:2011.14439): logistic regression 32 %, MLP 68,
convolution 94; shuffled 32, 68, 56.
"""

import os
import statistics
import sys
import tempfile

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

import keras
import numpy as np
from sklearn.linear_model import LogisticRegression

import zoo

NETS = (("convolution", "mnist1d_cnn"), ("MLP", "mnist1d_mlp"))


def logistic_accuracy(data):
    (train,), (test,) = (
        list(zoo.datasets.load(data, split, batch_size=5000).as_numpy_iterator())
        for split in ("train", "test")
    )
    model = LogisticRegression(max_iter=5000)
    model.fit(train[0][:, :, 0], train[1])
    return 100 * model.score(test[0][:, :, 0], test[1])


def net_accuracies(name, data, seeds):
    accuracies = []
    for seed in seeds:
        keras.backend.clear_session()
        with tempfile.TemporaryDirectory() as folder:
            metrics = zoo.training.train(name, data, folder, seed=seed)
        accuracies.append(100 * metrics["test_accuracy"])
    return accuracies


def main(seeds=5):
    print(f"keras {keras.__version__}, recipe mnist1d: ", end="")
    print(zoo.training.find_recipe("mnist1d").settings())
    for data in ("mnist1d", "mnist1d_shuffled"):
        print(data)
        print(f"  {'logistic':<12} {logistic_accuracy(data):5.1f} %", flush=True)
        for title, name in NETS:
            found = net_accuracies(name, data, range(seeds))
            each = " ".join(f"{accuracy:.1f}" for accuracy in found)
            mean, spread = statistics.mean(found), np.ptp(found)
            print(
                f"  {title:<12} {mean:5.1f} %   seeds {each}, range {spread:.1f}",
                flush=True,
            )


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
