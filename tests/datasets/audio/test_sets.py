"""The sound sets that have a name."""

import csv

import numpy as np
import pytest
import soundfile
import tensorflow as tf
import tensorflow_datasets as tfds

from zoo.datasets import info, load, sounds
from zoo.datasets.audio import tfds_builders


def epoch(dataset):
    batches = list(dataset.as_numpy_iterator())
    return tuple(np.concatenate(parts) for parts in zip(*batches, strict=True))


@pytest.fixture
def digits_folder(tmp_path):
    for digit in range(10):
        for number, speaker in enumerate(("ann", "bob", "cyd", "dan", "eve")):
            random = np.random.default_rng(10 * digit + number)
            whole = random.integers(-9000, 9000, 3000, np.int16)
            path = tmp_path / "fsdd" / f"{digit}_{speaker}_0.wav"
            path.parent.mkdir(exist_ok=True)
            soundfile.write(path, whole, 8000)
    return tmp_path


def test_spoken_digits(digits_folder):
    facts = info("spoken_digits", digits_folder)
    assert facts.input_shape == (8000, 1)
    assert facts.classes == tuple("0123456789")
    assert facts.splits == {"train": 40, "test": 10}
    assert len(facts.groups["test"]) == 1
    options = {"held_out": "cyd", "validate_on": "dan", "sample_rate": 4000}
    clips = sounds("spoken_digits", digits_folder, **options)
    assert clips.info.groups == {
        "train": ("ann", "bob", "eve"),
        "validation": ("dan",),
        "test": ("cyd",),
    }
    waveforms, labels = epoch(
        load("spoken_digits", "test", 4, 0, digits_folder, **options)
    )
    assert waveforms.shape == (10, 4000, 1)
    assert sorted(labels) == list(range(10))
    for song, label in zip(clips.songs("test"), labels, strict=True):
        assert song == f"{label}_cyd_0.wav"

    (digits_folder / "fsdd" / "noise.wav").touch()
    (digits_folder / "fsdd" / "readme.md").touch()
    with pytest.warns(UserWarning, match="1 of 51 files can't be used: noise.wav"):
        info("spoken_digits", digits_folder)


def test_spoken_digits_elsewhere(tmp_path):
    with pytest.raises(
        ValueError, match="named as 7_jackson_32.wav in data_dir or its"
    ):
        load("spoken_digits", "train", data_dir=tmp_path)
    with pytest.raises(ValueError, match="needs the folder of the sounds as data_dir"):
        load("spoken_digits", "train")
    with pytest.raises(
        ValueError, match="spoken_digits does not take labels, task; it"
    ):
        load("spoken_digits", "train", data_dir=tmp_path, labels="a.csv", task="tags")


def test_free_spoken_digits(fsdd_folder):
    """The real ones: nothing is wrong with them, and nobody is on both sides."""
    clips = sounds("spoken_digits", fsdd_folder)
    assert (clips.rejected, clips.remarks) == ({}, {})
    assert clips.info.splits == {"train": 2002, "test": 500}
    assert clips.info.groups["test"] == ("george",)
    clips = sounds(
        "spoken_digits", fsdd_folder, held_out="nicolas", validate_on="george"
    )
    waveforms, labels = epoch(clips.load("test"))
    assert np.bincount(labels).tolist() == [50] * 10
    songs = clips.songs("test")
    for place in range(0, 500, 50):
        path = fsdd_folder / "fsdd" / songs[place]
        whole = soundfile.read(path, dtype="int16")[0][:8000]
        np.testing.assert_array_equal(waveforms[place, : len(whole), 0] * 2**15, whole)
        assert not waveforms[place, len(whole) :].any()
    # The published baseline splits by index; here each speaker is in one split only.
    speakers = [
        {song.split("_")[1] for song in clips.songs(s)} for s in clips.info.splits
    ]
    assert sum(map(len, speakers)) == len(set.union(*speakers)) == 5


COUNTS = {"train": 40, "validation": 8, "test": 9}


def write_tfds(folder, name, version, features, examples, counts):
    """A set as tensorflow-datasets prepares it; `examples(split, count)` are dicts."""
    tfds.dataset_builders.store_as_tfds_dataset(
        name=name,
        version=version,
        config="full" if name == "nsynth" else None,
        features=features,
        split_datasets={
            split: tf.data.Dataset.from_generator(
                lambda split=split, count=count: examples(split, count),
                output_signature=features.get_tensor_spec(),
            )
            for split, count in counts.items()
        },
        data_dir=folder,
    )


