"""Files and folders come into their place whole, or not at all."""

import contextlib
import os
import shutil
from pathlib import Path

PARTIAL = ".partial-"


@contextlib.contextmanager
def replace_file(path):
    """Gives the name of a file to write beside `path`, and renames it when done.

    A reader, or a process killed in between, never meets half a file.

    Args:
        path: where the file shall stand. Its suffix is kept in the name given.

    Yields:
        The `Path` to write to.

    Example:

    >>> import tempfile
    >>> target = Path(tempfile.mkdtemp(), "metrics.json")
    >>> with replace_file(target) as beside:
    ...     _ = beside.write_text("{}")
    >>> target.read_text()
    '{}'
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    beside = _beside(path)
    try:
        yield beside
        os.replace(beside, path)
    finally:
        beside.unlink(missing_ok=True)


@contextlib.contextmanager
def replace_folder(path):
    """As `replace_file`, for a folder; what stands at `path` gives way at the end.

    Args:
        path: where the folder shall stand.

    Yields:
        The `Path` of a new empty folder to fill.
    """
    path = Path(path).resolve()  # a link keeps pointing to what it points to
    beside, old = _beside(path), _beside(path.with_name(f"old-{path.name}"))
    try:
        beside.mkdir(parents=True)
        yield beside
        if path.exists():
            os.replace(path, old)
        os.replace(beside, path)
    finally:
        shutil.rmtree(beside, ignore_errors=True)
        shutil.rmtree(old, ignore_errors=True)


def remove_partial_files(folder):
    """Removes what killed processes left of their unfinished files in a folder."""
    for path in Path(folder).glob(f"{PARTIAL}*"):
        path.unlink()


def is_empty(path):
    """Whether nothing would be lost if a folder were written at `path`."""
    path = Path(path)
    if not path.is_dir():
        return not path.exists()
    return all(child.name.startswith(PARTIAL) for child in path.iterdir())


def check_can_be_made(path):
    """Refuses a place where no file or folder can be written, and touches nothing.

    Raises:
        ValueError: naming what stands in the way.
    """
    path = Path(path)
    parent = path if path.exists() else next(p for p in path.parents if p.exists())
    if not parent.is_dir():
        raise ValueError(
            f"{path} can't be written: {parent} is a file. Choose another place."
        )
    if not os.access(parent, os.W_OK | os.X_OK):
        raise ValueError(
            f"{path} can't be written: no permission in {parent}. Choose another place."
        )


def _beside(path):
    return path.with_name(f"{PARTIAL}{os.getpid()}-{path.name}")
