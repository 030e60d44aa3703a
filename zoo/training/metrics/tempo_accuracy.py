import keras
from keras import ops

from zoo.audio.tempo_crossentropy import HIGHEST_BPM, LOWEST_BPM
from zoo.training.metrics.nan_propagation import NaNPropagation

TEMPI = HIGHEST_BPM - LOWEST_BPM + 1

# (a, b): the estimate counts as right if a * estimate is near b * reference. Whole
# numbers on both sides keep a third of a whole tempo exact.
SAME = ((1, 1),)
OCTAVES = (*SAME, (1, 2), (1, 3), (2, 1), (3, 1))


@keras.saving.register_keras_serializable(package="convzoo")
class TempoAccuracy(NaNPropagation, keras.metrics.MeanMetricWrapper):
    """Share of clips whose tempo is found: accuracy 0, 1 or 2.

    * 0: the same after rounding to whole BPM, a half upwards, as `TempoCrossentropy`
      rounds.
    * 1: within the tolerance, which is included: |estimate - tempo| <= 4 % of the
      tempo.
    * 2: as 1, and double, triple, half and a third of the tempo are right too, each
      within the tolerance of itself.

    Call arguments:
        y_true: tempo in BPM, `(batch,)` or `(batch, 1)`.
        y_pred: estimate in BPM, of that shape; or scores `(batch, 256)` of the tempi
            from 30 to 285 BPM, of which the highest counts. NaN in an example with
            weight makes the result NaN.
        sample_weight: None or `(batch,)`.

    Args:
        kind: 0, 1 or 2.
        tolerance: share of the tempo, for kinds 1 and 2.
        name: of the metric; `tempo_accuracy_1` for kind 1 by default.
        dtype: in which it is computed.

    Raises:
        ValueError: for another kind, a tolerance outside [0, 1), or other shapes.

    Reference: Gouyon et al., An Experimental Comparison of Audio Tempo Induction
    Algorithms, IEEE TASLP 14(5), 2006 (accuracies 1 and 2, 4 %); Schreiber and Müller,
    A Single-Step Approach to Musical Tempo Estimation Using a CNN, ISMIR 2018
    (accuracy 0).

    Example:

    >>> metric = TempoAccuracy(kind=2)
    >>> metric.update_state([120.0, 120.0, 120.0, 120.0], [124.0, 60.0, 41.0, 90.0])
    >>> float(metric.result())
    0.75
    """

    def __init__(self, kind=1, tolerance=0.04, name=None, dtype=None):
        if kind not in (0, 1, 2) or isinstance(kind, bool):
            raise ValueError(f"`kind` must be 0, 1 or 2. Received: kind={kind!r}")
        if not 0 <= tolerance < 1:
            raise ValueError(
                f"`tolerance` is a share of the tempo in [0, 1), such as 0.04. "
                f"Received: tolerance={tolerance!r}"
            )
        super().__init__(
            fn=_found,
            name=name or f"tempo_accuracy_{kind}",
            dtype=dtype,
            kind=kind,
            tolerance=tolerance,
        )
        self.kind = kind
        self.tolerance = tolerance
        self._direction = "up"

    def update_state(self, y_true, y_pred, sample_weight=None):
        # Keras takes a list of numbers for a structure of many tensors.
        y_true = ops.convert_to_tensor(y_true, dtype=self.dtype)
        y_pred = ops.convert_to_tensor(y_pred, dtype=self.dtype)
        return super().update_state(y_true, y_pred, sample_weight)

    def get_config(self):
        return {
            "kind": self.kind,
            "tolerance": self.tolerance,
            "name": self.name,
            "dtype": self.dtype,
        }


def _found(tempo, estimate, kind, tolerance):
    """1 where the tempo is found, else 0: `(batch,)`."""
    estimate = _in_bpm(estimate)
    tempo = _column_to_vector(tempo, "y_true", "")
    if kind == 0:
        right = ops.equal(ops.floor(estimate + 0.5), ops.floor(tempo + 0.5))
    else:
        right = ops.zeros_like(tempo, dtype="bool")
        for a, b in SAME if kind == 1 else OCTAVES:
            distance = ops.abs(a * estimate - b * tempo)
            right = ops.logical_or(right, distance <= tolerance * b * tempo)
    return ops.cast(right, tempo.dtype)


def _in_bpm(estimate):
    if len(estimate.shape) != 2 or estimate.shape[1] != TEMPI:
        return _column_to_vector(estimate, "y_pred", f" or (batch, {TEMPI})")
    return ops.cast(ops.argmax(estimate, axis=-1) + LOWEST_BPM, estimate.dtype)


def _column_to_vector(values, name, other):
    shape = tuple(values.shape)
    if len(shape) == 2 and shape[1] == 1:
        return values[:, 0]
    if len(shape) != 1:
        raise ValueError(
            f"Expected `{name}` of shape (batch,), (batch, 1){other}. "
            f"Received: shape={shape}"
        )
    return values
