"""Clips of sounds as they are loaded: lengths, levels, order, memory and stream."""

import warnings

import hypothesis
import hypothesis.strategies as st
import numpy as np
import pytest
import tensorflow as tf
from tensorflow.python.data.experimental.ops import distribute

from zoo.datasets import Share, audio_folder, info, load
from zoo.datasets.audio import cut_clips, fill_cache
from zoo.datasets.audio.cut_clips import clip_count

RATE = 8000


def clips_of(sounds, **options):
    return audio_folder(
        sounds.folder, **{"sample_rate": RATE, "seconds": 0.5} | options
    )


def epoch(dataset):
    batches = list(dataset.as_numpy_iterator())
    return tuple(np.concatenate(parts) for parts in zip(*batches, strict=True))


def as_set(waveforms):
    return {waveform.tobytes() for waveform in waveforms}


@pytest.fixture(params=["memory", "stream"])
def place(request, monkeypatch):
    if request.param == "stream":
        monkeypatch.setattr(cut_clips, "MEMORY_LIMIT", 0)
    return request.param


def test_shapes_values_and_facts(sounds, place):
    sounds.fill()
    clips = clips_of(sounds)
    facts = clips.info
    assert (facts.input_name, facts.input_shape) == ("waveform", (4000, 1))
    assert (facts.sample_rate, facts.task) == (RATE, "classes")
    assert facts.classes == ("cat", "dog")
    assert facts.splits == {"train": 16, "test": 4}
    assert {split: len(names) for split, names in facts.groups.items()} == facts.splits
    for split, count in facts.splits.items():
        dataset = clips.load(split, batch_size=3)
        waveform_spec, label_spec = dataset.element_spec
        assert waveform_spec.shape.as_list() == [None, 4000, 1]
        assert (waveform_spec.dtype, label_spec.dtype) == (tf.float32, tf.int64)
        assert int(dataset.cardinality()) == -(-count // 3)
        waveforms, labels = epoch(clips.load(split, batch_size=3, training=False))
        assert waveforms.shape == (count, 4000, 1)
        for waveform, label, song in zip(
            waveforms, labels, clips.songs(split), strict=True
        ):
            name, index = song.split("/")
            assert name == facts.classes[label]
            seed = 1000 * label + int(index.removesuffix(".wav"))
            whole = np.random.default_rng(seed).integers(-9000, 9000, 4000, np.int16)
            np.testing.assert_array_equal(waveform[:, 0], whole / np.float32(2**15))


def test_unbatched(sounds, place):
    sounds.fill()
    dataset = clips_of(sounds).load("test", None)
    assert int(dataset.cardinality()) == 4
    waveform, label = next(dataset.as_numpy_iterator())
    assert (waveform.shape, label.shape) == ((4000, 1), ())


@hypothesis.settings(deadline=None)
@hypothesis.given(st.integers(1, 10_000), st.integers(1, 3000))
def test_clips_cover_a_sound_but_for_less_than_half_a_clip(frames, samples):
    count = clip_count(frames, samples)
    assert count >= 1
    if frames >= samples:
        assert -samples < 2 * (frames - count * samples) < samples or (
            2 * (count * samples - frames) == samples
        )
    else:
        assert count == 1


@pytest.mark.parametrize(
    ("frames", "count"),
    [(10, 1), (4000, 1), (5999, 1), (6000, 2), (8000, 2), (13999, 3)],
)
def test_long_and_short_sounds(sounds, place, frames, count):
    whole = sounds.write("a/long.wav", 1, frames)
    sounds.write("b/other.wav", 2)
    sounds.write("b/test.wav", 3)
    clips = clips_of(sounds, held_out="b/test.wav")
    waveforms, labels = epoch(clips.load("train", training=False))
    ours = waveforms[labels == 0][..., 0]
    assert len(ours) == count
    padded = np.zeros(count * 4000, np.float32)
    known = min(frames, count * 4000)
    padded[:known] = whole[:known] / 2**15
    np.testing.assert_array_equal(ours.ravel(), padded)
    # In order, and together, for the mean over a song.
    assert list(clips.songs("train")).count("a/long.wav") == count
    changes = (clips.songs("train")[1:] != clips.songs("train")[:-1]).sum()
    assert changes == 1


def test_resampled_whole_then_cut(sounds):
    """The seams of the clips are no edges to the resampler."""
    sounds.write("a/long.wav", 1, 16000)
    sounds.write("b/x.wav", 2)
    sounds.write("b/y.wav", 3)
    options = {"sample_rate": 11025, "held_out": "b/y.wav"}
    in_one = clips_of(sounds, seconds=2.0, **options)
    in_pieces = clips_of(sounds, seconds=0.25, **options)
    parts = []
    for clips in (in_one, in_pieces):
        waveforms, labels = epoch(clips.load("train", training=False))
        parts.append(waveforms[labels == 0].ravel())
    length = min(map(len, parts))
    assert length > 21000
    np.testing.assert_array_equal(parts[0][:length], parts[1][:length])
    assert in_one.folder == in_pieces.folder


def test_levels(sounds, place):
    quiet = sounds.write("a/quiet.wav", 1, 1000) // 100
    import soundfile

    soundfile.write(sounds.folder / "a" / "quiet.wav", quiet, RATE)
    soundfile.write(sounds.folder / "a" / "silent.wav", np.zeros(4000), RATE)
    sounds.write("b/loud.wav", 2)
    sounds.write("b/test.wav", 3)
    found = {}
    for normalize in (None, "peak", "rms"):
        clips = clips_of(sounds, normalize=normalize, held_out="b/test.wav")
        waveforms, _ = epoch(clips.load("train", training=False))
        found[normalize] = dict(zip(clips.songs("train"), waveforms, strict=True))
    plain = found[None]
    for song, waveform in found["peak"].items():
        if "silent" in song:
            np.testing.assert_array_equal(waveform, 0)
            continue
        expected = plain[song] / np.abs(plain[song]).max()
        np.testing.assert_allclose(waveform, expected, rtol=1e-6)
        assert np.abs(waveform).max() == pytest.approx(1)
    for song, waveform in found["rms"].items():
        length = 1000 if "quiet" in song else 4000
        level = np.sqrt(np.mean(np.square(waveform[:length], dtype=float)))
        assert level == pytest.approx(0 if "silent" in song else 0.1, rel=1e-5)


def test_as_good_as_silent_is_not_blown_up(sounds):
    import soundfile

    for name, value in (("a/x", 3e-4), ("b/y", 1e-9), ("b/z", 0.5)):
        sounds.write(f"{name}.wav", 1)
        alternating = value * (-1.0) ** np.arange(4000)
        soundfile.write(sounds.folder / f"{name}.wav", alternating, RATE, "FLOAT")
    clips = clips_of(sounds, normalize="peak", held_out="b/z.wav")
    waveforms, _ = epoch(clips.load("train", training=False))
    peaks = dict(zip(clips.songs("train"), np.abs(waveforms).max((1, 2)), strict=True))
    assert peaks["a/x.wav"] == pytest.approx(0.3, rel=1e-3)
    assert peaks["b/y.wav"] == pytest.approx(1e-6, rel=1e-3)


def test_order_of_training(sounds, place):
    sounds.fill(count=20)
    clips = clips_of(sounds)
    one, same = (clips.load("train", 5, seed=7) for _ in range(2))
    first = epoch(one)
    np.testing.assert_array_equal(first[0], epoch(same)[0])
    second = epoch(one)
    np.testing.assert_array_equal(second[0], epoch(same)[0])
    assert not np.array_equal(first[0], second[0])
    other = epoch(clips.load("train", 5, seed=8))
    assert not np.array_equal(first[0], other[0])
    assert as_set(first[0]) == as_set(second[0]) == as_set(other[0])
    assert len(as_set(first[0])) == clips.info.splits["train"]
    assert 0 < first[1][:8].sum() < 8


def test_clips_of_a_song_are_mixed_with_others(sounds, place):
    for label in ("a", "b"):
        for number in range(8):
            seed = 10 * ord(label) + number
            sounds.write(f"{label}/{number}.wav", seed, 4000 * (1 + 5 * number))
    clips = clips_of(sounds)
    held = epoch(clips.load("train", training=False))[0]
    dataset = clips.load("train", 7, seed=3)
    first, second = epoch(dataset)[0], epoch(dataset)[0]
    assert as_set(first) == as_set(second) == as_set(held)
    assert len(first) == len(held) == clips.info.splits["train"]
    assert not np.array_equal(first, second)
    again = epoch(clips.load("train", 7, seed=3))[0]
    np.testing.assert_array_equal(first, again)
    songs = dict(zip((x.tobytes() for x in held), clips.songs("train"), strict=True))
    order = [songs[x.tobytes()] for x in first]
    neighbours = sum(one == next_ for one, next_ in zip(order, order[1:], strict=False))
    assert neighbours < len(order) / 3  # in order they are nearly all


def test_order_of_evaluation(sounds, monkeypatch):
    sounds.fill(count=20)
    clips = clips_of(sounds)
    held = {
        split: epoch(clips.load(split, training=False)) for split in ("train", "test")
    }
    monkeypatch.setattr(cut_clips, "MEMORY_LIMIT", 0)
    for split, (waveforms, labels) in held.items():
        dataset = clips.load(split, 7, seed=split == "test", training=False)
        for _ in range(2):
            again = epoch(dataset)
            np.testing.assert_array_equal(again[0], waveforms)
            np.testing.assert_array_equal(again[1], labels)
    np.testing.assert_array_equal(epoch(clips.load("test"))[0], held["test"][0])


def test_a_loop_that_stops_early_does_not_shorten_the_next(sounds, place):
    """As `Dataset.cache()` did."""
    sounds.fill()
    dataset = clips_of(sounds).load("train", 2)
    for _ in dataset.take(1):
        pass
    assert len(epoch(dataset)[0]) == len(epoch(dataset)[0]) == 16


@pytest.mark.parametrize("training", [True, False])
def test_workers_share_the_shards(sounds, monkeypatch, training):
    monkeypatch.setattr(cut_clips, "MEMORY_LIMIT", 0)
    sounds.fill(count=20)
    clips = clips_of(sounds)
    everything = as_set(epoch(clips.load("train"))[0])
    with tf.distribute.OneDeviceStrategy("CPU:0").scope():
        dataset = clips.load("train", 4, training=training)
    options = tf.data.Options()
    options.experimental_distribute.auto_shard_policy = (
        tf.data.experimental.AutoShardPolicy.FILE
    )
    shares = [
        as_set(
            epoch(distribute._AutoShardDataset(dataset.with_options(options), 2, n))[0]
        )
        for n in range(2)
    ]
    assert all(shares)
    assert not shares[0] & shares[1]
    assert shares[0] | shares[1] == everything


def test_files_may_go_once_they_are_decoded(sounds, place):
    sounds.fill()
    dataset = clips_of(sounds).load("train", 2)
    first = epoch(dataset)
    for path in sounds.folder.rglob("*.wav"):
        path.unlink()
    assert as_set(epoch(dataset)[0]) == as_set(first[0])


def test_a_shard_that_goes_while_it_is_read(sounds, place, fresh_cache):
    sounds.fill()
    clips = clips_of(sounds)
    dataset = clips.load("train", 2, training=False)
    whole = epoch(dataset)[0]
    shard = sorted(clips.folder.glob("*.tfrecord"))[-1]
    shard.unlink()
    if place == "memory":
        np.testing.assert_array_equal(epoch(dataset)[0], whole)
        return
    with pytest.raises(tf.errors.NotFoundError) as caught:
        epoch(dataset)
    assert f"{shard}; No such file or directory" in str(caught.value)
    # The next run mends it.
    np.testing.assert_array_equal(
        epoch(clips_of(sounds).load("train", 2, training=False))[0], whole
    )


def test_cut_shard(sounds, monkeypatch, fresh_cache):
    monkeypatch.setattr(cut_clips, "MEMORY_LIMIT", 0)
    sounds.fill()
    clips = clips_of(sounds)
    dataset = clips.load("train", 2, training=False)
    shard = sorted(clips.folder.glob("*.tfrecord"))[-1]
    shard.write_bytes(shard.read_bytes()[:-100])
    with pytest.raises(tf.errors.DataLossError, match="truncated record"):
        epoch(dataset)


@pytest.mark.parametrize(
    ("task", "labels", "classes", "targets"),
    [
        ("binary", ("like", "dislike"), ("no", "yes"), {"like": 1, "dislike": 0}),
        ("tags", ("a;b", "b;c"), ("a", "b", "c"), {"a;b": [1, 1, 0], "b;c": [0, 1, 1]}),
        ("rating", ("7", "99.5"), (), {"7": 7, "99.5": 99.5}),
        ("tempo", ("60", "120.5"), (), {"60": 60, "120.5": 120.5}),
    ],
)
def test_targets(sounds, place, task, labels, classes, targets):
    lines = ["file,label"]
    for number in range(20):
        sounds.write(f"{number}.wav", number)
        lines.append(f"{number}.wav,{labels[number % 2]}")
    (sounds.folder / "labels.csv").write_text("\n".join(lines))
    clips = clips_of(sounds, labels="labels.csv", task=task)
    assert (clips.info.task, clips.info.classes) == (task, classes)
    assert clips.info.splits == {"train": 16, "test": 4}
    _, found = epoch(clips.load("test"))
    assert found.dtype == np.float32
    for song, target in zip(clips.songs("test"), found, strict=True):
        label = labels[int(song.removesuffix(".wav")) % 2]
        np.testing.assert_array_equal(target, np.float32(targets[label]))


def test_speakers(sounds):
    for speaker in ("ann", "bob", "cyd"):
        for label in ("yes", "no"):
            for number in range(2):
                seed = hash_of(speaker, label, number)
                sounds.write(f"{label}/{speaker}/{number}.wav", seed)
    options = {"split_by": "speaker", "held_out": "bob", "validate_on": ["cyd"]}
    clips = clips_of(sounds, **options)
    assert clips.info.groups == {
        "train": ("ann",),
        "validation": ("cyd",),
        "test": ("bob",),
    }
    for split, names in clips.info.groups.items():
        assert {song.split("/")[1] for song in clips.songs(split)} == set(names)
        assert len(epoch(clips.load(split))[0]) == 4
    with pytest.raises(ValueError, match="labels without a sound to train on: no, yes"):
        clips_of(sounds, split_by="speaker", held_out=["ann", "bob", "cyd"])


def hash_of(*parts):
    return sum(31**place * ord(c) for place, c in enumerate(repr(parts))) % 2**32


def test_load_and_info_give_the_same(sounds):
    sounds.fill()
    options = {"sample_rate": RATE, "seconds": 0.25, "normalize": "peak"}
    clips = audio_folder(sounds.folder, **options)
    assert info("audio_folder", sounds.folder, **options) == clips.info
    for split in ("train", "test"):
        for one, other in zip(
            clips.load(split, 5, 3),
            load("audio_folder", split, 5, 3, sounds.folder, **options),
            strict=True,
        ):
            np.testing.assert_array_equal(one[0], other[0])
            np.testing.assert_array_equal(one[1], other[1])
    facts = info("audio_folder", sample_rate=22050, seconds=2, channels=2, task="tempo")
    assert (facts.input_shape, facts.sample_rate) == ((44100, 2), 22050)
    assert (facts.task, facts.splits, facts.groups) == ("tempo", {}, {})


def test_channels(sounds, place):
    import soundfile

    stereo = np.random.default_rng(0).integers(-9000, 9000, (6, 4000, 2), np.int16)
    for number, whole in enumerate(stereo):
        (sounds.folder / "ab"[number % 2]).mkdir(exist_ok=True)
        path = sounds.folder / "ab"[number % 2] / f"{number}.flac"
        soundfile.write(path, whole, RATE)
    clips = clips_of(sounds, channels=2)
    assert clips.info.input_shape == (4000, 2)
    waveforms, _ = epoch(clips.load("test"))
    for song, waveform in zip(clips.songs("test"), waveforms, strict=True):
        np.testing.assert_array_equal(waveform, stereo[int(song[2])] / 2**15)
    mixed = clips_of(sounds)
    waveforms, _ = epoch(mixed.load("test"))
    for song, waveform in zip(mixed.songs("test"), waveforms, strict=True):
        expected = stereo[int(song[2])].mean(axis=1) / 2**15
        np.testing.assert_allclose(waveform[:, 0], expected, atol=2e-5)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (
            {"split": "validation"},
            "has no split 'validation': choose one of train, test",
        ),
        ({"split": "train[:80%]"}, "Parts of a split would share songs"),
        ({"split": None}, "has no split None"),
        ({"batch_size": 0}, "or None for single clips; received 0"),
        ({"seed": 0.5}, "seed must be an integer"),
    ],
)
def test_wrong_arguments_of_load(sounds, arguments, message):
    clips = clips_of(sounds) if sounds.fill() else None
    with pytest.raises(ValueError) as caught:
        clips.load(**{"split": "test"} | arguments)
    assert message in str(caught.value)


