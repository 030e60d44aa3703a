"""Sound sets that tensorflow-datasets has prepared, in the cache of decoded sound."""

import dataclasses
import functools
import hashlib
import re
from pathlib import Path

import numpy as np
import tensorflow_datasets as tfds

from zoo.datasets._quiet import quiet_about
from zoo.datasets.audio.cache import Part, sound_cache
from zoo.datasets.audio.clips import split_clips
from zoo.datasets.audio.recording import BadSoundError, make_sound
from zoo.datasets.audio.table import Row
from zoo.datasets.pipeline.tfds_source import prepared_or_fetched

SPLIT_NAMES = {"train": "train", "valid": "validation", "validation": "validation"}
SPLIT_NAMES |= {"test": "test"}
# Examples to a shard, at most and at least.
LARGEST_PART, SMALLEST_PART = 512, 64
FEWEST_PARTS = 8
FULL_SCALE = 2**15
# Damaged in the public copies.
GTZAN_CORRUPT = "jazz.00054"
GTZAN_LISTS = {
    "train": "train_filtered.txt",
    "validation": "valid_filtered.txt",
    "test": "test_filtered.txt",
}


def tfds_clips(info, data_dir, download, options):
    """The clips of speech_commands, gtzan, nsynth or spoken_digit.

    Args:
        info: its `DatasetInfo`.
        data_dir: the folder given to tensorflow-datasets, or None for the cache.
        download: whether it may be downloaded if it is not there.
        options: `SoundOptions`.

    Returns:
        A `SoundClips`.

    Raises:
        ValueError: it is not there, or what is there cannot be used.
    """
    name = info.name
    builder = prepared_or_fetched(name, data_dir, download)
    parts = [
        part
        for split in sorted(builder.info.splits)
        for part in _parts(builder, split, options.sample_rate)
    ]
    key = f"{name}-{_fingerprint(builder)}-{options.sample_rate}x1"
    cache = sound_cache(key, 1, _numbered(parts), name)
    names = _label_feature(name, builder.info.features).names
    rows = [
        Row(
            sound["name"],
            Path(sound["name"]),
            names[sound["label"]],
            sound["name"],
            SPLIT_NAMES[sound["split"]],
        )
        for sound in cache.sounds
    ]
    as_published = True
    if name == "gtzan":
        rows, as_published = _gtzan_rows(rows, data_dir)
    elif name == "spoken_digit":
        rows = [
            dataclasses.replace(row, group=_speaker(row.name), split=None)
            for row in rows
        ]
    title = f"{name} in {builder.data_dir}"
    info = dataclasses.replace(
        info, source=f"tensorflow-datasets {builder.info.full_name}"
    )
    return split_clips(info, title, cache, rows, {}, options, as_published)


def _gtzan_rows(rows, data_dir):
    """The rows to use, and whether their split is a published one."""
    lists = {}
    for split, file in GTZAN_LISTS.items():
        path = Path(data_dir or ".") / file
        if data_dir is not None and path.is_file():
            for line in path.read_text(encoding="utf-8").split():
                lists[Path(line).stem] = split
    rows = [row for row in rows if Path(row.name).stem != GTZAN_CORRUPT]
    if lists:
        rows = [
            dataclasses.replace(row, split=lists[Path(row.name).stem])
            for row in rows
            if Path(row.name).stem in lists
        ]
        return rows, True
    return [dataclasses.replace(row, split=None) for row in rows], False


def _speaker(name):
    """The speaker in a name such as 7_jackson_32.wav."""
    found = re.fullmatch(r"\d_([^_]+)_\d+(\.wav)?", name)
    return found[1] if found else name


def _parts(builder, split, sample_rate):
    count = builder.info.splits[split].num_examples
    size = min(LARGEST_PART, max(SMALLEST_PART, -(-count // FEWEST_PARTS)))
    parts = []
    for first in range(0, count, size):
        last = min(first + size, count)
        sounds = functools.partial(_sounds, builder, split, first, last, sample_rate)
        parts.append((f"{split}-{first // size:05d}", last - first, sounds))
    return parts


def _numbered(parts):
    """`Part`s, whose sounds are numbered through."""
    result, first = [], 0
    for name, count, sounds in parts:
        result.append(Part(name, count, functools.partial(sounds, first)))
        first += count
    return result


def _sounds(builder, split, first, last, sample_rate, index):
    feature = builder.info.features["audio"]
    rate = feature.sample_rate
    with quiet_about(".dtype` is deprecated"):
        examples = builder.as_dataset(
            split=f"{split}[{first}:{last}]", shuffle_files=False
        )
    for number, example in enumerate(tfds.as_numpy(examples)):
        waveform = example["audio"]
        if not np.issubdtype(waveform.dtype, np.floating):
            waveform = waveform / FULL_SCALE
        waveform = waveform.astype(np.float32).reshape(-1, 1)
        facts = {
            "index": index + number,
            "name": _name(example, split, first + number),
            "label": int(_label(example)),
            "split": split,
        }
        try:
            yield facts, make_sound(waveform, rate, sample_rate, 1)
        except BadSoundError as error:
            yield facts, error


def _name(example, split, number):
    for key in ("audio/filename", "id"):
        if key in example:
            return example[key].decode()
    return f"{split}/{number:06d}"


def _label(example):
    return example["label"] if "label" in example else example["instrument"]["family"]


def _label_feature(name, features):
    return features["instrument"]["family"] if name == "nsynth" else features["label"]


def _fingerprint(builder):
    """16 hexadecimal digits of what stands in the folder, by sizes and times.

    To read tens of gigabytes before each run would take minutes.
    """
    digest = hashlib.sha256(b"1")
    for path in sorted(Path(builder.data_dir).iterdir()):
        facts = path.stat()
        digest.update(repr((path.name, facts.st_size, facts.st_mtime_ns)).encode())
    return digest.hexdigest()[:16]
