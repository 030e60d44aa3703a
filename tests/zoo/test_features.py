"""Hand-made features of sounds with known answers, and the baselines on them."""

import joblib
import numpy as np
import pytest
import sklearn.linear_model
import sklearn.metrics
import soundfile
from hypothesis import given, settings
from hypothesis import strategies as st

from zoo.baselines.audio import features_baseline, sound_baseline
from zoo.features import KINDS, _in_pieces, handmade_features

RATE = 8000


def tone(frequency, seconds=1.0, rate=RATE):
    return 0.5 * np.sin(2 * np.pi * frequency * np.arange(int(seconds * rate)) / rate)


def named(waveform, kind, rate=RATE):
    values, names = handmade_features(waveform, rate, kind)
    return dict(zip(names, values.tolist(), strict=True))


def mel_of(frequency):
    """Slaney's scale: linear to 1000 Hz, then a step of 1/27 of log 6.4."""
    if frequency < 1000:
        return frequency * 3 / 200
    return 15 + 27 * np.log(frequency / 1000) / np.log(6.4)


@pytest.mark.parametrize("frequency", [250, 700, 1500, 3000])
def test_a_tone_lies_where_it_lies(frequency):
    spectral = named(tone(frequency), "spectral")
    assert spectral["centroid Hz mean"] == pytest.approx(frequency, rel=0.08)
    assert spectral["roll-off Hz mean"] == pytest.approx(frequency, abs=40)
    assert spectral["zero crossings mean"] == pytest.approx(
        2 * frequency / RATE, rel=0.05
    )
    # Mean square 1/8, but for the two ends, where librosa puts zeros.
    assert spectral["loudness dB mean"] == pytest.approx(-9.03, abs=0.2)
    picture = handmade_features(tone(frequency), RATE, "log_mel")[0].reshape(40, 20)
    centres = np.linspace(0, mel_of(RATE / 2), 42)[1:-1]
    nearest = np.abs(centres - mel_of(frequency)).argmin()
    assert set(picture.argmax(axis=0)) <= {nearest - 1, nearest, nearest + 1}


@pytest.mark.parametrize(("pitch", "frequency"), [("C", 261.63), ("F#", 739.99)])
def test_pitch_classes(pitch, frequency):
    chroma = named(tone(frequency, rate=22050), "chroma", rate=22050)
    assert chroma[f"chroma {pitch} mean"] > 0.5
    shares = [value for name, value in chroma.items() if name.endswith("mean")]
    assert sum(shares) == pytest.approx(1, abs=1e-3)


def test_noise_is_flat_and_a_tone_is_not():
    noise = np.random.default_rng(0).normal(0, 0.1, RATE)
    assert named(noise, "spectral")["flatness mean"] > 0.4
    assert named(tone(500), "spectral")["flatness mean"] < 0.01


@pytest.mark.parametrize("tempo", [90, 120, 150])
def test_tempo_of_clicks(tempo):
    clicks = np.zeros(10 * RATE)
    for beat in range(int(10 * tempo / 60)):
        start = int(beat * 60 / tempo * RATE)
        clicks[start : start + 400] = tone(1000, 0.05)[: clicks[start:].size]
    found = named(clicks, "tempo")
    assert found["tempo BPM"] == pytest.approx(tempo, rel=0.03)
    assert found["tempo strength"] > 0.5
    noise = np.random.default_rng(0).normal(0, 0.1, 10 * RATE)
    assert named(noise, "tempo")["tempo strength"] < 0.3


def test_the_picture_does_not_depend_on_level_length_or_silent_ends():
    sweep = np.concatenate([tone(300, 0.4), tone(2000, 0.4)])
    picture = handmade_features(sweep, RATE, "log_mel")[0].reshape(40, 20)
    assert picture.max() == pytest.approx(0, abs=4) and picture.min() >= -80
    low, high = picture[:, :9].argmax(0), picture[:, 11:].argmax(0)
    assert low.max() < 8 < high.min()
    quiet = handmade_features(0.01 * sweep, RATE, "log_mel")[0].reshape(40, 20)
    np.testing.assert_allclose(quiet, picture, atol=0.1)
    padded = np.pad(sweep, (2000, 6000))
    later = handmade_features(padded, RATE, "log_mel")[0].reshape(40, 20)
    assert np.abs(later - picture)[:, 1:-1].mean() < 4
    np.testing.assert_array_equal(later[:, 2:8].argmax(0), picture[:, 2:8].argmax(0))
    slow = np.concatenate([tone(300, 0.8), tone(2000, 0.8)])
    slow = handmade_features(slow, RATE, "log_mel")[0].reshape(40, 20)
    np.testing.assert_array_equal(slow[:, 1:9].argmax(0), picture[:, 1:9].argmax(0))