def wave(seed, length):
    return np.random.default_rng(seed).integers(-9000, 9000, length)


@pytest.fixture(scope="module")
def commands_folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("commands")
    classes = info("speech_commands").classes

    def examples(split, count):
        for number in range(count):
            length = 16000 if number % 3 else 9000
            yield {
                "audio": wave(1000 * len(split) + number, length).astype(np.int16),
                "label": number % len(classes) if split != "test" else number % 2,
            }

    features = tfds.features.FeaturesDict(
        {
            "audio": tfds.features.Audio(sample_rate=16000, dtype=np.int16),
            "label": tfds.features.ClassLabel(names=classes),
        }
    )
    write_tfds(folder, "speech_commands", "0.0.3", features, examples, COUNTS)
    return folder


def test_speech_commands(commands_folder):
    facts = info("speech_commands", commands_folder)
    assert facts.classes == info("speech_commands").classes
    assert facts.splits == COUNTS
    assert facts.source == "tensorflow-datasets speech_commands/0.0.3"
    clips = sounds("speech_commands", commands_folder)
    waveforms, labels = epoch(clips.load("validation"))
    assert waveforms.shape == (8, 16000, 1)
    # tensorflow-datasets keeps them in an order of its own; the label tells which.
    assert sorted(labels) == list(range(8))
    for waveform, number in zip(waveforms, labels, strict=True):
        whole = wave(10_000 + number, 16000 if number % 3 else 9000)
        np.testing.assert_array_equal(waveform[: len(whole), 0] * 2**15, whole)
        assert not waveform[len(whole) :].any()


def test_tfds_sets_are_resampled_and_padded(commands_folder):
    dataset = load(
        "speech_commands", "test", 4, 0, commands_folder, sample_rate=8000, seconds=1.5
    )
    waveforms, _ = epoch(dataset)
    assert waveforms.shape == (9, 12000, 1)
    assert waveforms[:, 4000:4400].any()
    assert not waveforms[:, 8000:].any()
    with pytest.raises(ValueError, match="speech_commands does not take held_out"):
        load("speech_commands", "test", data_dir=commands_folder, held_out="a")


def test_tfds_sets_that_are_not_there(tmp_path):
    for name in ("speech_commands", "gtzan", "nsynth", "spoken_digit"):
        with pytest.raises(ValueError, match=f"{name} needs the folder {name} that"):
            load(name, "train", data_dir=tmp_path)


def test_the_cache_goes_by_what_is_prepared(commands_folder, fresh_cache, monkeypatch):
    sounds("speech_commands", commands_folder)
    monkeypatch.setattr(tfds_builders, "make_sound", None)  # nothing is converted again
    assert sounds("speech_commands", commands_folder).info.splits == COUNTS
    with pytest.raises(TypeError, match="not callable"):
        sounds("speech_commands", commands_folder, sample_rate=8000)


def test_shards_of_tfds_sets(commands_folder, fresh_cache, monkeypatch):
    before = epoch(
        load("speech_commands", "train", 99, 0, commands_folder, training=False)
    )
    monkeypatch.setattr(tfds_builders, "SMALLEST_PART", 1)
    monkeypatch.setenv("CONVZOO_CACHE", str(fresh_cache / "other"))
    clips = sounds("speech_commands", commands_folder)
    assert len(list(clips.folder.glob("train-*.tfrecord"))) == 8
    after = epoch(clips.load("train", 99, training=False))
    np.testing.assert_array_equal(after[0], before[0])
    np.testing.assert_array_equal(after[1], before[1])