def test_wrong_options_of_load(sounds):
    with pytest.raises(TypeError, match="no option rate: sound sets take sample_rate"):
        load("audio_folder", "train", data_dir=sounds.folder, rate=8000)
    with pytest.raises(ValueError, match="digits does not take sample_rate"):
        load("digits", "train", sample_rate=8000)
    with pytest.raises(ValueError, match="needs the folder of the sounds as data_dir"):
        load("audio_folder", "train")
    with pytest.raises(ValueError, match=r"The clips of audio_folder have the shape"):
        load("audio_folder", "train", image_shape=(8, 8, 1))


# What each bad file among good ones is worth, and whether it is used.
BAD = {
    "empty.wav": ("empty, 0 bytes", False),
    "text.wav": ("can't be decoded: Format not recognised", False),
    "frameless.wav": ("holds no sound, 0 frames", False),
    "sample.wav": ("too short: 1 of 8000", False),
    "nan.wav": ("holds NaN or infinite values", False),
    "silent.wav": ("silent", True),
    "constant.wav": ("holds one value only", True),
    "offset.wav": ("DC offset of 0.4", True),
    "clipped.wav": ("clipped", True),
}


def write_bad(folder):
    import soundfile

    random = np.random.default_rng(9)
    noise = random.normal(0, 0.1, 4000)
    (folder / "empty.wav").touch()
    (folder / "text.wav").write_text("no sound " * 99)
    for name, samples in {
        "frameless": noise[:0],
        "sample": noise[:1],
        "nan": np.where(noise > 0.3, np.nan, noise),
        "silent": noise * 0,
        "constant": noise * 0 + 0.5,
        "offset": noise + 0.4,
        "clipped": np.clip(noise * 10, -1, 1),
    }.items():
        soundfile.write(folder / f"{name}.wav", samples, RATE, "FLOAT")


