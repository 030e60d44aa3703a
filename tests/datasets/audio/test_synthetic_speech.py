"""Rendered speech: the words are said, the same bytes every time, nothing by halves."""

import collections
import csv
import doctest
import re
import sys
import textwrap
import time

import librosa
import numpy as np
import pytest
import soundfile
import threadpoolctl
from hypothesis import given
from hypothesis import strategies as st
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from zoo.datasets.audio import synthetic_speech
from zoo.datasets.audio.synthetic_speech import (
    ACCENTS,
    Utterance,
    drawn_utterance,
    list_voices,
    render,
    spoken,
    trimmed,
)

try:
    import espeakng_loader
except ImportError:
    espeakng_loader = None
needs_espeak = pytest.mark.skipif(
    espeakng_loader is None, reason="needs espeak-ng: pip install 'convzoo[speech]'"
)

VOICES = ["f2", "m3", "klatt4", "Andy"]
TESTED_VOICE = "m1"


def rows_of(table):
    with open(table, newline="") as file:
        return list(csv.DictReader(file))


def contents_of(folder):
    return {path.name: path.read_bytes() for path in folder.iterdir()}


@pytest.fixture(scope="module")
def rendering(tmp_path_factory):
    """labels.csv of five voices in two accents."""
    folder = tmp_path_factory.mktemp("speech")
    accents = ["en-us", "en-gb-scotland"]
    return render(folder, voices=[*VOICES, TESTED_VOICE], accents=accents)


@needs_espeak
def test_the_table(rendering):
    rows = rows_of(rendering)
    assert list(rows[0]) == [
        *("file", "label", "voice", "accent", "rate", "pitch", "pitch_range")
    ]
    counts = collections.Counter((row["voice"], row["accent"]) for row in rows)
    assert len(counts) == 10 and set(counts.values()) == {10}
    assert {row["label"] for row in rows} == set("0123456789")
    files = {path.name for path in rendering.parent.glob("*.wav")}
    assert {row["file"] for row in rows} == files and len(files) == 100


@needs_espeak
def test_the_files(rendering):
    for row in rows_of(rendering):
        path = rendering.parent / row["file"]
        assert soundfile.info(path).subtype == "PCM_16"
        sound, rate = soundfile.read(path)
        assert rate == 8000 and sound.ndim == 1
        assert 0.1 < len(sound) / rate < 1.5
        assert np.abs(sound).max() == pytest.approx(0.9, abs=1e-4)
        # Not more than the margin is silent.
        for end in (sound, sound[::-1]):
            assert np.flatnonzero(np.abs(end) > 0.01 * 0.9)[0] <= 0.01 * rate + 1


@needs_espeak
def test_the_words_are_those_of_the_labels(rendering):
    """What four voices teach a linear classifier, it hears in a fifth."""
    features = collections.defaultdict(list)
    labels = collections.defaultdict(list)
    for row in rows_of(rendering):
        sound, rate = soundfile.read(rendering.parent / row["file"])
        mel = librosa.feature.melspectrogram(
            y=sound, sr=rate, n_fft=256, hop_length=64, n_mels=20
        )
        # Any duration in ten columns.
        parts = np.array_split(np.log(mel + 1e-4), 10, axis=1)
        part = "test" if row["voice"] == TESTED_VOICE else "train"
        features[part].append(np.concatenate([one.mean(axis=1) for one in parts]))
        labels[part].append(row["label"])
    model = make_pipeline(StandardScaler(), LogisticRegression(max_iter=300))
    with threadpoolctl.threadpool_limits(1):
        model.fit(features["train"], labels["train"])
    assert model.score(features["test"], labels["test"]) >= 0.7
    # The same with wrong labels finds what chance does.
    wrong = np.roll(labels["test"], 3)
    assert model.score(features["test"], wrong) <= 0.3


@needs_espeak
def test_the_same_bytes_again(tmp_path):
    # f5 draws its noise from a generator that is seeded by the clock, in seconds.
    arguments = {"voices": ["f5", "m3"], "accents": ["en-us"], "words": ["six", "yes"]}
    first = render(tmp_path / "a", **arguments).parent
    time.sleep(1.1)
    second = render(tmp_path / "b", **arguments).parent
    assert contents_of(first) == contents_of(second)
    other = render(tmp_path / "c", **arguments, seed=1).parent
    name = "0-en-us-m3-0.wav"
    assert contents_of(first)[name] != contents_of(other)[name]
    # A voice's sounds do not depend on which others there are.
    alone = render(tmp_path / "d", **(arguments | {"voices": ["m3"]})).parent
    for name in ("0-en-us-m3-0.wav", "1-en-us-m3-0.wav"):
        assert contents_of(alone)[name] == contents_of(first)[name]


@needs_espeak
def test_it_goes_on_where_it_stopped(tmp_path):
    arguments = {"voices": ["f1", "m3"], "accents": ["en"], "words": ["one", "two"]}
    folder = render(tmp_path / "a", **arguments).parent
    whole = contents_of(folder)
    kept = folder / "0-en-f1-0.wav"
    before = kept.stat().st_mtime_ns
    (folder / "1-en-m3-0.wav").unlink()
    (folder / "labels.csv").unlink()
    (folder / "labels.csv.1.tmp").write_bytes(b"file,la")
    render(folder, **arguments)
    (folder / "labels.csv.1.tmp").unlink()
    assert contents_of(folder) == whole
    assert kept.stat().st_mtime_ns == before


