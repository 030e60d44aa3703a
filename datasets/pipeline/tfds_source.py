"""Data sets that tensorflow-datasets knows: prepared in a folder, or fetched."""

from pathlib import Path

import filelock
import tensorflow_datasets as tfds

from zoo.datasets.cache import cache_root, run_builder

IMAGENET_ARCHIVES = ("ILSVRC2012_img_train.tar", "ILSVRC2012_img_val.tar")


def prepared_or_fetched(name, data_dir, download):
    """The builder of a data set that tensorflow-datasets can fetch, prepared.

    Args:
        name: what tensorflow-datasets calls it.
        data_dir: the folder given to tensorflow-datasets, or None for the cache.
        download: whether it may be downloaded if it is not there.

    Returns:
        A `tfds.core.DatasetBuilder`.

    Raises:
        ValueError: it is not there, or cannot be downloaded.
    """
    folder = Path(data_dir) if data_dir is not None else cache_root() / "downloads"
    if not _prepared(folder, name):
        if not download:
            place = "no data_dir was given" if data_dir is None else f"{folder} has not"
            raise ValueError(
                f"{name} needs the folder {name} that tensorflow-datasets prepares, "
                f"and {place}: pass the folder around it as data_dir, or download=True."
            )
        _prepare(name, folder)
    return _read_only_builder(folder, name)


def imagenet2012_builder(data_dir):
    """The builder of ImageNet 2012, prepared, if need be from the archives.

    Args:
        data_dir: the folder given to tensorflow-datasets.

    Returns:
        A `tfds.core.DatasetBuilder` with the splits train and validation.

    Raises:
        ValueError: neither the prepared files nor the archives are there.
    """
    wanted = (
        "imagenet2012 can't be downloaded by a program: pass as data_dir a folder with "
        "imagenet2012 as tensorflow-datasets prepares it, or with "
        f"{' and '.join(IMAGENET_ARCHIVES)} (after registration at image-net.org) in "
        "its subfolder downloads/manual"
    )
    if data_dir is None:
        raise ValueError(f"{wanted}; no data_dir was given.")
    folder = Path(data_dir)
    if not _prepared(folder, "imagenet2012"):
        manual = folder / "downloads" / "manual"
        missing = [name for name in IMAGENET_ARCHIVES if not (manual / name).is_file()]
        if missing:
            raise ValueError(f"{wanted}; {folder} lacks {' and '.join(missing)}.")
        _prepare("imagenet2012", folder, manual)
    builder = _read_only_builder(folder, "imagenet2012")
    missing = {"train", "validation"} - set(builder.info.splits)
    if missing:
        raise ValueError(
            f"The imagenet2012 in {folder} has no split {' and '.join(missing)}: "
            f"prepare it again with {' and '.join(IMAGENET_ARCHIVES)}."
        )
    return builder


def _prepared(folder, name):
    """The newest version prepared there, or None."""
    # Behind the name of the default configuration, where a data set has some.
    found = [
        path
        for pattern in ("*.*.*/dataset_info.json", "full/*.*.*/dataset_info.json")
        for path in (folder / name).glob(pattern)
    ]
    versions = sorted(found)
    return versions[-1].parent if versions else None


def _read_only_builder(folder, name):
    try:
        return tfds.builder_from_directory(_prepared(folder, name))
    # Whatever goes wrong in there, the files are not what tfds once wrote.
    except Exception as error:
        raise ValueError(
            f"The {name} in {folder} cannot be read ({type(error).__name__}): prepare "
            f"it again."
        ) from error


def _prepare(name, folder, manual=None):
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with filelock.FileLock(folder / f"{name}.lock"):
            if not _prepared(folder, name):
                run_builder(tfds.builder(name, data_dir=folder), manual)
    # Whatever goes wrong in there (network, archive, disk), the remedy is the same.
    except Exception as error:
        raise ValueError(
            f"{name} could not be prepared in {folder} ({type(error).__name__}: "
            f"{error}): prepare it with tensorflow-datasets, and pass its folder as "
            f"data_dir."
        ) from error
