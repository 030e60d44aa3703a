"""Which sound files there are, what they are labelled with and who made them."""

import collections
import csv
import dataclasses
import math
import os
from pathlib import Path, PurePosixPath

import numpy as np

SPLITS = ("train", "validation", "test")
TASKS = ("classes", "binary", "tags", "rating", "tempo")
# Columns that a task reads before "label".
OWN_COLUMNS = {"tempo": ("tempo", "bpm")}
BINARY_WORDS = {"yes": 1, "true": 1, "1": 1, "like": 1}
BINARY_WORDS |= {"no": 0, "false": 0, "0": 0, "dislike": 0}
RANGES = {"rating": (1, 100), "tempo": (30, 285)}
SHOWN_FAULTS = 10


@dataclasses.dataclass(frozen=True)
class Row:
    """One labelled file.

    Attributes:
        name: its path inside the folder, with slashes.
        path: where it is.
        label: what its label says: a class name, True or False, a tuple of tags, or a
            number.
        group: name of its song, speaker, ...
        split: "train", "validation" or "test", or None where the table does not say.
    """

    name: str
    path: Path
    label: object
    group: str
    split: str | None = None


def folder_rows(folder, task, split_by):
    """The files of a folder with one sub-folder a label.

    Names that begin with a dot are passed over.

    Args:
        folder: a `Path`.
        task: one of `TASKS`.
        split_by: "song", or "speaker" for label/speaker/file.

    Returns:
        A list of `Row`s, sorted by name, and {name: why it is none}.

    Raises:
        ValueError: a sub-folder's name is no label of the task, or split_by is a
            column's name.
    """
    if split_by not in ("song", "speaker"):
        raise ValueError(
            f'split_by must be "song" or "speaker" where labels="folder"; received '
            f"{split_by!r}. For a column of a CSV file pass the file as labels."
        )
    levels = "label/speaker/file" if split_by == "speaker" else "label/file"
    rows, rejected, labels = [], {}, {}
    for name in _names_inside(folder):
        parents = name.split("/")[:-1]
        if len(parents) < levels.count("/"):
            rejected[name] = f"does not stand in {levels}"
            continue
        label = parents[0]
        if label not in labels:
            labels[label] = _read_label(label, task, f"The sub-folder {label!r}")
        group = parents[1] if split_by == "speaker" else name
        rows.append(Row(name, folder / name, labels[label], group))
    return rows, rejected


def csv_rows(folder, table, task, split_by):
    """The files that a CSV file lists.

    Args:
        folder: a `Path`, in which the files are.
        table: path of the CSV file.
        task: one of `TASKS`.
        split_by: "song", or the name of a column.

    Returns:
        A list of `Row`s, in their order, and {name: why it is none}.

    Raises:
        ValueError: the table is faulty; says in which lines.
    """
    lines = _read_lines(table)
    header_line, header = lines[0]
    header = [field.strip() for field in header]
    own = OWN_COLUMNS.get(task, (task,))
    target = next((column for column in own if column in header), "label")
    grouped = "song" if split_by == "song" and "song" not in header else split_by
    by_file = split_by == "song" and "song" not in header
    needed = ["file", target, *([] if by_file else [grouped])]
    missing = [column for column in needed if column not in header]
    twice = [name for name, n in collections.Counter(header).items() if n > 1]
    if missing or twice:
        fault = f"lacks {', '.join(missing)}" if missing else f"repeats {twice[0]}"
        raise ValueError(
            f"{table}, line {header_line}: expected the names of the columns, with "
            f"commas between: {', '.join(needed)}, and any others; it {fault}. "
            f"Received: {', '.join(header)}"
        )

    rows, rejected, faults, seen = [], {}, [], {}
    for line, fields in lines[1:]:
        place = f"{table}, line {line}"
        try:
            if len(fields) != len(header):
                raise ValueError(
                    f"{place}: expected {len(header)} fields; received {len(fields)}."
                )
            row = {k: v.strip() for k, v in zip(header, fields, strict=True)}
            name = _checked_name(row["file"], place)
            if name in seen:
                raise ValueError(f"{place}: {name} stands in line {seen[name]} too.")
            seen[name] = line
            label = _read_label(row[target], task, f"{place}, {target}")
            group = name if by_file else row[grouped]
            if not group:
                raise ValueError(f"{place}: {grouped} is empty.")
            split = row.get("split")
            if split is not None and split not in SPLITS:
                raise ValueError(
                    f"{place}: split must be one of {', '.join(SPLITS)}; received "
                    f"{split!r}."
                )
        except ValueError as error:
            faults.append(str(error))
            continue
        if (folder / name).is_file():
            rows.append(Row(name, folder / name, label, group, split))
        else:
            rejected[name] = f"is not there ({Path(table).name}, line {line})"
    if faults:
        more = len(faults) - SHOWN_FAULTS
        raise ValueError(
            " ".join(faults[:SHOWN_FAULTS])
            + (f" And {more} more such lines." if more > 0 else "")
        )
    return rows, rejected