@needs_espeak
def test_a_failure_leaves_no_table(tmp_path, monkeypatch):
    def fail(utterances):
        raise ValueError("espeak-ng failed")

    monkeypatch.setattr(synthetic_speech, "spoken", fail)
    with pytest.raises(ValueError, match="espeak-ng failed"):
        render(tmp_path / "a", voices=["f1"], accents=["en"])
    assert [path.name for path in (tmp_path / "a").iterdir()] == ["rendering.json"]


@needs_espeak
def test_other_things_in_the_folder(tmp_path):
    render(tmp_path / "a", words=["one"], voices=["f1"], accents=["en"])
    with pytest.raises(ValueError, match="made with another words: choose an empty"):
        render(tmp_path / "a", words=["two"], voices=["f1"], accents=["en"])
    (tmp_path / "b").mkdir()
    (tmp_path / "b" / "thesis.txt").touch()
    with pytest.raises(ValueError, match="holds other files, thesis.txt"):
        render(tmp_path / "b", words=["one"], voices=["f1"], accents=["en"])
    with pytest.raises(ValueError, match="choose a folder that can be written"):
        render(tmp_path / "b" / "thesis.txt", words=["one"], voices=["f1"])


@needs_espeak
def test_rate_and_pitch_are_what_is_asked_for():
    def utterance(rate=175, pitch=50):
        return Utterance("f.wav", "nine nine nine", "m3", "en-us", rate, pitch, 0)

    slow, fast = (len(spoken([utterance(rate=rate)])[0]) for rate in (120, 220))
    # espeak-ng shortens pauses less than speech.
    assert 1.3 < slow / fast < 2.2
    heights = []
    for pitch in (20, 50, 80):
        (sound,) = spoken([utterance(pitch=pitch)])
        heights.append(np.median(librosa.yin(sound, fmin=50, fmax=500, sr=22050)))
    assert heights[0] < 0.9 * heights[1] < 0.8 * heights[2]


@needs_espeak
def test_every_voice_and_accent_speaks():
    voices = list_voices()
    assert len(voices) >= 100 and "f1" in voices
    for accent in ACCENTS:
        (sound,) = spoken([drawn_utterance(accent, "f1", 0, "0", 0, 0)])
        assert np.abs(sound).max() > 0.05
    for voice in voices[::13]:
        (sound,) = spoken([drawn_utterance("en-us", voice, 0, "0", 0, 0)])
        assert np.abs(sound).max() > 0.05


@needs_espeak
@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ({"voices": ["nobody"]}, ValueError, "voices: there is no 'nobody'; choose"),
        ({"accents": ["en-mars"]}, ValueError, "accents: there is no 'en-mars'"),
        ({"words": []}, ValueError, "words must be different strings"),
        ({"words": ["a", "a"]}, ValueError, "words must be different strings"),
        ({"words": ["one", " "]}, ValueError, "none empty"),
        ({"words": "one"}, TypeError, "words must be a list of strings"),
        ({"words": [1]}, TypeError, "words must be a list of strings"),
        ({"words": ["a\0b"]}, ValueError, "printable characters"),
        ({"sample_rate": 44100}, ValueError, "sample_rate must be from 4000 to 22050"),
        ({"sample_rate": 8e3}, TypeError, "sample_rate must be a whole number"),
        ({"takes": 0}, ValueError, "takes must be from 1"),
        ({"seed": True}, TypeError, "seed must be a whole number"),
        ({"words": ["."]}, ValueError, "silent at '.': words must have letters"),
    ],
)
def test_refusals(arguments, error, message, tmp_path):
    with pytest.raises(error, match=re.escape(message)):
        render(tmp_path / "a", **({"voices": ["f1"], "accents": ["en"]} | arguments))
    assert not list(tmp_path.rglob("*.wav"))


def test_without_the_extra(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "espeakng_loader", None)
    with pytest.raises(ImportError, match=r"pip install 'convzoo\[speech\]'"):
        render(tmp_path / "a")
    assert not (tmp_path / "a").exists()


def test_draws_are_uniform_and_each_its_own():
    draws = [
        drawn_utterance("en-us", "f1", number, str(number), take, 0)
        for number in range(10)
        for take in range(100)
    ]
    for name, (low, high) in {
        "rate": (120, 220),
        "pitch": (20, 80),
        "pitch_range": (20, 80),
    }.items():
        values = np.array([getattr(draw, name) for draw in draws])
        assert low <= values.min() < low + 3 and high - 3 < values.max() <= high
        assert values.mean() == pytest.approx((low + high) / 2, rel=0.05)
    assert len({draw.file for draw in draws}) == 1000
    assert draws == [
        drawn_utterance("en-us", "f1", number, str(number), take, 0)
        for number in range(10)
        for take in range(100)
    ]


@given(
    st.integers(0, 3000), st.integers(0, 3000), st.integers(1, 500), st.integers(0, 99)
)
def test_trimming_keeps_what_is_heard(before, after, length, seed):
    loud = np.random.RandomState(seed).uniform(0.02, 1, length)
    sound = np.concatenate([np.zeros(before), loud, np.zeros(after)])
    result = trimmed(sound, 8000)
    margins = min(before, 80) + min(after, 80)
    assert len(result) == length + margins
    assert result.sum() == pytest.approx(loud.sum())


@needs_espeak
@pytest.mark.parametrize("function", [list_voices, render])
def test_examples_run(function, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    (code,) = re.findall(r"```python\n(.*?)```", function.__doc__, re.DOTALL)
    exec(textwrap.dedent(code), {})
    assert not doctest.DocTestParser().get_examples(function.__doc__)
