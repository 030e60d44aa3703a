"""The metrics of nets on sound, against mir_eval, SciPy, scikit-learn and by hand."""

import keras
import mir_eval
import numpy as np
import pytest
import scipy.stats
import sklearn.metrics
from hypothesis import given, settings
from hypothesis import strategies as st

from zoo.training.metrics import (
    ScaleInvariantSDR,
    SongAccuracy,
    TempoAccuracy,
    song_scores,
)


def updated(metric, *arguments, **keywords):
    metric.update_state(*arguments, **keywords)
    return float(metric.result())


def of_mir_eval(kind, tempo, estimate):
    """mir_eval.tempo.detection asks whether one of two estimates is within `tol` of a
    reference; with weight 1 its P-score is that of the first reference.
    """
    factors = (1,) if kind == 1 else (1, 2, 3, 1 / 2, 1 / 3)
    return any(
        mir_eval.tempo.detection(
            np.array([factor * tempo, 1e3]), 1.0, np.array([estimate, estimate]), 0.04
        )[0]
        for factor in factors
    )


@pytest.mark.parametrize("kind", [1, 2])
def test_tempo_accuracy_is_that_of_mir_eval(kind):
    random = np.random.default_rng(0)
    tempo = random.uniform(30, 285, 400)
    factor = random.choice([1, 2, 3, 1 / 2, 1 / 3, 1.5], 400)
    estimate = tempo * factor * random.uniform(0.92, 1.08, 400)
    expected = [of_mir_eval(kind, *pair) for pair in zip(tempo, estimate, strict=True)]
    assert 0.05 < np.mean(expected) < 0.6
    measured = updated(TempoAccuracy(kind), tempo, estimate)
    assert measured == pytest.approx(np.mean(expected), abs=1e-6)


@pytest.mark.parametrize(
    ("kind", "tempo", "estimate", "right"),
    [
        (0, 120.0, 120.4, True),
        (0, 120.4, 119.6, True),
        (0, 120.0, 120.6, False),
        (0, 119.4, 119.6, False),
        (0, 120.5, 121.0, True),  # a half goes up, also to an odd number
        (0, 121.5, 121.0, False),
        (1, 100.0, 104.0, True),  # the border belongs to it
        (1, 100.0, 96.0, True),
        (1, 112.5, 117.0, True),
        (1, 100.0, 104.01, False),
        (1, 100.0, 95.99, False),
        (1, 104.0, 100.0, True),  # 4 % of the tempo, not of the estimate
        (1, 95.9, 100.0, False),
        (1, 100.0, 200.0, False),
        (2, 100.0, 200.0, True),
        (2, 100.0, 208.0, True),
        (2, 100.0, 208.1, False),
        (2, 75.0, 26.0, True),  # a third, and 4 % of it
        (2, 75.0, 26.01, False),
        (2, 75.0, 234.0, True),
        (2, 100.0, 52.0, True),
        (2, 100.0, 150.0, False),
        (2, 100.0, 25.0, False),
    ],
)
def test_borders_of_tempo_accuracy(kind, tempo, estimate, right):
    assert updated(TempoAccuracy(kind), [tempo], [estimate]) == right


@pytest.mark.parametrize("kind", [0, 1, 2])
def test_scores_and_tempi_are_one(kind):
    random = np.random.default_rng(1)
    tempo = random.uniform(30, 285, 64)
    estimate = np.clip(np.round(tempo + random.normal(0, 4, 64)), 30, 285)
    scores = random.random((64, 256)).astype("float32")
    scores[np.arange(64), estimate.astype(int) - 30] = 2
    expected = updated(TempoAccuracy(kind), tempo, estimate)
    assert 0 < expected < 1
    assert updated(TempoAccuracy(kind), tempo, scores) == expected
    assert updated(TempoAccuracy(kind), tempo[:, None], estimate[:, None]) == expected


def test_tempo_accuracy_over_unequal_batches_and_with_weights():
    tempo = np.array([100.0, 100, 100, 100, 100])
    estimate = np.array([100.0, 101, 90, 100, 80])
    metric = TempoAccuracy(1)
    metric.update_state(tempo[:4], estimate[:4])
    metric.update_state(tempo[4:], estimate[4:])
    assert float(metric.result()) == pytest.approx(3 / 5)
    weighted = updated(TempoAccuracy(1), tempo, estimate, sample_weight=[1, 0, 2, 1, 0])
    assert weighted == pytest.approx(2 / 4)


