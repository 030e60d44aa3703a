"""audio_folder: the user's own sounds, labelled by sub-folders or by a table."""

import dataclasses
import hashlib
from pathlib import Path

from zoo.datasets import catalogue
from zoo.datasets.audio.clips import split_clips
from zoo.datasets.audio.fill_cache import decoded_files
from zoo.datasets.audio.options import SoundOptions
from zoo.datasets.audio.table import csv_rows, folder_rows


def audio_folder(
    path,
    sample_rate=16000,
    seconds=1.0,
    labels="folder",
    split_by="song",
    held_out=None,
    validate_on=None,
    task="classes",
    channels=1,
    normalize=None,
):
    """Your own sound files as clips of one length, with labels and a fair split.

    WAV, FLAC, Ogg, MP3 and whatever else libsndfile reads; the content decides, not
    the ending. Each file is decoded once, resampled whole (soxr, HQ) and kept with 16
    bits a sample in the cache ($CONVZOO_CACHE, else $XDG_CACHE_HOME/convzoo, else
    ~/.cache/convzoo), which goes by names and contents, sample_rate and channels. A
    killed preparation goes on where it stopped.

    A longer file is cut into clips one after the other, and its last piece is kept if
    it fills at least half a clip; a shorter file, and that piece, get zeros behind
    them. Evaluation of songs: the mean over the clips of each of `songs(split)`.

    Files that cannot be decoded, or hold no sound, are left out, with one warning, and
    listed in `rejected`; of equal sounds with different labels, all are. Suspicious
    ones (cut a little, clipped, with a DC offset, silent) are used as they are, and
    listed in `remarks`. Recordings that stand one behind the other in a file (joined
    MP3s, chained Ogg) are read as one.

    Args:
        path: the folder.
        sample_rate: of the clips, in Hz.
        seconds: length of a clip; `round(seconds * sample_rate)` samples.
        labels: "folder" where each sub-folder of the folder is a label; or a CSV file
            (its path, or its name inside the folder) with the columns file (paths
            inside the folder), label, and any others.
        split_by: what never stands in two splits: "song", the file; "speaker", the
            folder in the label's folder (label/speaker/file) or a column of that name;
            or the name of another column. Files that are equal, byte by byte or
            decoded, count as one song.
        held_out: name or names of the songs, speakers, ... of the split "test". By
            default a fifth of them, always the same, by a hash, so that each label has
            its share as far as possible. A column "split" in the table (train,
            validation, test) is obeyed instead.
        validate_on: name or names of those of the split "validation"; None for none.
        task: what the labels are. "classes": names; target int64 (batch,). "binary":
            yes/no, true/false, 1/0 or like/dislike; float32 (batch,). "tags": names
            with ";" between, from the column tags, else label; float32 of zeros and
            ones, (batch, tags). "rating": 1 to 100 points, from the column rating,
            else label; float32. "tempo": 30 to 285 BPM, from the column tempo or bpm,
            else label; float32.
        channels: 1 for the mean of a file's channels; else how many each file must
            have.
        normalize: None keeps the level of the file. "peak": the largest value of each
            clip becomes 1 or -1. "rms": the root mean square of each clip becomes 0.1,
            without the zeros behind a short one. Silence stays silence: below -60 dB
            of peak and -80 dB of RMS a clip is raised no further.

    Returns:
        A `SoundClips`: its `load(split)` is a `tf.data.Dataset` of (waveform float32
        (batch, samples, channels), target). Without normalize, what resampling or the
        file itself has beyond [-1, 1] stays so: nothing is clipped.

    Raises:
        ValueError: an argument is not one of its choices, the table is faulty (says in
            which line), a label has no sound to train on, or a group stands in two
            splits.

    Example:
        ```python
        import numpy as np
        import soundfile
        from pathlib import Path

        lines = ["file,label,bpm,band"]
        for number in range(6):
            clicks = np.zeros(16000)
            clicks[:: 4000 + 500 * number] = 1
            soundfile.write(f"{number}.wav", clicks, 8000)
            bpm = 60 * 8000 / (4000 + 500 * number)
            lines.append(f"{number}.wav,click,{bpm:.2f},band {number // 2}")
        Path("labels.csv").write_text("\\n".join(lines))

        clips = zoo.datasets.audio_folder(
            ".", 8000, 2.0, "labels.csv", split_by="band", held_out="band 2",
            task="tempo",
        )
        print(clips.info.splits, clips.info.groups)
        ```
    """
    options = SoundOptions(
        sample_rate=sample_rate,
        seconds=seconds,
        labels=labels,
        split_by=split_by,
        held_out=held_out,
        validate_on=validate_on,
        task=task,
        channels=channels,
        normalize=normalize,
    )
    return folder_clips(catalogue.info("audio_folder"), path, options)


def folder_clips(info, path, options):
    """The clips of a folder.

    Args:
        info: `DatasetInfo` to fill in.
        path: the folder.
        options: `SoundOptions`.

    Returns:
        A `SoundClips`.

    Raises:
        ValueError: as `audio_folder`.
    """
    catalogue.check_data_dir(path)
    folder = Path(path)
    if isinstance(options.labels, str) and options.labels == "folder":
        rows, rejected = folder_rows(folder, options.task, options.split_by)
    else:
        table = _table(folder, options.labels)
        rows, rejected = csv_rows(folder, table, options.task, options.split_by)
    return row_clips(info, folder, rows, rejected, options)


def row_clips(info, folder, rows, rejected, options):
    """The clips of labelled files.

    Args:
        info: `DatasetInfo` to fill in.
        folder: the files' folder.
        rows: list of `Row`s.
        rejected: {file: why it has no row}.
        options: `SoundOptions`.

    Returns:
        A `SoundClips`.

    Raises:
        ValueError: as `audio_folder`.
    """
    if not rows:
        raise ValueError(
            f"{folder} has no labelled file: expected label/file, or "
            f'label/speaker/file with split_by="speaker", or a CSV file as labels.'
        )
    paths = {row.name: row.path for row in rows}
    cache = decoded_files(paths, options.sample_rate, options.channels, folder.name)
    digest = hashlib.sha256(cache.key.encode())
    for row in rows:
        facts = (row.name, row.label, row.group, row.split)
        digest.update(repr(facts).encode())
    source = f"{len(rows)} files, content {digest.hexdigest()[:16]}"
    info = dataclasses.replace(info, source=source)
    return split_clips(info, str(folder), cache, rows, rejected, options)


def _table(folder, labels):
    try:
        inside = folder / labels
    except TypeError as error:
        raise ValueError(
            f'labels must be "folder" or the path of a CSV file; received {labels!r}.'
        ) from error
    return inside if inside.is_file() else Path(labels)