def test_bad_files_are_listed_and_never_read_as_silence(sounds, fresh_cache):
    sounds.fill()
    before = clips_of(sounds)
    assert (before.rejected, before.remarks) == ({}, {})
    write_bad(sounds.folder / "dog")
    (sounds.folder / "readme.txt").write_text("mine")
    message = r"6 of 30 files can't be used: .* and 1 more\. 4 that are used are susp"
    with pytest.warns(UserWarning, match=message) as caught:
        clips = clips_of(sounds)
    assert len(caught) == 1
    assert caught[0].filename == __file__  # where the user stands
    for name, (reason, used) in BAD.items():
        listed = clips.remarks if used else clips.rejected
        assert reason in listed[f"dog/{name}"]
    assert clips.rejected["readme.txt"] == "does not stand in label/file"
    assert len(clips.rejected) == 6
    assert len(clips.remarks) == 4
    assert clips.info.splits["train"] + clips.info.splits["test"] == 24

    songs = np.concatenate([clips.songs("train"), clips.songs("test")])
    waveforms = np.concatenate(
        [epoch(clips.load(split, training=False))[0] for split in ("train", "test")]
    )
    assert not set(songs) & set(clips.rejected)
    assert list(songs[np.abs(waveforms).max((1, 2)) == 0]) == ["dog/silent.wav"]
    for file, column in (("rejected", "reason"), ("remarks", "remark")):
        lines = (clips.folder / f"{file}.csv").read_text().splitlines()
        assert lines[0] == f"file,{column}"
        assert len(lines) == 6 - (file == "remarks")