def test_tempo_accuracy_in_a_compiled_model():
    # Keras wants some loss to evaluate.
    top = keras.layers.Dense(256, "softmax", activity_regularizer="l2")
    model = keras.Sequential([keras.Input((3,)), top])
    model.compile(metrics=[TempoAccuracy(kind) for kind in range(3)])
    x = np.random.default_rng(0).normal(size=(10, 3))
    tempo = model.predict(x, verbose=0).argmax(-1) + 30.0
    tempo[:5] *= 2
    result = model.evaluate(x, tempo, batch_size=4, verbose=0, return_dict=True)
    assert result["tempo_accuracy_0"] == pytest.approx(0.5)
    assert result["tempo_accuracy_2"] == pytest.approx(1)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"kind": 3}, "`kind` must be 0, 1 or 2. Received: kind=3"),
        ({"kind": True}, "`kind` must be 0, 1 or 2"),
        ({"tolerance": 4}, r"share of the tempo in \[0, 1\).*tolerance=4"),
    ],
)
def test_refusals_of_tempo_accuracy(arguments, message):
    with pytest.raises(ValueError, match=message):
        TempoAccuracy(**arguments)


def test_tempo_accuracy_refuses_other_shapes():
    with pytest.raises(ValueError, match=r"`y_pred`.*\(batch, 256\).*\(2, 10\)"):
        TempoAccuracy().update_state([1.0, 2.0], np.zeros((2, 10)))
    with pytest.raises(ValueError, match=r"`y_true`.*\(1, 2\)"):
        TempoAccuracy().update_state(np.zeros((1, 2)), [1.0])


def signals(*shape, seed=0):
    random = np.random.default_rng(seed)
    reference = random.normal(0.3, 1, shape)
    # Each clip with another loudness, offset and share of noise.
    clip = (shape[0],) + (1,) * (len(shape) - 1)
    level = random.uniform(-2, 2, clip)
    noise = random.normal(size=shape) * 10 ** random.uniform(-2, 1, clip)
    return reference, level * reference + noise + random.normal(size=clip)


def projected(reference, estimate):
    """The least-squares fit of estimate by reference and a constant, in float64."""
    design = np.stack([reference, np.ones_like(reference)], axis=-1)
    fit = np.linalg.lstsq(design, estimate, rcond=None)[0]
    target = fit[0] * (reference - reference.mean())
    error = estimate - design @ fit
    return 10 * np.log10((target @ target) / (error @ error))


@pytest.mark.parametrize("shape", [(6, 500), (6, 500, 1), (3, 200, 2)])
def test_sdr_is_that_of_a_projection_and_of_the_correlation(shape):
    reference, estimate = signals(*shape)
    channels = (x.reshape(*shape[:2], -1).swapaxes(1, 2) for x in (reference, estimate))
    pairs = list(zip(*(x.reshape(-1, shape[1]) for x in channels), strict=True))
    expected = np.mean([projected(*pair) for pair in pairs])
    measured = updated(ScaleInvariantSDR(), reference, estimate)
    assert measured == pytest.approx(expected, abs=1e-3)
    # With r the correlation, SI-SDR = 10 log10(r^2 / (1 - r^2)).
    r = np.array([scipy.stats.pearsonr(*pair)[0] for pair in pairs])
    assert measured == pytest.approx(
        np.mean(10 * np.log10(r**2 / (1 - r**2))), abs=1e-3
    )


@settings(max_examples=20, deadline=None)
@given(st.floats(0.01, 100), st.floats(-3, 3), st.booleans())
def test_sdr_does_not_hear_loudness_offset_or_polarity(gain, offset, turned):
    reference, estimate = signals(1, 300, seed=3)
    expected = updated(ScaleInvariantSDR(), reference, estimate)
    changed = (-gain if turned else gain) * estimate + offset
    measured = updated(ScaleInvariantSDR(), reference, changed)
    assert measured == pytest.approx(expected, abs=0.02)


def test_sdr_leaves_silent_references_out_and_counts_them():
    reference, estimate = signals(4, 300)
    expected = np.mean([projected(reference[i], estimate[i]) for i in (0, 3)])
    reference[1] = 0
    reference[2] = 0.1  # constant: silent without its mean
    metric = ScaleInvariantSDR()
    assert updated(metric, reference, estimate) == pytest.approx(expected, abs=1e-3)
    assert float(metric.silent) == 2
    metric.reset_state()
    assert np.isnan(updated(metric, reference[1:3], estimate[1:3]))
    assert float(metric.silent) == 2


