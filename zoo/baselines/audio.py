"""What classical methods make of a set of sounds: the mark that a net has to pass."""

import joblib
import numpy as np
from rich.console import Console
from rich.progress import track
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

import zoo.datasets
from zoo.features import KINDS, handmade_features
from zoo.training.top_k import top_k_correct

CLASSIFIERS = ("logistic", "forest")
# The least probability that counts in the loss, as in Keras.
EPSILON = 1e-7


def sound_baseline(
    data,
    features="log_mel",
    classifier="logistic",
    split="test",
    data_dir=None,
    download=False,
    n_jobs=1,
    seed=0,
    **sound,
):
    """Measures a classical method on a data set of sounds, by its name.

    Args:
        data: one of `zoo.datasets.list_datasets()` that holds sound with classes.
        features, classifier, n_jobs, seed: as of `features_baseline`.
        split: what to measure on: `"test"`, or `"validation"` where there is one.
        data_dir: folder with its files, for one that needs them.
        download: whether they may be fetched from the network.
        **sound: what `zoo.datasets.load` takes for it: `seconds`, `held_out`, ...

    Returns:
        The dictionary of `features_baseline`, and the `labels`.

    Raises:
        ValueError: for a set that has no classes to tell apart, and as
            `features_baseline`.

    Example:

    ```python
    from zoo.baselines.audio import sound_baseline

    result = sound_baseline("synthetic_speech", seconds=0.8, n_jobs=2)
    print(result["error"])
    ```
    """
    _check_choices(features, classifier)
    info = zoo.datasets.info(data, **sound)
    if info.sample_rate is None or info.task not in ("classes", "binary"):
        raise ValueError(
            f"Expected a data set of sounds with classes. Received: {data}, task "
            f"{info.task}, sample rate {info.sample_rate}"
        )
    clips = zoo.datasets.sounds(data, data_dir, download, **sound)
    train, test = (
        clips.load(part, 64, seed, training=False) for part in ("train", split)
    )
    rate = clips.info.sample_rate
    result = features_baseline(
        train, test, rate, features, classifier, n_jobs=n_jobs, seed=seed
    )
    return {**result, "labels": clips.info.classes}


def features_baseline(
    dataset_train,
    dataset_test,
    sample_rate,
    features="log_mel",
    classifier="logistic",
    n_jobs=1,
    seed=0,
):
    """Trains and measures a classifier of scikit-learn on hand-made features.

    The features are standardised by the training set. What is tuned, is tuned
    elsewhere: the test set is met once.

    Args:
        dataset_train: batches of (waveform `(batch, samples, 1)`, class `(batch,)`): a
            `tf.data.Dataset` or another iterable.
        dataset_test: the same.
        sample_rate: of both, in Hz.
        features: a kind of `handmade_features`: `"log_mel"`, `"statistics"`, ...
        classifier: `"logistic"`, a regression with C = 0.01, or `"forest"`, 300 random
            trees (our choices).
        n_jobs: how many processes compute features and grow trees; -1 for one for each
            core.
        seed: of the forest.

    Returns:
        The figures of `zoo.training.evaluation.measure`: `examples`, `accuracy` in
        [0, 1], `error` in percent, `loss` (mean cross-entropy), `confusion` (counts,
        true class x predicted class), and with more than five classes
        `top_5_accuracy` and `top_5_error`.

    Raises:
        ValueError: for another choice, a set without clips, classes that are no whole
            numbers from 0, or only one class to learn.

    Example:

    >>> random = np.random.default_rng(0)
    >>> labels = np.arange(20) % 2
    >>> tones = np.sin(np.arange(4000) * np.where(labels, 0.9, 0.1)[:, np.newaxis])
    >>> clips = (tones + random.normal(0, 0.1, tones.shape))[..., np.newaxis]
    >>> batches = [(clips[:10], labels[:10])], [(clips[10:], labels[10:])]
    >>> features_baseline(*batches, sample_rate=8000)["accuracy"]
    1.0
    """
    _check_choices(features, classifier)
    train_x, train_y = _described(dataset_train, sample_rate, features, n_jobs, "train")
    test_x, test_y = _described(dataset_test, sample_rate, features, n_jobs, "test")
    if train_y.min() == train_y.max():
        raise ValueError(
            f"Expected at least two classes to learn. Received: only {train_y[0]}"
        )
    if classifier == "forest":
        method = RandomForestClassifier(300, random_state=seed, n_jobs=n_jobs)
    else:
        method = LogisticRegression(C=0.01, max_iter=2000)
    pipeline = make_pipeline(StandardScaler(), method).fit(train_x, train_y)

    classes = 1 + int(max(train_y.max(), test_y.max()))
    # A class that was not there to learn has no probability.
    probabilities = np.zeros((len(test_y), classes))
    probabilities[:, pipeline.classes_] = pipeline.predict_proba(test_x)
    return _figures(test_y, probabilities)


