"""Where the digits of rotated_mnist come from: which files, and are they there."""

import dataclasses
import hashlib
from pathlib import Path

import filelock

from zoo.datasets.cache import cache_root, file_hash, run_builder
from zoo.datasets.image import amat, mnist


@dataclasses.dataclass(frozen=True)
class Source:
    """The files one config of the `RotatedMnist` builder reads.

    Attributes:
        config: "rebuilt" (from MNIST) or "original" (from the .amat files).
        folder: what the builder gets as its manual_dir.
        files: the files it will read.
    """

    config: str
    folder: Path
    files: tuple[Path, ...]

    def content_hash(self):
        """16 hexadecimal digits that change with the name or content of any file.

        Raises:
            ValueError: a file cannot be read.
        """
        digest = hashlib.sha256()
        for path in self.files:
            try:
                digest.update(f"{path.name} {file_hash(path)}\n".encode())
            except OSError as error:
                raise ValueError(f"{path} cannot be read: {error}.") from error
        return digest.hexdigest()[:16]


def find_source(name, data_dir, download):
    """The source that `load(name, data_dir=data_dir, download=download)` means.

    Args:
        name: "rotated_mnist": MNIST where it is there, else the .amat files; or
            "rotated_mnist/original": the .amat files only.
        data_dir: an existing folder, or None.
        download: whether MNIST may be downloaded if it is not there.

    Returns:
        A `Source`.

    Raises:
        ValueError: nothing is there, or only a part of it.
    """
    # Without a data_dir, an earlier download is used again.
    folder = Path(data_dir) if data_dir is not None else cache_root() / "downloads"
    if name == "rotated_mnist":
        files = mnist.find_files(folder)
        if files:
            return Source("rebuilt", folder, files)
    files = amat.find_files(folder)
    if files:
        return Source("original", folder, files)
    if name == "rotated_mnist" and download:
        _download(folder)
        return Source("rebuilt", folder, mnist.find_files(folder))
    raise ValueError(_not_found(name, data_dir))


def _not_found(name, data_dir):
    names = " and ".join(amat.FILE_NAMES.values())
    place = "no data_dir was given" if data_dir is None else f"{data_dir} has none"
    if name == "rotated_mnist/original":
        return (
            f"{name} needs {names}, and {place}: pass the folder with them as data_dir."
        )
    return (
        f"{name} needs MNIST, and {place}: pass as data_dir a folder that holds (or "
        f"whose subfolder mnist holds) train-images-idx3-ubyte, "
        f"train-labels-idx1-ubyte, t10k-images-idx3-ubyte and t10k-labels-idx1-ubyte, "
        f"each plain or .gz; or mnist/3.0.1 as tensorflow-datasets prepares it; or "
        f"{names}. Or pass download=True."
    )


def _download(folder):
    import tensorflow_datasets as tfds

    try:
        folder.mkdir(parents=True, exist_ok=True)
        with filelock.FileLock(folder / "mnist.lock"):
            run_builder(tfds.builder("mnist", data_dir=folder))
    # Whatever goes wrong in there (network, checksum, disk), the remedy is the same.
    except Exception as error:
        raise ValueError(
            f"MNIST could not be downloaded to {folder} ({type(error).__name__}: "
            f"{error}): download its four idx files yourself and pass their folder as "
            f"data_dir."
        ) from error
