"""A folder of images: its classes, what is wrong in it, and who trains."""

import collections
import concurrent.futures
import dataclasses
import hashlib
import os
from pathlib import Path

from zoo.datasets.cache import file_hash
from zoo.datasets.image.files import BadImageError, read_image

SPLITS = ("train", "test")
TEST_SHARE = 0.2


@dataclasses.dataclass(frozen=True)
class ImageFile:
    """A file that stands in a class.

    Attributes:
        path: where it is.
        name: its path inside the folder.
        label: name of the class.
        split: "train" or "test", or None where the folder does not say.
        digest: sha256 of its content.
    """

    path: Path
    name: str
    label: str
    split: str | None
    digest: str


@dataclasses.dataclass(frozen=True)
class Listing:
    """What stands in a folder, before any image is decoded.

    Attributes:
        folder: the folder.
        classes: names of the classes, sorted.
        files: the `ImageFile`s, sorted.
        faults: {path inside the folder: what is wrong with it}.
    """

    folder: Path
    classes: tuple[str, ...]
    files: tuple[ImageFile, ...]
    faults: dict[str, str]

    def content_hash(self):
        """16 hexadecimal digits that change with any name or content."""
        digest = hashlib.sha256()
        for file in self.files:
            digest.update(f"{file.name} {file.digest}\n".encode())
        digest.update(repr((self.classes, sorted(self.faults.items()))).encode())
        return digest.hexdigest()[:16]


def list_folder(folder):
    """Lists a folder with one sub-folder a class, or with such in train/ and test/.

    Names that begin with a dot are passed over, whatever they are.

    Args:
        folder: a `Path`.

    Returns:
        A `Listing`.

    Raises:
        ValueError: there are not two classes.
    """
    faults = {}
    top = _sub_folders(folder, faults, "stands in no class folder")
    split_here = set(SPLITS) <= {path.name for path in top}
    class_folders = []
    for path in top:
        if not split_here:
            class_folders.append((None, path))
        elif path.name in SPLITS:
            for inner in _sub_folders(
                path, faults, "stands in no class folder", folder
            ):
                class_folders.append((path.name, inner))
        else:
            faults[path.name] = "a folder beside train and test"
    classes = tuple(sorted({path.name for _, path in class_folders}))
    if len(classes) < 2:
        raise ValueError(
            f"{folder} must have one sub-folder for each class, at least two, by "
            f"themselves or in both train and test; it has {len(classes)}."
        )
    files = []
    for split, class_folder in class_folders:
        for path in _visible(class_folder):
            name = path.relative_to(folder).as_posix()
            if path.is_dir():
                faults[name] = "a folder inside a class"
                continue
            try:
                digest = file_hash(path)
            except OSError as error:
                faults[name] = f"cannot be read: {error.strerror}"
                continue
            files.append(ImageFile(path, name, class_folder.name, split, digest))
    return Listing(folder, classes, tuple(files), faults)


def check_files(listing):
    """Decodes every file once, and looks for the same file in two classes or splits.

    Returns:
        The sound `ImageFile`s, each with its split, and the faults.
    """
    faults = dict(listing.faults)
    # Pillow decodes outside Python's lock.
    with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        for file, fault in zip(
            listing.files, pool.map(_fault, listing.files), strict=True
        ):
            if fault:
                faults[file.name] = fault
    sound = [file for file in listing.files if file.name not in faults]

    copies = collections.defaultdict(list)
    for file in sound:
        copies[file.digest].append(file)
    for same in copies.values():
        if len({file.label for file in same}) > 1:
            for file in same:
                other = next(each for each in same if each.label != file.label)
                faults[file.name] = f"the same file as {other.name}, of another class"
        elif len({file.split for file in same}) > 1:
            train = next(file for file in same if file.split == "train")
            for file in same:
                if file.split == "test":
                    faults[file.name] = f"the same file as {train.name}, which trains"
    return _with_splits([file for file in sound if file.name not in faults]), faults


def check_classes(listing, files):
    """Refuses a class that has no image to train on.

    Raises:
        ValueError: naming the classes.
    """
    trained = {file.label for file in files if file.split == "train"}
    empty = [label for label in listing.classes if label not in trained]
    if empty:
        raise ValueError(
            f"{listing.folder} has classes without an image to train on: "
            f"{', '.join(empty)}. Add images, or remove the folders."
        )


def refusal(folder, faults):
    """The sentence that lists every fault."""
    listed = "; ".join(f"{name} ({faults[name]})" for name in sorted(faults))
    return (
        f"{folder} holds {len(faults)} that can't be used: {listed}. Mend or remove "
        f"them, or pass skip_bad=True to do without them."
    )


def _with_splits(files):
    """Gives files without a split theirs: in each class a fifth of the contents tests.

    By the order of their hashes: the same folder is always split the same way, and
    copies of a file stay together.
    """
    tests = set()
    for label in {file.label for file in files}:
        digests = sorted({file.digest for file in files if file.label == label})
        # A class of one image trains; from two on, at least one tests.
        count = max(round(TEST_SHARE * len(digests)), min(1, len(digests) - 1))
        tests.update(digests[:count])
    return [
        file
        if file.split
        else dataclasses.replace(file, split=SPLITS[file.digest in tests])
        for file in files
    ]


def _fault(file):
    try:
        read_image(file.path)
    except BadImageError as error:
        return str(error)
    return None


def _sub_folders(folder, faults, fault, root=None):
    """The folders in a folder; the files there are faults."""
    paths = _visible(folder)
    for path in paths:
        if not path.is_dir():
            faults[path.relative_to(root or folder).as_posix()] = fault
    return [path for path in paths if path.is_dir()]


def _visible(folder):
    return sorted(path for path in folder.iterdir() if not path.name.startswith("."))