def _figures(labels, probabilities):
    examples, classes = probabilities.shape
    confusion = np.zeros((classes, classes), dtype="int64")
    np.add.at(confusion, (labels, probabilities.argmax(axis=-1)), 1)
    correct = int(np.trace(confusion))
    right = probabilities[np.arange(examples), labels]
    result = {
        "examples": examples,
        "accuracy": correct / examples,
        "error": 100 * (examples - correct) / examples,
        "loss": float(-np.log(np.clip(right, EPSILON, 1 - EPSILON)).mean()),
        "confusion": confusion,
    }
    if classes > 5:
        top_5 = int(top_k_correct(labels, probabilities, 5).sum())
        result["top_5_accuracy"] = top_5 / examples
        result["top_5_error"] = 100 * (examples - top_5) / examples
    return result


def _described(dataset, sample_rate, kind, n_jobs, name):
    """Features `(clips, features)` and classes `(clips,)` of all batches."""
    console = Console(stderr=True)
    batches = track(
        dataset,
        description=f"{kind} of {name}",
        total=_length(dataset),
        console=console,
        disable=not console.is_terminal,
    )
    rows, labels = [], []
    with joblib.Parallel(n_jobs=n_jobs) as parallel:
        for waveforms, classes in batches:
            rows += parallel(
                joblib.delayed(_values)(waveform, sample_rate, kind)
                for waveform in np.asarray(waveforms)
            )
            labels.append(_as_classes(np.asarray(classes), len(waveforms)))
    if not rows:
        raise ValueError(f"Expected clips to {name} on. Received: none.")
    return np.stack(rows), np.concatenate(labels)


def _values(waveform, sample_rate, kind):
    return handmade_features(waveform, sample_rate, kind)[0]


def _length(dataset):
    """Number of batches, or None where it is not known."""
    if hasattr(dataset, "cardinality"):
        known = int(dataset.cardinality())
        return known if known >= 0 else None
    return len(dataset) if hasattr(dataset, "__len__") else None


def _as_classes(labels, clips):
    whole = labels.dtype.kind in "iub" or (
        labels.dtype.kind == "f" and (labels == np.floor(labels)).all()
    )
    if labels.shape != (clips,) or not whole or (labels < 0).any():
        raise ValueError(
            f"Expected one class for each of {clips} clips, whole numbers from 0. "
            f"Received: shape={labels.shape}, dtype={labels.dtype}"
        )
    return labels.astype("int64")


def _check_choices(features, classifier):
    if features not in KINDS:
        raise ValueError(
            f"`features` must be one of {', '.join(map(repr, KINDS))}. "
            f"Received: features={features!r}"
        )
    if classifier not in CLASSIFIERS:
        raise ValueError(
            f"`classifier` must be one of {', '.join(map(repr, CLASSIFIERS))}. "
            f"Received: classifier={classifier!r}"
        )
