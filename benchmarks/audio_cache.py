"""Clips a second from the cache of sounds, against decoding in the pipeline.

    python benchmarks/audio_cache.py DATA_DIR > benchmarks/results/audio_cache.txt

DATA_DIR holds the Free Spoken Digit Dataset (its wav files, or a folder fsdd). All
pipelines give the same batches of 64 clips, mixed, and take turns; the figures are
medians of the rounds, the first by the clock, the second by the time that the process
had on all its cores together, which other programs do not change much. The pipeline
that decodes calls `librosa.load` for each clip in a `tf.py_function`, as tutorials do,
on all cores. Digits are small WAV files, the least work that a decoder can have; songs
are MP3 files of noise, 30 s, 44.1 kHz, stereo.

A figure is of five epochs of one iterator: it takes 0.06 s to start, as long as the
2,000 digits take to read, and a set that must be streamed has over 100,000.

Then m5 trains on real clips and on one constant batch, in turns: what the data cost.
"""

import os
import platform
import statistics
import sys
import tempfile
import time
import warnings
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

import keras
import librosa
import numpy as np
import soundfile
import tensorflow as tf

import zoo
from zoo.datasets.audio import cut_clips

BATCH, ROUNDS, EPOCHS = 64, 3, 5
STEPS, TURNS = 2, 10


def decoding(folder, clips):
    """The same clips by librosa.load, whenever they are needed."""
    samples, rate = clips.info.input_shape[0], clips.info.sample_rate
    songs = clips.songs("train")
    first = np.unique(songs, return_index=True)
    first = dict(zip(*first, strict=True))
    offsets = [
        (place - first[song]) * samples / rate for place, song in enumerate(songs)
    ]

    def read(song, offset):
        waveform, _ = librosa.load(
            folder / song.numpy().decode(),
            sr=rate,
            offset=float(offset),
            duration=samples / rate,
            res_type="soxr_hq",
        )
        clip = np.zeros((samples, 1), np.float32)
        clip[: len(waveform), 0] = waveform[:samples]
        return clip

    def clip(song, offset):
        waveform = tf.py_function(read, [song, offset], tf.float32)
        return tf.ensure_shape(waveform, (samples, 1)), tf.strings.length(song)

    dataset = tf.data.Dataset.from_tensor_slices((songs, offsets))
    dataset = dataset.shuffle(len(songs), 0, reshuffle_each_iteration=True)
    dataset = dataset.map(clip, num_parallel_calls=tf.data.AUTOTUNE)
    return dataset.batch(BATCH).prefetch(tf.data.AUTOTUNE)


def write_songs(folder):
    random = np.random.default_rng(0)
    for number in range(40):
        path = folder / f"genre {number % 2}" / f"{number}.mp3"
        path.parent.mkdir(exist_ok=True)
        noise = random.normal(0, 0.1, (30 * 44100, 2)).astype(np.float32)
        soundfile.write(path, noise, 44100, format="MP3")


def streamed(clips):
    limit, cut_clips.MEMORY_LIMIT = cut_clips.MEMORY_LIMIT, 0
    try:
        return clips.load("train", BATCH)
    finally:
        cut_clips.MEMORY_LIMIT = limit


def clips_a_second(dataset):
    """By the clock, and of a core, for some epochs in a row."""
    dataset = dataset.repeat(EPOCHS)
    clock, cores = time.perf_counter(), time.process_time()
    count = sum(len(label) for _, label in dataset)
    return (
        count / (time.perf_counter() - clock),
        count / (time.process_time() - cores),
    )


