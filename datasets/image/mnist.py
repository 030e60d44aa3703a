"""MNIST from a folder: the four idx files, or as tensorflow-datasets prepares it."""

import gzip
import zlib

import numpy as np

from zoo.datasets._fingerprint import image_keys, set_fingerprint

IMAGE_COUNTS = {"train": 60000, "t10k": 10000}
# Of the 70,000 labelled images, in whatever order and file format.
FINGERPRINT = "0dafbb55779cd926087ba1a8ff993a852260951e95cd4c59915b08f0db2d812a"

# What an idx file begins with: two zeros, 8 for bytes, the number of dimensions.
_MAGIC = {"images": 0x00000803, "labels": 0x00000801}


def find_files(folder):
    """The MNIST files in a folder or its subfolder `mnist`, as a tuple of paths.

    Returns:
        The four idx files, or else all files of the version tensorflow-datasets
        prepared in `folder`/mnist, or else an empty tuple.

    Raises:
        ValueError: some but not all of the four idx files are there.
    """
    idx_files = find_idx_files(folder)
    if idx_files:
        return idx_files
    tfds_folder = _find_tfds(folder)
    if tfds_folder:
        return tuple(sorted(path for path in tfds_folder.iterdir() if path.is_file()))
    return ()


def read_pool(folder):
    """All 70,000 labelled digits of MNIST, checked, sorted by their image keys.

    Both formats give the same arrays.

    Args:
        folder: a folder for which `find_files` finds something.

    Returns:
        uint8 images (70000, 28, 28), uint8 labels (70000,), and the image keys.

    Raises:
        ValueError: the files are damaged, or hold other images than MNIST's.
    """
    for place in (folder, folder / "mnist"):
        idx_files = _find_idx(place)
        if idx_files:
            images, labels = _read_idx(idx_files)
            break
    else:
        place = _find_tfds(folder)
        images, labels = _read_tfds(place)

    keys = _checked_keys(images, labels, place)
    order = np.array(sorted(range(len(keys)), key=keys.__getitem__))
    return images[order], labels[order], [keys[index] for index in order]


def find_idx_files(folder):
    """The four idx files in a folder or its subfolder `mnist`, or an empty tuple.

    Raises:
        ValueError: some but not all of them are there.
    """
    for place in (folder, folder / "mnist"):
        idx_files = _find_idx(place)
        if idx_files:
            return tuple(idx_files.values())
    return ()


def read_parts(folder):
    """The 60,000 training and the 10,000 test digits, checked, in MNIST's own order.

    Args:
        folder: a folder for which `find_idx_files` finds something; tensorflow-datasets
            does not keep the order.

    Returns:
        Two pairs of uint8 images (n, 28, 28) and labels (n,).

    Raises:
        ValueError: the files are damaged, or hold other images than MNIST's.
    """
    place = folder if _find_idx(folder) else folder / "mnist"
    images, labels = _read_idx(_find_idx(place))
    _checked_keys(images, labels, place)
    count = IMAGE_COUNTS["train"]
    return (images[:count], labels[:count]), (images[count:], labels[count:])


def _checked_keys(images, labels, place):
    """The image keys, if they are those of MNIST."""
    keys = image_keys(images, labels)
    if set_fingerprint(keys) != FINGERPRINT:
        raise ValueError(
            f"The files in {place} are well formed but do not hold the "
            f"{sum(IMAGE_COUNTS.values()):,} images of MNIST with their labels (is it "
            f"Fashion-MNIST, or an altered copy?): put the original MNIST there."
        )
    return keys


def _find_idx(folder):
    """{(part, kind): path} of the four idx files in a folder; {} if it has none."""
    found = {}
    missing = []
    for part in IMAGE_COUNTS:
        for kind, dimensions in (("images", 3), ("labels", 1)):
            stem = f"{part}-{kind}"
            names = [
                f"{stem}{separator}idx{dimensions}-ubyte{ending}"
                for separator in "-."
                for ending in ("", ".gz")
            ]
            paths = [folder / name for name in names if (folder / name).is_file()]
            if paths:
                found[part, kind] = paths[0]
            else:
                missing.append(f"{names[0]}[.gz]")
    if found and missing:
        raise ValueError(
            f"{folder} holds {len(found)} of the four MNIST files: add "
            f"{', '.join(missing)}."
        )
    return found


def _find_tfds(folder):
    """The newest version of mnist that tensorflow-datasets prepared there, or None."""
    versions = sorted((folder / "mnist").glob("*.*.*/dataset_info.json"))
    return versions[-1].parent if versions else None


def _read_idx(paths):
    images = []
    labels = []
    for part, count in IMAGE_COUNTS.items():
        images.append(_read_idx_file(paths[part, "images"], "images", (count, 28, 28)))
        labels.append(_read_idx_file(paths[part, "labels"], "labels", (count,)))
    return np.concatenate(images), np.concatenate(labels)


def _read_idx_file(path, kind, shape):
    content = _uncompressed(path)
    header_size = 4 + 4 * len(shape)
    header = np.frombuffer(content[:header_size].ljust(header_size, b"\0"), ">u4")
    if header[0] != _MAGIC[kind]:
        raise ValueError(
            f"{path} is no idx file of MNIST {kind}: it should begin with "
            f"{_MAGIC[kind]:#010x} and begins with {header[0]:#010x}. Replace it, or "
            f"give it its right name if it is another of the four files."
        )
    if tuple(header[1:]) != shape:
        raise ValueError(
            f"{path} should hold {kind} of shape {shape}; its header says "
            f"{tuple(header[1:].tolist())}. Replace it, or give it its right name if "
            f"it is another of the four files."
        )
    expected = header_size + int(np.prod(shape))
    if len(content) != expected:
        raise ValueError(
            f"{path} should hold {expected:,} bytes (uncompressed); it holds "
            f"{len(content):,}. Copy or download it again."
        )
    return np.frombuffer(content, np.uint8, offset=header_size).reshape(shape)


def _uncompressed(path):
    try:
        content = path.read_bytes()
        # By content, not by name: browsers unpack .gz files without renaming them.
        if content[:2] == b"\x1f\x8b":
            content = gzip.decompress(content)
    except (OSError, EOFError, zlib.error) as error:
        raise ValueError(
            f"{path} cannot be read ({error}): copy or download it again."
        ) from error
    return content


def _read_tfds(folder):
    import tensorflow_datasets as tfds

    # Whatever goes wrong in there, the files are not what tfds once wrote.
    try:
        builder = tfds.builder_from_directory(folder)
        whole = builder.as_dataset(split="train+test").batch(1000)
        batches = list(tfds.as_numpy(whole))
    except Exception as error:
        raise ValueError(
            f"The MNIST of tensorflow-datasets in {folder} cannot be read "
            f"({type(error).__name__}): delete that folder and prepare or download it "
            f"again, or give the four idx files."
        ) from error
    images = np.concatenate([batch["image"] for batch in batches])[..., 0]
    labels = np.concatenate([batch["label"] for batch in batches]).astype(np.uint8)
    return images, labels
