"""A folder of sounds made on this machine: 16-bit WAV files and labels.csv.

A rendering that was cut off goes on where it stopped. labels.csv is written last, so
where it stands the folder is whole.
"""

import contextlib
import csv
import io
import json
import os
import sys
from pathlib import Path

import numpy as np
import soundfile

_SETTINGS = "rendering.json"
_LABELS = "labels.csv"


def claim_folder(folder, settings):
    """The folder, made if need be, and marked with what is rendered into it.

    Args:
        folder: where to render.
        settings: dictionary of what the sounds depend on; JSON can write it.

    Returns:
        A `Path`.

    Raises:
        ValueError: something else stands there.
    """
    folder = Path(folder)
    # As JSON gives it back: a tuple comes as a list.
    settings = json.loads(json.dumps(settings))
    try:
        folder.mkdir(parents=True, exist_ok=True)
        names = {path.name for path in folder.iterdir() if path.suffix != ".tmp"}
    except OSError as error:
        raise ValueError(
            f"Nothing can be rendered in {folder} ({error}): choose a folder that can "
            f"be written."
        ) from error
    if _SETTINGS not in names:
        if names:
            raise ValueError(
                f"{folder} holds other files, {sorted(names)[0]} for one: choose an "
                f"empty folder."
            )
        write_whole(folder / _SETTINGS, json.dumps(settings, indent=1).encode())
        return folder
    try:
        found = json.loads((folder / _SETTINGS).read_text())
    except (OSError, ValueError):
        found = None
    if found != settings:
        found = found if isinstance(found, dict) else {}
        other = [name for name in settings if found.get(name) != settings[name]]
        raise ValueError(
            f"{folder} holds a rendering made with another {' and '.join(other)}: "
            f"choose an empty folder, or give the same arguments to go on with it."
        )
    return folder


def write_labels(folder, rows):
    """labels.csv, a line for each row.

    Args:
        folder: `Path`.
        rows: dictionaries with the same keys, the columns; the first is "file".

    Returns:
        The path of the file.
    """
    text = io.StringIO(newline="")
    writer = csv.DictWriter(text, list(rows[0]), lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    write_whole(folder / _LABELS, text.getvalue().encode())
    return folder / _LABELS


def write_wave(path, samples, sample_rate):
    """A mono 16-bit WAV file.

    Args:
        path: its place.
        samples: float array (n,) in [-1, 1].
        sample_rate: in Hz.
    """
    # By ourselves: soundfile's own conversion lets 1.0 overflow on some versions.
    whole = np.rint(np.clip(samples, -1, 1) * 32767).astype(np.int16)
    encoded = io.BytesIO()
    soundfile.write(encoded, whole, sample_rate, format="WAV", subtype="PCM_16")
    write_whole(path, encoded.getvalue())


def write_whole(path, content):
    """A file that is there with all its content, or not at all."""
    temporary = path.with_name(f"{path.name}.{os.getpid()}.tmp")
    try:
        temporary.write_bytes(content)
        os.replace(temporary, path)
    except OSError as error:
        raise ValueError(
            f"{path} cannot be written ({error}): choose a folder that can be written "
            f"and has space."
        ) from error
    finally:
        with contextlib.suppress(OSError):
            temporary.unlink()


def with_progress(items, total, description):
    """Passes the items on, with a bar on stderr where that is a terminal."""
    if not sys.stderr.isatty():
        yield from items
        return
    from rich.console import Console
    from rich.progress import track

    yield from track(items, description, total, console=Console(stderr=True))


def check_whole(name, value, low, high):
    """Refuses what is not a whole number from low to high."""
    if isinstance(value, bool) or not isinstance(value, int | np.integer):
        raise TypeError(
            f"{name} must be a whole number from {low} to {high}; received {value!r}."
        )
    if not low <= value <= high:
        raise ValueError(f"{name} must be from {low} to {high}; received {value}.")