def compare(folder, title, load):
    clock = time.perf_counter()
    clips = load()
    seconds = time.perf_counter() - clock
    datasets = {
        "librosa.load in a py_function": decoding(folder, clips),
        "zoo.datasets, in memory": clips.load("train", BATCH),
        "zoo.datasets, streamed": streamed(clips),
    }
    rounds = [
        {name: clips_a_second(dataset) for name, dataset in datasets.items()}
        for _ in range(ROUNDS + 1)
    ][1:]  # the first warms up
    print(f"\n{title}; prepared once, in {seconds:.1f} s")
    print(f"{'clips a second':<32} {'clock':>8} {'a core':>8}  times librosa's")
    librosas = next(iter(datasets))
    for name in datasets:
        clock, core = (
            statistics.median(each[name][kind] for each in rounds) for kind in (0, 1)
        )
        by_clock, by_core = (
            statistics.median(
                each[name][kind] / each[librosas][kind] for each in rounds
            )
            for kind in (0, 1)
        )
        print(f"{name:<32} {clock:8.0f} {core:8.0f}  {by_clock:.1f}, {by_core:.1f}")
    return clips


def compare_steps(clips):
    """Milliseconds a step of m5, on real clips and on a constant batch."""
    keras.utils.set_random_seed(0)
    model = zoo.m5(input_shape=clips.info.input_shape, classes=10)
    model.compile("adam", "sparse_categorical_crossentropy")
    real = iter(clips.load("train", BATCH).repeat())
    constant = next(real)

    def seconds(next_batch):
        clock, cores = time.perf_counter(), time.process_time()
        for _ in range(STEPS):
            model.train_on_batch(*next_batch())
        return (
            (time.perf_counter() - clock) / STEPS,
            (time.process_time() - cores) / STEPS,
        )

    ways = {"a constant batch": lambda: constant, "real clips": lambda: next(real)}
    rounds = [
        {name: seconds(way) for name, way in ways.items()} for _ in range(TURNS + 1)
    ][1:]
    clock = time.perf_counter()
    for _ in range(100):
        next(real)
    alone = (time.perf_counter() - clock) / 100
    print(f"\nm5, batches of {BATCH} clips of {clips.info.input_shape[0]} samples")
    print(f"{'ms a step':<32} {'clock':>8} {'cores':>8}  times the constant's")
    for name in ways:
        clock, cores = (
            1e3 * statistics.median(each[name][kind] for each in rounds)
            for kind in (0, 1)
        )
        by_clock, by_cores = (
            statistics.median(
                each[name][kind] / each["a constant batch"][kind] for each in rounds
            )
            for kind in (0, 1)
        )
        print(f"{name:<32} {clock:8.1f} {cores:8.1f}  {by_clock:.3f}, {by_cores:.3f}")
    print(f"{'a batch of clips alone':<32} {1e3 * alone:8.2f}")


def main():
    if len(sys.argv) != 2:
        sys.exit(__doc__.split("\n\n")[1].strip())
    folder = Path(sys.argv[1])
    folder = folder / "fsdd" if (folder / "fsdd").is_dir() else folder
    warnings.simplefilter("ignore")
    print(f"tensorflow {tf.__version__}, librosa {librosa.__version__}, ", end="")
    print(f"{platform.machine()}, {len(os.sched_getaffinity(0))} cores, ", end="")
    print(f"load average before {os.getloadavg()[0]:.1f}")
    with tempfile.TemporaryDirectory() as temporary:
        os.environ["CONVZOO_CACHE"] = f"{temporary}/cache"
        digits = compare(
            folder,
            "Digits, 1 s at their own 8 kHz",
            lambda: zoo.datasets.sounds("spoken_digits", folder),
        )
        compare(
            folder,
            "Digits, 1 s at 16 kHz",
            lambda: zoo.datasets.sounds("spoken_digits", folder, sample_rate=16000),
        )
        songs = Path(temporary, "songs")
        songs.mkdir()
        write_songs(songs)
        compare(
            songs,
            "Songs, 59,049 samples at 22.05 kHz",
            lambda: zoo.datasets.audio_folder(songs, 22050, 59049 / 22050),
        )
        compare_steps(digits)


if __name__ == "__main__":
    main()