@settings(max_examples=30, deadline=None)
@given(st.integers(1, 90), st.integers(0, 99))
def test_pieces_are_means_that_may_end_within_a_frame(frames, seed):
    picture = np.random.default_rng(seed).normal(size=(3, frames))
    # Every frame repeated 20 times makes pieces of `frames` whole ones.
    repeated = np.repeat(picture, 20, axis=1).reshape(3, 20, frames).mean(axis=2)
    np.testing.assert_allclose(_in_pieces(picture), repeated, atol=1e-9)


@pytest.mark.parametrize("kind", KINDS)
def test_every_sound_has_finite_features_of_one_length(kind):
    noise = np.random.default_rng(0).normal(0, 0.1, 3 * RATE)
    values, names = handmade_features(noise, RATE, kind)
    assert values.dtype == np.float32
    assert len(set(names)) == len(names) == len(values)
    silence = np.zeros(3 * RATE)
    for sound in (silence, silence[:100], noise[:1], noise[:100], noise[:700]):
        short, again = handmade_features(sound, RATE, kind)
        assert again == names and np.isfinite(short).all()
    stereo = handmade_features(np.stack([noise, noise], axis=1), RATE, kind)[0]
    np.testing.assert_allclose(stereo, values, rtol=1e-3, atol=1e-3)
    fast, _ = handmade_features(np.tile(noise, 4), 44100, kind)
    assert fast.shape == values.shape and np.isfinite(fast).all()


def test_statistics_are_the_others_together():
    sound = np.random.default_rng(0).normal(0, 0.1, 3 * RATE)
    together, names = handmade_features(sound, RATE)
    parts = [
        handmade_features(sound, RATE, kind)
        for kind in ("tempo", "mfcc", "chroma", "spectral")
    ]
    np.testing.assert_array_equal(together, np.concatenate([x for x, _ in parts]))
    assert names == [name for _, part in parts for name in part]
    assert len(names) == 98


def test_silence_and_short_clips_have_no_tempo():
    assert set(named(np.zeros(5 * RATE), "tempo").values()) == {0}
    assert set(named(tone(500, 1.9), "tempo").values()) == {0}


@pytest.mark.parametrize(
    ("waveform", "rate", "kind", "message"),
    [
        (np.zeros(0), 8000, "mfcc", "not empty"),
        (np.zeros((2, 3, 4)), 8000, "mfcc", r"\(samples,\) or \(samples, channels\)"),
        (np.zeros(100, int), 8000, "mfcc", "of floats"),
        (np.array([0, np.nan]), 8000, "mfcc", "finite waveform"),
        (np.zeros(100), 1000, "mfcc", "at least 2000"),
        (np.zeros(100), 8000, "pitch", "`kind` must be one of 'log_mel', 'stat"),
    ],
)
def test_refusals_of_features(waveform, rate, kind, message):
    with pytest.raises(ValueError, match=message):
        handmade_features(waveform, rate, kind)


def batches(sizes, classes=3, seed=0, noise=0.4):
    """Tones in noise, the class is the frequency; batches of unequal size."""
    random = np.random.default_rng(seed)
    for size in sizes:
        labels = random.integers(0, classes, size)
        frequency = 400 * (1 + labels) * random.uniform(0.7, 1.4, size)
        clips = np.stack([tone(f, 0.25) for f in frequency])
        clips = clips + random.normal(0, noise, clips.shape)
        yield clips[..., np.newaxis].astype("float32"), labels


