import keras
import numpy as np

from zoo.training.metrics.host import as_weights, to_numpy
from zoo.training.metrics.nan_propagation import rows_with_nan


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
            mean of 0.5. NaN in a clip with weight makes the result NaN, and so does
            infinity where it cancels out in a mean; else infinity is a number.
        songs: what song each clip is from, `(batch,)`: numbers or names.
        sample_weight: None, or `(batch,)`: how much a clip counts within its song. A
            song without weight is left out.

    Args:
        name: of the metric.
        dtype: of the result.

    Raises:
        ValueError: for other shapes, a song of two classes, or a negative weight.
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
        labels = to_numpy(y_true, "y_true", self)
        outputs, songs = _check(
            to_numpy(y_pred, "y_pred", self), to_numpy(songs, "songs", self)
        )
        if outputs.shape[0] != labels.size or labels.dtype.kind not in "iu":
            raise ValueError(
                f"Expected `y_true` as one integer class a clip, {outputs.shape[0]} of "
                f"them. Received: shape={labels.shape}, dtype={labels.dtype}"
            )
        if sample_weight is not None:
            sample_weight = to_numpy(sample_weight, "sample_weight", self)
        weights = as_weights(sample_weight, len(songs))
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
            # 0 * NaN is NaN, and so is the sum of opposite infinities.
            with np.errstate(invalid="ignore"):
                added = weight * output if weight else np.zeros_like(output)
                self._sums[song] = (total + added, count + weight)

    def result(self):
        right = [
            _is_right(total / count, self._labels[song])
            for song, (total, count) in self._sums.items()
            if count > 0
        ]
        share = np.mean(right) if right else float("nan")
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
        classes)` or `(songs,)`. The mean of a song with a NaN is NaN.

    Raises:
        ValueError: for unequal lengths, or no clips.

    Example:

    >>> songs, scores = song_scores([0.2, 0.4, 0.9], ["waltz", "waltz", "polka"])
    >>> [str(song) for song in songs], scores.round(2).tolist()
    (['polka', 'waltz'], [0.9, 0.3])
    """
    given = np.asarray(outputs)
    columns, songs = _check(given, np.asarray(songs))
    names, places = np.unique(songs, return_inverse=True)
    sums = np.zeros((len(names), columns.shape[1]))
    with np.errstate(invalid="ignore"):  # the sum of opposite infinities is NaN
        np.add.at(sums, places, columns)
    scores = sums / np.bincount(places)[:, np.newaxis]
    return names, scores if given.ndim == 2 else scores[:, 0]


def _is_right(scores, label):
    """1.0 or 0.0, or NaN for scores that hold NaN."""
    if rows_with_nan(scores[np.newaxis])[0]:
        return float("nan")
    found = scores[0] > 0.5 if len(scores) == 1 else np.argmax(scores)
    return float(found == label)


def _check(outputs, songs):
    """Outputs as float64 `(clips, classes)` and songs `(clips,)`."""
    columns = outputs[:, np.newaxis] if outputs.ndim == 1 else outputs
    if columns.ndim != 2 or songs.shape != columns.shape[:1] or not songs.size:
        raise ValueError(
            f"Expected outputs (clips, classes) or (clips,) and one song for each "
            f"clip. Received: shapes {outputs.shape} and {songs.shape}"
        )
    return columns.astype("float64"), songs
