import keras
import numpy as np


@keras.saving.register_keras_serializable(package="convzoo")
class SongAccuracy(keras.metrics.Metric):
    """Share of songs told right when the outputs of all clips of a song are averaged.

    The clips of a song may come in any order and in several batches. Which song a clip
    is from does not go through a compiled model, so the metric is updated by hand,
    outside of it; its sums are kept in NumPy, in double precision.

    Call arguments:
        y_true: class of each clip, integers `(batch,)`; one class a song.
        y_pred: outputs `(batch, classes)`, of which the highest mean counts (the first
            of equal ones); or `(batch, 1)` or `(batch,)`, which means class 1 above a
            mean of 0.5.
        songs: what song each clip is from, `(batch,)`: numbers or names.
        sample_weight: None, or `(batch,)`: how much a clip counts within its song. A
            song without weight is left out.

    Args:
        name: of the metric.
        dtype: of the result.

    Raises:
        ValueError: for other shapes, a song of two classes, outputs that are not
            finite, or a negative weight.
        TypeError: inside a compiled model.

    Example:

    >>> metric = SongAccuracy()
    >>> clips = [[0.9, 0.1], [0.4, 0.6], [0.7, 0.3]]
    >>> metric.update_state([0, 0, 1], clips, songs=["waltz", "waltz", "polka"])
    >>> float(metric.result())
    0.5
    """

    def __init__(self, name="song_accuracy", dtype=None):
        super().__init__(name=name, dtype=dtype)
        self._direction = "up"
        self.reset_state()

    def update_state(self, y_true, y_pred, songs, sample_weight=None):
        labels = _to_numpy(y_true, "y_true")
        outputs, songs = _check(_to_numpy(y_pred, "y_pred"), _to_numpy(songs, "songs"))
        if outputs.shape[0] != labels.size or labels.dtype.kind not in "iu":
            raise ValueError(
                f"Expected `y_true` as one integer class a clip, {outputs.shape[0]} of "
                f"them. Received: shape={labels.shape}, dtype={labels.dtype}"
            )
        weights = np.ones(len(songs))
        if sample_weight is not None:
            weights = _check_weights(_to_numpy(sample_weight, "sample_weight"), songs)
        for song, label, output, weight in zip(
            songs.tolist(), labels.ravel().tolist(), outputs, weights, strict=True
        ):
            if self._labels.setdefault(song, label) != label:
                raise ValueError(
                    f"Song {song!r} has clips of two classes, {self._labels[song]} and "
                    f"{label}. Expected one class a song: check the names of the songs."
                )
            total, count = self._sums.get(song, (0.0, 0.0))
            if np.shape(total) not in ((), output.shape):
                raise ValueError(
                    f"Expected outputs of {total.shape[0]} classes, as before. "
                    f"Received: {output.shape[0]}"
                )
            self._sums[song] = (total + weight * output, count + weight)

    def result(self):
        told = [
            _told_class(total / count) == self._labels[song]
            for song, (total, count) in self._sums.items()
            if count > 0
        ]
        share = np.mean(told) if told else float("nan")
        return keras.ops.convert_to_tensor(share, dtype=self.dtype)

    def reset_state(self):
        self._sums = {}
        self._labels = {}


def song_scores(outputs, songs):
    """Means of a net's outputs over the clips of each song.

    Args:
        outputs: array `(clips, classes)` or `(clips,)` of any task.
        songs: what song each clip is from, `(clips,)`: numbers or names, in any order.

    Returns:
        The songs, sorted, `(songs,)`, and the means in that order, float64 `(songs,
        classes)` or `(songs,)`.

    Raises:
        ValueError: for unequal lengths, no clips, or outputs that are not finite.

    Example:

    >>> songs, scores = song_scores([0.2, 0.4, 0.9], ["waltz", "waltz", "polka"])
    >>> [str(song) for song in songs], scores.round(2).tolist()
    (['polka', 'waltz'], [0.9, 0.3])
    """
    given = np.asarray(outputs)
    columns, songs = _check(given, np.asarray(songs))
    names, places = np.unique(songs, return_inverse=True)
    sums = np.zeros((len(names), columns.shape[1]))
    np.add.at(sums, places, columns)
    scores = sums / np.bincount(places)[:, np.newaxis]
    return names, scores if given.ndim == 2 else scores[:, 0]


def _told_class(scores):
    return int(scores[0] > 0.5) if len(scores) == 1 else int(np.argmax(scores))


def _to_numpy(values, name):
    try:
        if keras.ops.is_tensor(values):
            return np.asarray(keras.ops.convert_to_numpy(values))
        return np.asarray(values)
    except (NotImplementedError, TypeError, ValueError) as error:
        raise TypeError(
            f"SongAccuracy takes arrays: update it outside the compiled model, with "
            f"the outputs of `model.predict_on_batch`. Received: {name}={values!r}"
        ) from error


def _check(outputs, songs):
    """Outputs as float64 `(clips, classes)` and songs `(clips,)`."""
    columns = outputs[:, np.newaxis] if outputs.ndim == 1 else outputs
    if columns.ndim != 2 or songs.shape != columns.shape[:1] or not songs.size:
        raise ValueError(
            f"Expected outputs (clips, classes) or (clips,) and one song for each "
            f"clip. Received: shapes {outputs.shape} and {songs.shape}"
        )
    if not np.isfinite(columns).all():
        raise ValueError("Expected finite outputs. Received: some are NaN or infinite.")
    return columns.astype("float64"), songs


def _check_weights(weights, songs):
    weights = weights.ravel().astype("float64")
    if weights.size != songs.size or not (weights >= 0).all():
        raise ValueError(
            f"Expected `sample_weight` as one number >= 0 for each of {songs.size} "
            f"clips. Received: {weights}"
        )
    return weights