@pytest.fixture(scope="module")
def gtzan_folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("gtzan")
    genres = info("gtzan").classes

    def examples(split, count):
        for number in range(count):
            genre, index = genres[number // 6], number % 6 + 50
            yield {
                # The last of each genre repeats the one before it.
                "audio": wave(number - (index == 55), 22050),
                "label": number // 6,
                "audio/filename": f"{genre}.{index:05d}.wav",
            }

    features = tfds.features.FeaturesDict(
        {
            "audio": tfds.features.Audio(sample_rate=22050, dtype=np.int64),
            "label": tfds.features.ClassLabel(names=genres),
            "audio/filename": tfds.features.Text(),
        }
    )
    write_tfds(folder, "gtzan", "1.0.0", features, examples, {"train": 60})
    return folder


def test_gtzan(gtzan_folder):
    clips = sounds("gtzan", gtzan_folder, seconds=1.0)
    songs = {split: set(clips.songs(split)) for split in clips.info.splits}
    assert set(songs) == {"train", "test"}
    everything = songs["train"] | songs["test"]
    assert len(everything) == 59
    assert "jazz.00054.wav" not in everything
    assert "jazz.00053.wav" in everything
    for genre in info("gtzan").classes:
        if genre != "jazz":
            pair = {f"{genre}.00054.wav", f"{genre}.00055.wav"}
            assert pair <= songs["train"] or pair <= songs["test"]
        assert any(song.startswith(genre) for song in songs["test"])


def test_gtzan_by_the_published_lists(gtzan_folder, tmp_path):
    (tmp_path / "gtzan").symlink_to(gtzan_folder / "gtzan")
    indices = {"train": (50, 51), "valid": (52,), "test": (53, 54)}
    for name, numbers in indices.items():
        lines = [f"{g}/{g}.{n:05d}.wav" for g in info("gtzan").classes for n in numbers]
        (tmp_path / f"{name}_filtered.txt").write_text("\n".join(lines))
    clips = sounds("gtzan", tmp_path, seconds=1.0)
    assert clips.info.splits == {"train": 20, "validation": 10, "test": 19}
    assert {int(song.split(".")[1]) for song in clips.songs("test")} == {53, 54}


def test_spoken_digit_by_speakers(tmp_path):
    def examples(split, count):
        for number in range(count):
            name = f"{number % 10}_{'abcde'[number // 10]}_0"
            yield {
                "audio": wave(number, 4000),
                "label": number % 10,
                "audio/filename": f"{name}.wav",
            }

    features = tfds.features.FeaturesDict(
        {
            "audio": tfds.features.Audio(sample_rate=8000, dtype=np.int64),
            "label": tfds.features.ClassLabel(num_classes=10),
            "audio/filename": tfds.features.Text(),
        }
    )
    write_tfds(tmp_path, "spoken_digit", "1.0.9", features, examples, {"train": 50})
    clips = sounds("spoken_digit", tmp_path, held_out="b")
    assert clips.info.groups == {"train": tuple("acde"), "test": ("b",)}
    assert clips.info.classes == tuple("0123456789")


def test_nsynth(tmp_path):
    families = info("nsynth").classes

    def examples(split, count):
        for number in range(count):
            audio = wave(number + 100 * len(split), 64000) / np.float32(2**15)
            yield {
                "id": f"{split}-{number}",
                "audio": audio.astype(np.float32),
                "instrument": {"family": number % 11},
            }

    features = tfds.features.FeaturesDict(
        {
            "id": tfds.features.Text(),
            "audio": tfds.features.Audio(
                shape=(64000,), dtype=np.float32, sample_rate=16000
            ),
            "instrument": {"family": tfds.features.ClassLabel(names=families)},
        }
    )
    counts = {"train": 12, "valid": 3, "test": 4}
    write_tfds(tmp_path, "nsynth", "2.3.3", features, examples, counts)
    clips = sounds("nsynth", tmp_path)
    assert clips.info.input_shape == (64000, 1)
    assert clips.info.classes == families
    assert clips.info.splits == {"train": 12, "validation": 3, "test": 4}
    waveforms, labels = epoch(clips.load("validation"))
    assert list(labels) == [0, 1, 2]
    np.testing.assert_array_equal(waveforms[1, :, 0] * 2**15, wave(501, 64000))


def test_speech_commands_on_mock_data(commands_folder, fresh_cache):
    """Random values of the real builder's features, from tensorflow-datasets."""
    prepared = commands_folder / "speech_commands" / "0.0.3"
    with tfds.testing.mock_data(num_examples=40, data_dir=prepared):
        # Some are of less than a millisecond.
        with pytest.warns(UserWarning, match="of 120 files can't be used") as caught:
            clips = sounds("speech_commands", commands_folder)
        waveforms, labels = epoch(clips.load("train"))
    assert [warning.category for warning in caught].count(UserWarning) == 1
    assert len(waveforms) == 40 - len(clips.rejected) // 3 > 20
    assert waveforms.shape[1:] == (16000, 1)
    assert labels.dtype == np.int64
    # Values from 0 to 255, of few samples.
    assert 0 < waveforms.max() <= 255 / 2**15
    assert not waveforms[:, 1000:].any()


def write_rendering(folder):
    folder.mkdir(parents=True, exist_ok=True)
    rows = []
    for number in range(20):
        random = np.random.default_rng(number)
        whole = random.integers(-9000, 9000, 6000, np.int16)
        soundfile.write(folder / f"{number}.wav", whole, 11025)
        style, family = "ab"[number % 2], f"family {number // 2}"
        rows.append((f"{number}.wav", style, family, f"{family} {number}", 60 + number))
    with open(folder / "labels.csv", "w", newline="") as file:
        header = ("file", "label", "family", "groove", "bpm")
        csv.writer(file).writerows([header, *rows])


@pytest.mark.parametrize("given", [True, False])
def test_grooves(tmp_path, fresh_cache, monkeypatch, given):
    from zoo.datasets.audio import grooves

    rendered = []
    monkeypatch.setattr(
        grooves, "render", lambda path: rendered.append(path) or write_rendering(path)
    )
    if given:
        write_rendering(tmp_path / "mine")
    folder = tmp_path / "mine" if given else None
    tempo = sounds("grooves_tempo", folder, seconds=0.5)
    style = sounds("grooves_style", folder, seconds=0.5)
    assert rendered == ([] if given else [fresh_cache / "rendered" / "grooves"])
    assert tempo.info.task == "tempo"
    assert style.info.classes == ("a", "b")
    assert tempo.info.splits == style.info.splits == {"train": 16, "test": 4}
    assert len(tempo.info.groups["test"]) == 2
    assert tempo.folder == style.folder
    _, bpm = epoch(tempo.load("test"))
    assert bpm.dtype == np.float32
    for song, tempo_of in zip(tempo.songs("test"), bpm, strict=True):
        assert tempo_of == 60 + int(song.removesuffix(".wav"))
    by_groove = sounds("grooves_style", folder, split_by="groove", seconds=0.5)
    assert len(by_groove.info.groups["test"]) == 4


def test_synthetic_speech(tmp_path):
    pytest.importorskip("espeakng_loader")
    from zoo.datasets.audio import synthetic_speech

    voices = synthetic_speech.list_voices()[:5]
    synthetic_speech.render(tmp_path, words=("0", "1"), voices=voices, accents=["en"])
    clips = sounds("synthetic_speech", tmp_path)
    assert clips.info.classes == tuple("0123456789")
    assert clips.info.splits == {"train": 8, "test": 2}
    assert len(clips.info.groups["test"]) == 1
    assert set(sum(clips.info.groups.values(), ())) == set(voices)
    waveforms, labels = epoch(clips.load("train"))
    assert sorted(labels) == [0] * 4 + [1] * 4
    assert waveforms.shape == (8, 8000, 1)
    assert np.abs(waveforms).max((1, 2)).min() > 0.8


@pytest.mark.parametrize("name", ["mnist1d", "mnist1d_shuffled"])
def test_mnist1d(name):
    facts = info(name)
    for split, count in facts.splits.items():
        signals, labels = epoch(load(name, split))
        assert signals.shape == (count, 40, 1)
        assert signals.dtype == np.float32
        assert set(labels) == set(range(10))
        assert signals.min() < -1 < 1 < signals.max()


def test_other_sets_are_no_sounds():
    with pytest.raises(ValueError, match="digits is no set of sounds"):
        sounds("digits")


def test_a_set_that_cannot_be_made_says_what_to_install(fresh_cache, monkeypatch):
    from zoo.datasets.audio import grooves

    def without_mido(folder):
        raise ImportError("Grooves need mido: pip install mido")

    monkeypatch.setattr(grooves, "render", without_mido)
    with pytest.raises(
        ValueError, match="grooves_tempo can't be made: .* install mido"
    ):
        sounds("grooves_tempo")