def test_figures_are_those_of_scikit_learn():
    train, test = list(batches((30, 30, 7))), list(batches((20, 9), seed=1))
    result = features_baseline(train, test, RATE, "spectral")

    def described(data):
        x = [
            handmade_features(clip, RATE, "spectral")[0] for w, _ in data for clip in w
        ]
        return np.stack(x), np.concatenate([y for _, y in data])

    (train_x, train_y), (test_x, test_y) = described(train), described(test)
    mean, deviation = train_x.mean(0), train_x.std(0)
    method = sklearn.linear_model.LogisticRegression(C=0.01, max_iter=2000)
    method.fit((train_x - mean) / deviation, train_y)
    probabilities = method.predict_proba((test_x - mean) / deviation)
    predicted = probabilities.argmax(-1)
    accuracy = sklearn.metrics.accuracy_score(test_y, predicted)
    assert 0.4 < accuracy < 1
    assert result["examples"] == 29
    assert result["accuracy"] == pytest.approx(accuracy)
    assert result["error"] == pytest.approx(100 * (1 - accuracy))
    assert result["loss"] == pytest.approx(
        sklearn.metrics.log_loss(test_y, probabilities), rel=1e-3
    )
    np.testing.assert_array_equal(
        result["confusion"], sklearn.metrics.confusion_matrix(test_y, predicted)
    )
    assert set(result) == {"examples", "accuracy", "error", "loss", "confusion"}


def test_a_forest_learns_the_same_again_and_nothing_from_chance():
    train, test = (
        list(batches((60,), noise=0.1)),
        list(batches((60,), seed=1, noise=0.1)),
    )
    first, again = (
        features_baseline(train, test, RATE, "spectral", "forest", seed=3)
        for _ in range(2)
    )
    assert first["accuracy"] > 0.6
    assert first["loss"] == again["loss"]
    random = np.random.default_rng(0)
    shuffled = [(waves, random.permutation(labels)) for waves, labels in train]
    by_chance = features_baseline(shuffled, test, RATE, "spectral", "forest")
    assert by_chance["accuracy"] < 0.55 < first["accuracy"]


def test_several_workers_describe_the_same():
    train, test = list(batches((12, 5))), list(batches((9,), seed=1))
    alone = features_baseline(train, test, RATE)
    with joblib.parallel_config(backend="threading"):
        together = features_baseline(train, test, RATE, n_jobs=2)
    assert together["loss"] == pytest.approx(alone["loss"])


def test_a_class_that_was_not_there_to_learn_is_never_told():
    train = list(batches((40,), classes=7))
    test = list(batches((40,), classes=8, seed=1))
    result = features_baseline(train, test, RATE, "spectral")
    assert result["confusion"].shape == (8, 8)
    assert result["confusion"][7].sum() > 0 == result["confusion"][:, 7].sum()
    assert 0 < result["top_5_accuracy"] <= 1
    assert result["top_5_error"] == pytest.approx(100 * (1 - result["top_5_accuracy"]))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"features": "pitch"}, "`features` must be one of 'log_mel'"),
        ({"classifier": "net"}, "`classifier` must be one of 'logistic', 'forest'"),
        ({"dataset_train": []}, "clips to train on. Received: none"),
        ({"dataset_train": [(np.zeros((4, 100, 1)), np.zeros(4))]}, "two classes"),
        ({"dataset_train": [(np.zeros((4, 100, 1)), [0, 1, 2, 3.5])]}, "one class for"),
        ({"dataset_train": [(np.zeros((4, 100, 1)), np.eye(4))]}, "one class for each"),
    ],
)
def test_refusals_of_baselines(change, message):
    data = list(batches((10,)))
    arguments = {"dataset_train": data, "dataset_test": data, "features": "spectral"}
    with pytest.raises(ValueError, match=message):
        features_baseline(**{**arguments, **change}, sample_rate=RATE)


def test_a_data_set_by_its_name(tmp_path, monkeypatch):
    monkeypatch.setenv("CONVZOO_CACHE", str(tmp_path / "cache"))
    random = np.random.default_rng(0)
    for number in range(60):
        label, singer = ("low", "high")[number % 2], number % 5
        folder = tmp_path / "sounds" / label / f"singer_{singer}"
        folder.mkdir(parents=True, exist_ok=True)
        sound = tone((300, 1200)[number % 2], 0.5) + random.normal(0, 0.1, 4000)
        soundfile.write(folder / f"{number}.wav", sound, RATE)
    options = {"sample_rate": RATE, "seconds": 0.5, "split_by": "speaker"}
    result = sound_baseline(
        "audio_folder",
        data_dir=tmp_path / "sounds",
        held_out="singer_3",
        **options,
    )
    assert result["examples"] == 12
    assert result["accuracy"] == 1
    assert sorted(result["labels"]) == ["high", "low"]
    with pytest.raises(ValueError, match="sounds with classes. Received: digits"):
        sound_baseline("digits")