def test_a_lost_class(sounds):
    sounds.fill()
    (sounds.folder / "emu").mkdir()
    (sounds.folder / "emu" / "1.wav").write_bytes(b"")
    with pytest.warns(UserWarning, match="1 of 21 files can't be used: emu/1.wav"):
        with pytest.raises(ValueError, match="labels without a sound to train on: emu"):
            clips_of(sounds)


def test_nothing_left(sounds):
    for name in ("a/1.wav", "b/2.wav"):
        sounds.write(name, 0)
        (sounds.folder / name).write_bytes(b"noise")
    with pytest.warns(UserWarning, match="2 of 2 files"):
        with pytest.raises(
            ValueError, match="holds no sound that can be used: a/1.wav"
        ):
            clips_of(sounds)


def test_one_class(sounds):
    for number in range(4):
        sounds.write(f"only/{number}.wav", number)
    with pytest.raises(ValueError, match="two classes at least; received only"):
        clips_of(sounds)


def test_copies(sounds):
    """One recording as WAV and as FLAC is one song; under two labels it is nothing."""
    sounds.fill()
    for number in range(10):
        sounds.write(f"cat/again_{number}.wav", number, format="FLAC")
    clips = clips_of(sounds)
    test = set(clips.songs("test"))
    assert len(test) == 6
    for number in range(10):
        both = {f"cat/{number}.wav", f"cat/again_{number}.wav"}
        assert both <= test or not both & test

    sounds.write("dog/copy.wav", 3)
    with pytest.warns(UserWarning, match="3 of 31 files"):
        clips = clips_of(sounds)
    assert set(clips.rejected) == {"cat/3.wav", "cat/again_3.wav", "dog/copy.wav"}
    assert "which has another label" in clips.rejected["cat/3.wav"]