def test_limits_of_sdr():
    reference = np.array([[1.0, -1, 1, -1]])
    assert updated(ScaleInvariantSDR(), reference, 3 * reference) == pytest.approx(100)
    silent = np.zeros_like(reference)
    assert updated(ScaleInvariantSDR(), reference, silent) == pytest.approx(-100)
    crosswise = np.array([[1.0, 1, -1, -1]])
    assert updated(ScaleInvariantSDR(), reference, crosswise) == pytest.approx(-100)


@pytest.mark.parametrize("scale", [1e-30, 1e25])
def test_sdr_of_signals_whose_square_is_no_single_precision_number(scale):
    """Estimates of a net that is about to diverge: they had +-100 dB."""
    reference, estimate = signals(3, 200)
    expected = updated(ScaleInvariantSDR(), reference, estimate)
    pairs = (reference, scale * estimate), (scale * reference, estimate)
    for pair in pairs:
        measured = updated(ScaleInvariantSDR(), *pair)
        assert measured == pytest.approx(expected, abs=1e-3)


def test_sdr_of_infinite_estimates_is_nan_but_not_where_masked_or_silent():
    reference, estimate = signals(3, 200)
    expected = np.mean([projected(reference[i], estimate[i]) for i in (0, 2)])
    estimate[1, 7], reference[1] = np.inf, 0
    measured = updated(ScaleInvariantSDR(), reference, estimate)
    assert measured == pytest.approx(expected, abs=1e-3)
    estimate[2, 199] = np.inf
    assert np.isnan(updated(ScaleInvariantSDR(), reference, estimate))
    masked = keras.ops.convert_to_tensor(estimate)
    lengths = np.array([[200], [200], [199]])
    masked._keras_mask = keras.ops.convert_to_tensor(np.arange(200) < lengths)
    assert np.isfinite(updated(ScaleInvariantSDR(), reference, masked))


def test_sdr_over_unequal_batches_with_weights_and_mask():
    reference, estimate = signals(5, 300)
    each = [projected(*pair) for pair in zip(reference, estimate, strict=True)]
    metric = ScaleInvariantSDR()
    metric.update_state(reference[:4], estimate[:4])
    metric.update_state(reference[4:], estimate[4:])
    assert float(metric.result()) == pytest.approx(np.mean(each), abs=1e-3)
    weight = np.array([1.0, 0, 3, 0, 2])
    weighted = updated(ScaleInvariantSDR(), reference, estimate, sample_weight=weight)
    assert weighted == pytest.approx(np.average(each, weights=weight), abs=1e-3)

    masked = keras.ops.convert_to_tensor(estimate)
    masked._keras_mask = keras.ops.convert_to_tensor(
        np.arange(300)[np.newaxis] < np.array([[300], [200], [50], [120], [299]])
    )
    lengths = (300, 200, 50, 120, 299)
    each = [
        projected(r[:n], e[:n])
        for r, e, n in zip(reference, estimate, lengths, strict=True)
    ]
    measured = updated(ScaleInvariantSDR(), reference, masked)
    assert measured == pytest.approx(np.mean(each), abs=1e-3)


def test_sdr_in_a_compiled_model():
    model = keras.Sequential([keras.Input((None, 1)), keras.layers.Conv1D(1, 5)])
    model.compile("sgd", "mse", metrics=[ScaleInvariantSDR()])
    x = np.random.default_rng(0).normal(size=(6, 104, 1))
    y = np.random.default_rng(1).normal(size=(6, 100, 1))
    result = model.evaluate(x, y, batch_size=4, verbose=0, return_dict=True)
    outputs = model.predict(x, verbose=0)
    expected = np.mean([projected(y[i, :, 0], outputs[i, :, 0]) for i in range(6)])
    assert result["scale_invariant_sdr"] == pytest.approx(expected, abs=1e-2)


@pytest.mark.parametrize(
    "shapes", [((2, 10), (2, 9)), ((2, 10), (2, 10, 1)), ((10,), (10,))]
)
def test_sdr_refuses_other_shapes(shapes):
    with pytest.raises(ValueError, match="of one shape"):
        ScaleInvariantSDR().update_state(*(np.ones(shape) for shape in shapes))


