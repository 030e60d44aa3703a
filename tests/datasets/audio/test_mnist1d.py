"""mnist1d: the authors' signals to the bit, and what a linear classifier reaches."""

import numpy as np
import pytest
import tensorflow_datasets as tfds
import threadpoolctl
from sklearn.linear_model import LogisticRegression

from zoo.datasets import info, load
from zoo.datasets.audio.mnist1d import Mnist1D, make_signals

NAMES = {"mnist1d": "ordered", "mnist1d_shuffled": "shuffled"}


class Mnist1DTest(tfds.testing.DatasetBuilderTestCase):
    DATASET_CLASS = Mnist1D
    BUILDER_CONFIG_NAMES_TO_TEST = ["ordered", "shuffled"]
    EXAMPLE_DIR = "."  # it reads no file
    SPLITS = {"train": 4000, "test": 1000}
    SKIP_CHECKSUMS = True
    SKIP_TF1_GRAPH_MODE = True


@pytest.fixture(scope="module")
def ours():
    """Our signals and labels, by name of the data set."""
    return {name: make_signals(part == "shuffled") for name, part in NAMES.items()}


@pytest.mark.parametrize("name", NAMES)
def test_signals_are_the_authors_to_the_bit(name, ours):
    from mnist1d.data import get_dataset_args, make_dataset

    arguments = get_dataset_args()
    arguments.shuffle_seq = NAMES[name] == "shuffled"
    before = np.random.get_state()
    theirs = make_dataset(arguments)
    np.random.set_state(before)
    signals, labels = ours[name]
    np.testing.assert_array_equal(signals[:4000], theirs["x"])
    np.testing.assert_array_equal(signals[4000:], theirs["x_test"])
    np.testing.assert_array_equal(labels[:4000], theirs["y"])
    np.testing.assert_array_equal(labels[4000:], theirs["y_test"])


def test_logistic_regression_finds_a_third(ours):
    """The paper's 32 % (here 32.9), which the order of the samples does not change."""
    signals, labels = ours["mnist1d"]
    with threadpoolctl.threadpool_limits(1):  # small matrices: threads only wait
        model = LogisticRegression(max_iter=1000).fit(signals[:4000], labels[:4000])
    assert model.score(signals[4000:], labels[4000:]) == pytest.approx(0.329, abs=0.01)


def test_shuffling_is_one_order_for_all(ours):
    signals, labels = ours["mnist1d"]
    shuffled, same_labels = ours["mnist1d_shuffled"]
    np.testing.assert_array_equal(labels, same_labels)
    assert (np.sort(shuffled, axis=1) == np.sort(signals, axis=1)).all()
    order = [np.flatnonzero(signals[0] == value)[0] for value in shuffled[0]]
    assert order != list(range(40))
    np.testing.assert_array_equal(signals[:, order], shuffled)


def test_global_random_state_is_left_alone():
    np.random.seed(3)
    expected = np.random.rand()
    np.random.seed(3)
    make_signals()
    assert np.random.rand() == expected


@pytest.mark.parametrize("name", NAMES)
def test_what_load_gives(name, ours):
    signals, labels = ours[name]
    parts = {"train": slice(0, 4000), "test": slice(4000, 5000)}
    for split, count in info(name).splits.items():
        given, targets = next(iter(load(name, split, batch_size=count)))
        assert given.shape == (count, 40, 1) and given.dtype == "float32"
        assert targets.dtype == "int64"
        # Keyed by the whole signal: the order of a split is load's own.
        found = {
            waveform.tobytes(): label
            for waveform, label in zip(given.numpy(), targets.numpy(), strict=True)
        }
        expected = signals[parts[split]].astype(np.float32)
        assert found == {
            waveform.tobytes(): label
            for waveform, label in zip(expected, labels[parts[split]], strict=True)
        }


@pytest.mark.parametrize(("name", "config"), NAMES.items())
def test_facts_agree_with_the_builder(name, config, tmp_path):
    facts = info(name)
    features = Mnist1D(data_dir=tmp_path, config=config).info.features
    assert features["waveform"].shape == facts.input_shape == (40, 1)
    assert tuple(features["label"].names) == facts.classes
    assert facts.input_name == "waveform"