def test_silence_of_two_classes_is_kept(sounds):
    import soundfile

    sounds.fill()
    for name in ("cat", "dog"):
        soundfile.write(sounds.folder / name / "silent.wav", np.zeros(4000), RATE)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        clips = clips_of(sounds)
    assert set(clips.remarks) == {"cat/silent.wav", "dog/silent.wav"}


def test_a_table_with_a_group_on_both_sides(sounds):
    lines = ["file,label,band,split"]
    for number in range(8):
        sounds.write(f"{number}.wav", number)
        split = "test" if number > 5 else "train"
        lines.append(f"{number}.wav,{number % 2},band {number // 4},{split}")
    (sounds.folder / "labels.csv").write_text("\n".join(lines))
    with pytest.raises(ValueError, match="received: band 1 in train and test"):
        clips_of(sounds, labels="labels.csv", split_by="band")
    clips = clips_of(sounds, labels=sounds.folder / "labels.csv")
    assert clips.info.splits == {"train": 6, "test": 2}


def test_a_changed_folder_is_decoded_again_and_relabelled_is_not(sounds, monkeypatch):
    sounds.fill()
    before = clips_of(sounds)
    decoded = []
    original = fill_cache.read_sound
    monkeypatch.setattr(
        fill_cache,
        "read_sound",
        lambda path, *rest: decoded.append(path) or original(path, *rest),
    )
    clips_of(sounds, seconds=0.25, normalize="rms", held_out="cat/3.wav")
    assert decoded == []
    sounds.write("dog/3.wav", 4242)
    after = clips_of(sounds)
    assert len(decoded) == 20
    assert after.folder != before.folder
    assert after.info.source != before.info.source
    clips_of(sounds, sample_rate=4000)
    assert len(decoded) == 40


