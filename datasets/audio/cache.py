"""The cache of decoded sound: shards of 16-bit samples, each built once and checked.

A shard is a TFRecord file; a record is the sound's number in the listing (int32), its
scale (float32) and its samples (int16, channels interleaved), all little-endian. Beside
each shard a JSON file says what is in it. A shard is finished when that file stands
there with the right hash, so a killed process loses the shard that it was at.
"""

import csv
import dataclasses
import json
import os
import struct
import sys
from collections.abc import Callable
from pathlib import Path

import filelock
import rich.console
import rich.progress
import tensorflow as tf

from zoo.datasets.audio.recording import BadSoundError
from zoo.datasets.cache import (
    MANIFEST,
    cache_root,
    file_hash,
    is_intact,
    write_manifest,
)

# Of the decoder: what it wrote before is not read any more.
VERSION = 2
HEAD = struct.Struct("<if")


@dataclasses.dataclass(frozen=True)
class Part:
    """What goes into one shard.

    Attributes:
        name: of the shard's files, without an ending.
        count: how many sounds it has, for the progress bar.
        sounds: function without arguments that yields (facts, sound): a dictionary
            with the "index" and "name" of the sound at least, and a `Sound` or a
            `BadSoundError`. Each time the same.
    """

    name: str
    count: int
    sounds: Callable


@dataclasses.dataclass(frozen=True)
class SoundCache:
    """A finished cache.

    Attributes:
        key: text that names the files, whatever decodes them.
        folder: where it is.
        channels: of every sound.
        shards: paths of the shards that hold sounds, in order.
        sounds: for each shard a list of the facts of the sounds in it, in order:
            "index", "name", "frames", "sound" (hash of what is heard), "quiet", "shard"
            (number of the shard), and what the part said.
        rejected: {name: why it is not in the cache}.
        remarks: {name: what is suspicious about it}.
    """

    key: str
    folder: Path
    channels: int
    shards: tuple[str, ...]
    sounds: tuple[dict, ...]
    rejected: dict[str, str]
    remarks: dict[str, str]


def sound_cache(key, channels, parts, title):
    """The cache of a set of sounds, built if it does not stand ready.

    Args:
        key: text that names the contents, the sample rate and the channels.
        channels: of every sound.
        parts: list of `Part`s, in order.
        title: what the progress bar says.

    Returns:
        A `SoundCache`.

    Raises:
        ValueError: the cache cannot be written.
        SoundChangedError: a source is not what the key was made of.
    """
    folder = cache_root() / "sounds" / f"{key}-v{VERSION}"
    if not is_intact(folder):
        try:
            folder.mkdir(parents=True, exist_ok=True)
            with filelock.FileLock(f"{folder}.lock"):
                # Another process may have built it while this one waited.
                if not is_intact(folder):
                    _build(folder, parts, title)
        except OSError as error:
            raise ValueError(
                f"The sounds of {title} cannot be kept in {folder} ({error}): set "
                f"CONVZOO_CACHE to a folder that can be written and has space."
            ) from error
    return _read_facts(key, folder, parts, channels)


def _build(folder, parts, title):
    (folder / MANIFEST).unlink(missing_ok=True)
    for unfinished in folder.glob("*.tmp"):
        unfinished.unlink()
    columns = (
        rich.progress.TextColumn("{task.description}"),
        rich.progress.BarColumn(),
        rich.progress.MofNCompleteColumn(),
        rich.progress.TimeRemainingColumn(),
    )
    with rich.progress.Progress(
        *columns,
        console=rich.console.Console(stderr=True),
        transient=True,
        disable=not sys.stderr.isatty(),
    ) as progress:
        total = sum(part.count for part in parts)
        bar = progress.add_task(f"decoding {title}", total=total)
        for part in parts:
            if _is_finished(folder, part):
                progress.advance(bar, part.count)
            else:
                _write_shard(folder, part, lambda: progress.advance(bar))
    facts = [fact for part in parts for fact in _facts_of(folder, part)]
    for kind, column in (("rejected", "reason"), ("remarks", "remark")):
        rows = [(fact["name"], fact[column]) for fact in facts if column in fact]
        _write_csv(folder / f"{kind}.csv", ("file", column), rows)
    write_manifest(folder)


def _write_shard(folder, part, advance):
    """The shard, and when that is whole, the facts."""
    temporary = folder / f"{part.name}.tfrecord.tmp"
    facts = []
    with tf.io.TFRecordWriter(str(temporary)) as writer:
        for fact, sound in part.sounds():
            if isinstance(sound, BadSoundError):
                facts.append({**fact, "reason": str(sound)})
            else:
                head = HEAD.pack(fact["index"], sound.scale)
                writer.write(head + sound.samples.astype("<i2").tobytes())
                facts.append({**fact, **_facts_about(sound)})
            advance()
    hashed = file_hash(temporary)
    os.replace(temporary, folder / f"{part.name}.tfrecord")
    text = json.dumps({"sha256": hashed, "sounds": facts}, indent=0)
    temporary = folder / f"{part.name}.json.tmp"
    temporary.write_text(text)
    os.replace(temporary, folder / f"{part.name}.json")


def _facts_about(sound):
    facts = {
        "frames": len(sound.samples),
        "sound": sound.content_hash(),
        "quiet": sound.quiet,
    }
    if sound.remarks:
        facts["remark"] = "; ".join(sound.remarks)
    return facts


def _is_finished(folder, part):
    try:
        facts = json.loads((folder / f"{part.name}.json").read_text())
        hashed = file_hash(folder / f"{part.name}.tfrecord")
        return bool(facts["sounds"]) and facts["sha256"] == hashed
    except (OSError, ValueError, KeyError, TypeError):
        return False


def _facts_of(folder, part):
    return json.loads((folder / f"{part.name}.json").read_text())["sounds"]


def _read_facts(key, folder, parts, channels):
    shards, sounds, rejected, remarks = [], [], {}, {}
    for part in parts:
        held = False
        for fact in _facts_of(folder, part):
            if "reason" in fact:
                rejected[fact["name"]] = fact["reason"]
                continue
            held = True
            sounds.append({**fact, "shard": len(shards)})
            if "remark" in fact:
                remarks[fact["name"]] = fact["remark"]
        if held:
            shards.append(str(folder / f"{part.name}.tfrecord"))
    return SoundCache(
        key, folder, channels, tuple(shards), tuple(sounds), rejected, remarks
    )


def _write_csv(path, header, rows):
    temporary = path.with_name(f"{path.name}.tmp")
    with open(temporary, "w", newline="", encoding="utf-8") as file:
        csv.writer(file, lineterminator="\n").writerows([header, *rows])
    os.replace(temporary, path)