def songs_and_outputs(classes=4):
    random = np.random.default_rng(0)
    songs = random.integers(0, 30, 200)
    labels = np.arange(30) % classes
    outputs = random.dirichlet(np.ones(classes), 200)
    outputs[np.arange(200), labels[songs]] += 0.15
    return songs, labels, outputs


def grouped(songs, outputs):
    """A mean for each song, one song at a time."""
    return {song: outputs[songs == song].mean(axis=0) for song in np.unique(songs)}


def test_song_accuracy_is_that_of_scikit_learn_on_grouped_means():
    songs, labels, outputs = songs_and_outputs()
    means = grouped(songs, outputs)
    expected = sklearn.metrics.accuracy_score(
        [labels[song] for song in means], [mean.argmax() for mean in means.values()]
    )
    of_clips = sklearn.metrics.accuracy_score(labels[songs], outputs.argmax(-1))
    assert expected not in (0, 1, of_clips)
    metric = SongAccuracy()
    for part in np.split(np.arange(200), [3, 70, 71, 150]):
        metric.update_state(labels[songs[part]], outputs[part], songs=songs[part])
    assert float(metric.result()) == pytest.approx(expected)
    metric.reset_state()
    assert np.isnan(float(metric.result()))


def test_song_scores_are_grouped_means():
    songs, _, outputs = songs_and_outputs()
    names, scores = song_scores(outputs, songs)
    expected = grouped(songs, outputs)
    np.testing.assert_array_equal(names, list(expected))
    np.testing.assert_allclose(scores, list(expected.values()))
    named, again = song_scores(outputs[:, 0], np.char.add("song ", songs.astype(str)))
    by_name = dict(zip(named.tolist(), again, strict=True))
    assert by_name["song 7"] == pytest.approx(expected[7][0])


def test_songs_of_two_classes_by_one_output_and_weights():
    outputs = [[0.9], [0.4], [0.1], [0.45]]
    metric = SongAccuracy()
    assert updated(metric, [1, 1, 0, 1], outputs, songs=[5, 5, 6, 7]) == pytest.approx(
        2 / 3
    )
    weight = [0.1, 1, 1, 0]
    measured = updated(
        SongAccuracy(), [1, 1, 0, 1], outputs, songs=[5, 5, 6, 7], sample_weight=weight
    )
    assert measured == pytest.approx(1 / 2)


@pytest.mark.parametrize(
    ("labels", "outputs", "songs", "message"),
    [
        ([0, 1], np.eye(2), [5, 5], "Song 5 has clips of two classes, 0 and 1"),
        ([0, 1], np.eye(2), [5], "one song for each clip"),
        ([0, 1, 1], np.eye(2), [5, 6], "one integer class a clip, 2 of them"),
        ([0.0, 1.0], np.eye(2), [5, 6], "one integer class a clip"),
    ],
)
def test_refusals_of_song_accuracy(labels, outputs, songs, message):
    with pytest.raises(ValueError, match=message):
        SongAccuracy().update_state(labels, outputs, songs=songs)


def test_infinite_outputs_of_songs_are_numbers_until_they_cancel_out():
    metric = SongAccuracy()
    outputs = [[np.inf, 1.0], [1.0, 2.0], [0.0, -np.inf]]
    assert updated(metric, [0, 0, 1], outputs, songs=[1, 1, 2]) == 0.5
    assert np.isnan(updated(metric, [0], [[-np.inf, 3.0]], songs=[1]))


def test_song_scores_of_a_song_with_nan_are_nan():
    _, scores = song_scores([0.2, np.nan, 0.9], ["waltz", "waltz", "polka"])
    np.testing.assert_array_equal(scores, [0.9, np.nan])


def test_song_accuracy_says_that_it_stays_outside_of_a_compiled_model():
    inputs = keras.Input((2,))
    with pytest.raises(TypeError, match="outside the compiled model"):
        SongAccuracy().update_state([0], inputs, songs=[1])


@pytest.mark.parametrize(
    "metric",
    [
        TempoAccuracy(2, tolerance=0.08, name="tempo"),
        ScaleInvariantSDR(name="sdr"),
        SongAccuracy(name="songs"),
    ],
)
def test_round_trip(metric):
    config = keras.saving.serialize_keras_object(metric)
    restored = keras.saving.deserialize_keras_object(config)
    assert config["registered_name"] == f"convzoo>{type(metric).__name__}"
    assert restored.get_config() == metric.get_config()
    assert restored.name == metric.name
