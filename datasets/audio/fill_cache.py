"""From a list of sound files to the shards of their cache."""

import concurrent.futures
import dataclasses
import functools
import hashlib
import os
from pathlib import Path

from zoo.datasets.audio.cache import Part, sound_cache
from zoo.datasets.audio.recording import (
    BadSoundError,
    SoundChangedError,
    hash_and_size,
    read_sound,
)

# Source bytes to a shard, and how many shards there are at least, so that several
# workers can share them.
SHARD_BYTES = 2**25
FEWEST_SHARDS = 8
ATTEMPTS = 3


@dataclasses.dataclass(frozen=True)
class ListedFile:
    """A file as it was found.

    Attributes:
        name: its path inside the folder.
        path: where it is.
        digest: sha256 of its content, or "" where that can't be read.
        size: in bytes, or 0.
        reason: why it can't be read, or "".
    """

    name: str
    path: Path
    digest: str = ""
    size: int = 0
    reason: str = ""


def decoded_files(paths, sample_rate, channels, title):
    """The cache of sound files, which goes by their names and contents.

    A file that vanishes or changes while the cache is made is not in the listing of
    the next run: the cache is made again without it, at once.

    Args:
        paths: {name: path}.
        sample_rate, channels: what to bring them to.
        title: what the progress bar says.

    Returns:
        A `SoundCache`.

    Raises:
        ValueError: the cache cannot be written, or files keep changing.
    """
    vanished = {}
    for _ in range(ATTEMPTS):
        files = _listed({n: p for n, p in paths.items() if n not in vanished})
        parts = _parts(files, sample_rate, channels)
        key = _key(files, sample_rate, channels)
        try:
            cache = sound_cache(key, channels, parts, title)
        except SoundChangedError:
            gone = {name: path for name, path in paths.items() if not path.is_file()}
            vanished |= {name: "vanished while the cache was made" for name in gone}
            continue
        return dataclasses.replace(cache, rejected={**cache.rejected, **vanished})
    raise ValueError(
        f"The files of {title} change while they are read: wait until nothing writes "
        f"to them, and try again."
    )


def _listed(paths):
    """Sorted by content: a mixture, whatever the files are called."""
    # Hashing leaves Python's lock.
    with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        files = pool.map(_listed_file, paths.items())
        return sorted(files, key=lambda file: (file.digest, file.name))


def _listed_file(item):
    name, path = item
    try:
        return ListedFile(name, path, *hash_and_size(path))
    except BadSoundError as error:
        return ListedFile(name, path, reason=str(error))


def _key(files, sample_rate, channels):
    # The 1 is of the first cache: runs name their source by what follows from it.
    digest = hashlib.sha256(repr((1, sample_rate, channels)).encode())
    for file in files:
        digest.update(repr((file.name, file.digest, file.reason)).encode())
    return f"{digest.hexdigest()[:20]}-{sample_rate}x{channels}"


def _parts(files, sample_rate, channels):
    size = sum(file.size for file in files)
    count = max(FEWEST_SHARDS, -(-size // SHARD_BYTES))
    count = max(1, min(count, len(files)))
    parts = []
    for number in range(count):
        first = number * len(files) // count
        last = (number + 1) * len(files) // count
        numbered = list(enumerate(files))[first:last]
        parts.append(
            Part(
                f"sounds-{number:05d}-of-{count:05d}",
                len(numbered),
                functools.partial(_sounds, numbered, sample_rate, channels),
            )
        )
    return parts


def _sounds(numbered, sample_rate, channels):
    def sound_of(entry):
        _, file = entry
        if not file.digest:
            return BadSoundError(file.reason)
        try:
            return read_sound(file.path, file.digest, sample_rate, channels)
        except BadSoundError as error:
            return error

    # libsndfile and soxr work outside Python's lock.
    with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        for (index, file), sound in zip(
            numbered, pool.map(sound_of, numbered), strict=True
        ):
            yield {"index": index, "name": file.name, "digest": file.digest}, sound
