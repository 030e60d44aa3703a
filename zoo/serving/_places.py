"""Where an export may be written, and how it comes there: whole, or not at all."""

import contextlib
import os
import shutil
from numbers import Integral
from pathlib import Path

from zoo._files import PARTIAL, check_can_be_made, is_empty


def check_place(path, kind, overwrite=False):
    """Refuses a place where an export must not be written, and touches nothing.

    Args:
        path: as `zoo.export` takes it.
        kind: a `Format`.
        overwrite: bool. A file of the format may stand there.

    Raises:
        ValueError: if something else stands there, or it can't be written.
    """
    check_can_be_made(path if kind.is_versioned else path.parent)
    if kind.is_versioned:
        if not is_empty(path) and not _versions(path, kind):
            held = min(child.name for child in path.iterdir())
            raise ValueError(
                f"{path} holds something else than versions of a model: {held}. "
                f"Choose another place, or an empty folder."
            )
        return
    if path.suffix != kind.suffix:
        raise ValueError(
            f"A file of the format {kind.name} ends in {kind.suffix}. Received: {path}"
        )
    if path.is_dir() or (path.exists() and not overwrite):
        raise ValueError(f"{path} exists already. Choose another name, or overwrite.")


def check_version(version):
    """Refuses what is no version's number: servers read it from the folder's name."""
    is_number = isinstance(version, Integral) and not isinstance(version, bool)
    if version is not None and not (is_number and version > 0):
        raise ValueError(
            f"`version` must be a positive integer. Received: version={version!r}"
        )


def newest_version(path, kind):
    """The folder of the newest version in `path`, or `path` if it is one itself.

    Raises:
        ValueError: if there is none.
    """
    path = Path(path)
    if (path / kind.file).is_file():
        return path
    versions = _versions(path, kind)
    if not versions:
        raise ValueError(
            f"No {kind.name} at {path}. Expected a folder that `zoo.export` wrote, "
            f"with a version such as 1 in it."
        )
    return path / str(max(versions))


def new_version(path, version, kind, write, check):
    """Writes and checks a version beside its place, and renames it.

    Args:
        path: the folder of all versions.
        version: its number, or None for the next.
        kind: a `Format`.
        write: called with the folder to write, which does not exist yet, and the
            version's number.
        check: called with it, raises if it is not right.

    Returns:
        The `Path` of the version.

    Raises:
        ValueError: if the version exists.
    """
    number = version or max(_versions(path, kind), default=0) + 1
    target = path / str(number)
    if target.exists():
        raise ValueError(
            f"{target} exists already, and a version is never replaced: servers would "
            f"not notice. Choose another number."
        )
    path.mkdir(parents=True, exist_ok=True)
    _remove_left_overs(path)
    beside = path / f"{PARTIAL}{os.getpid()}"
    try:
        write(beside, number)
        check(beside)
        try:
            os.rename(beside, target)
        except OSError as error:
            if not target.exists():
                raise
            raise ValueError(
                f"Another export wrote {target} in the meantime. Export once more."
            ) from error
        return target
    finally:
        shutil.rmtree(beside, ignore_errors=True)
        with contextlib.suppress(OSError):
            path.rmdir()  # if it is empty: nothing came of it


def _versions(path, kind):
    """The numbers of the versions in a folder."""
    if not path.is_dir():
        return []
    return [
        int(child.name)
        for child in path.iterdir()
        if child.name.isascii()
        and child.name.isdigit()
        and (child / kind.file).is_file()
    ]


def _remove_left_overs(path):
    """Removes what killed exports left; those of running ones stay."""
    for left in path.glob(f"{PARTIAL}*"):
        process = left.name.removeprefix(PARTIAL)
        if not process.isdigit() or not _is_running(int(process)):
            shutil.rmtree(left, ignore_errors=True)


def _is_running(process):
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True