def all_of(dataset):
    return [
        waveform.tobytes()
        for waveforms, _ in dataset.as_numpy_iterator()
        for waveform in waveforms
    ]


# One sound is one clip; or some are long, and clips are mixed beside sounds; or so long
# that each is cut alone.
@pytest.mark.parametrize("seconds", [0.5, 0.1, 0.01])
def test_epochs_of_a_stream(sounds, monkeypatch, seconds):
    sounds.fill(count=30)
    clips = clips_of(sounds, seconds=seconds)
    held = sorted(all_of(clips.epochs("train", 4, seed=1).dataset(0)))
    monkeypatch.setattr(cut_clips, "MEMORY_LIMIT", 0)
    epochs = clips.epochs("train", 4, seed=1)
    assert epochs.by_files
    first, second = (all_of(epochs.dataset(number)) for number in (0, 1))
    assert sorted(first) == sorted(second) == held
    assert first != second and first == all_of(epochs.dataset(0))
    assert all_of(epochs.dataset(1, 3)) == second[12:]
    read = []
    for rank in range(2):
        shared = epochs.shared(Share(2, rank))
        dataset = shared.dataset(1)
        assert len(list(dataset)) == shared.steps
        assert all_of(shared.dataset(1, 1)) == all_of(dataset)[2:]
        read += all_of(dataset)
    assert len(read) == len(set(read)) == shared.steps * 4
    assert set(read) <= set(held)