def classes_of(rows, task):
    """Names of the outputs, sorted: the classes, ("no", "yes"), the tags, or ()."""
    if task == "binary":
        return ("no", "yes")
    if task in RANGES:
        return ()
    return tuple(sorted({each for row in rows for each in label_set(row.label, task)}))


def label_set(label, task):
    """What the split is to be balanced by: the class, the tags, or nothing."""
    if task in RANGES:
        return frozenset()
    return frozenset(label) if task == "tags" else frozenset([label])


def targets_of(labels, classes, task):
    """The labels as the models take them.

    Args:
        labels: list of what `Row.label` holds.
        classes: from `classes_of`.
        task: one of `TASKS`.

    Returns:
        An array: int64 (n,) for "classes", float32 (n, classes) of zeros and ones for
        "tags", float32 (n,) else (0 or 1, points, BPM).
    """
    if task == "classes":
        place = {name: number for number, name in enumerate(classes)}
        return np.array([place[label] for label in labels], np.int64)
    if task == "tags":
        rows = [[name in label for name in classes] for label in labels]
        return np.array(rows, np.float32).reshape(len(labels), len(classes))
    return np.array(labels, np.float32)


def _read_label(text, task, place):
    """What a label says.

    Raises:
        ValueError: it is none of the task; begins with the place.
    """
    if task == "classes":
        if not text:
            raise ValueError(f"{place}: expected the name of a class, it is empty.")
        return text
    if task == "binary":
        if text.lower() not in BINARY_WORDS:
            raise ValueError(
                f"{place}: expected one of {', '.join(BINARY_WORDS)} for "
                f'task="binary"; received {text!r}.'
            )
        return bool(BINARY_WORDS[text.lower()])
    if task == "tags":
        tags = tuple(sorted({tag.strip() for tag in text.split(";")}))
        if "" in tags:
            raise ValueError(
                f'{place}: expected tags with ";" between for task="tags"; received '
                f"{text!r}, with an empty one."
            )
        return tags
    low, high = RANGES[task]
    try:
        number = float(text)
    except ValueError:
        number = math.nan
    if not low <= number <= high:  # written so that a NaN fails too
        unit = "points" if task == "rating" else "BPM"
        raise ValueError(
            f'{place}: expected a number from {low} to {high} {unit} for task="{task}"'
            f"; received {text!r}."
        )
    return number


def _read_lines(table):
    """(number of the line, fields) of every line that is not empty."""
    try:
        with open(table, newline="", encoding="utf-8-sig") as file:
            reader = csv.reader(file, strict=True)
            lines = []
            try:
                for fields in reader:
                    if any(field.strip() for field in fields):
                        lines.append((reader.line_num, fields))
            except csv.Error as error:
                raise ValueError(
                    f"{table}, line {reader.line_num}: is no CSV ({error})."
                ) from error
    except UnicodeDecodeError as error:
        line = len(lines) + 1
        raise ValueError(
            f"{table}, about line {line}: expected text in UTF-8 ({error.reason}). "
            f"Save it in that encoding."
        ) from error
    except OSError as error:
        raise ValueError(
            f'labels must be "folder" or a CSV file; {table} cannot be read '
            f"({error.strerror})."
        ) from error
    if len(lines) < 2:
        raise ValueError(
            f"{table}, line 1: expected the names of the columns, file and label, and "
            f"a line for each file; it has {len(lines)} lines."
        )
    return lines


def _checked_name(text, place):
    name = PurePosixPath(text)
    if not text or name.is_absolute() or ".." in name.parts:
        raise ValueError(
            f"{place}: file must be a path inside the folder; received {text!r}."
        )
    return name.as_posix()


def _names_inside(folder):
    """Paths of all files below a folder, sorted, without those of a dot."""
    names = []
    for parent, folders, files in os.walk(folder):
        folders[:] = [name for name in folders if not name.startswith(".")]
        inside = Path(parent).relative_to(folder)
        names += [(inside / f).as_posix() for f in files if not f.startswith(".")]
    return sorted(names)
