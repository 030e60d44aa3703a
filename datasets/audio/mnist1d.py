"""mnist1d: ten short curves, padded, stretched, moved, and made noisy.

S. Greydanus, D. Kobak: Scaling down deep learning with MNIST-1D. ICML 2024,
arXiv:2011.14439. The signals are computed here, bit for bit those of the authors'
package `mnist1d`, so nothing has to be downloaded.
"""

from pathlib import Path

import numpy as np
import scipy.interpolate
import scipy.ndimage
import tensorflow_datasets as tfds

from zoo.datasets import catalogue

SEED = 42
SIGNALS_PER_CLASS = 500
TRAIN_COUNT = 4000
LENGTH = 40
LONG_LENGTH = 72
FEWEST_ZEROS, MOST_ZEROS = 36, 60
# Below what any template holds, and not zero: zeros mark where a signal is silent.
NOT_ZERO = 1e-8

# Ten digits drawn with one stroke from top to bottom, as the paper's figure has them.
TEMPLATES = (
    (5, 6, 6.5, 6.75, 7, 7, 7, 7, 6.75, 6.5, 6, 5),
    (5, 3, 3, 3.4, 3.8, 4.2, 4.6, 5, 5.4, 5.8, 5, 5),
    (5, 6, 6.5, 6.5, 6, 5.25, 4.75, 4, 3.5, 3.5, 4, 5),
    (5, 6, 6.5, 6.5, 6, 5, 5, 6, 6.5, 6.5, 6, 5),
    (5, 4.4, 3.8, 3.2, 2.6, 2.6, 5, 5, 5, 5, 5, 5),
    (5, 3, 3, 3, 3, 5, 6, 6.5, 6.5, 6, 4.5, 5),
    (5, 4, 3.5, 3.25, 3, 3, 3, 3, 3.25, 3.5, 4, 5),
    (5, 7, 7, 6.6, 6.2, 5.8, 5.4, 5, 4.6, 4.2, 5, 5),
    (5, 4, 3.5, 3.5, 4, 5, 5, 4, 3.5, 3.5, 4, 5),
    (5, 4, 3.5, 3.5, 4, 5, 5, 5, 5, 4.7, 4.3, 5),
)


def make_signals(shuffled=False):
    """All 5,000 signals, in the order of the authors' package.

    Args:
        shuffled: whether the 40 samples of every signal stand in one other order, the
            same for all: what a convolution then can't use.

    Returns:
        float64 signals (5000, 40), of mean 0 and deviation 1 over all of them
        together, and int64 labels (5000,). The first 4,000 train.
    """
    # RandomState, not default_rng: NumPy keeps its stream the same for ever. Its
    # order of draws is the authors' too.
    random = np.random.RandomState(SEED)
    signals = [
        distorted(template, random)
        for template in whitened_templates()
        for _ in range(SIGNALS_PER_CLASS)
    ]
    labels = np.repeat(np.arange(len(TEMPLATES)), SIGNALS_PER_CLASS)
    order = random.permutation(len(labels))
    signals, labels = np.stack(signals)[order], labels[order]
    if shuffled:
        signals = signals[:, random.permutation(LENGTH)]
    return (signals - signals.mean()) / signals.std(), labels


def whitened_templates():
    """float64 (10, 12): deviation 1/6, beginning at 0."""
    templates = np.array(TEMPLATES, np.float64)
    templates -= templates.mean(axis=1, keepdims=True)
    templates /= templates.std(axis=1, keepdims=True)
    templates -= templates[:, :1]
    return templates / 6


def distorted(template, random):
    """One signal of 40 samples from a template of 12."""
    zeros = FEWEST_ZEROS + int(random.rand() * (MOST_ZEROS - FEWEST_ZEROS + 1))
    signal = np.concatenate([template + NOT_ZERO, np.zeros(zeros)])
    signal = resampled(signal, LONG_LENGTH)
    signal *= 1 + 0.4 * (random.rand() - 0.5)
    signal = np.roll(signal, random.choice(48))
    # Smooth noise where there was nothing, white noise everywhere.
    background = scipy.ndimage.gaussian_filter(0.25 * random.randn(LONG_LENGTH), 2)
    signal = np.where(signal != 0, signal, background)
    signal = signal + 0.02 * random.randn(LONG_LENGTH)
    slope = 0.75 * (random.rand() - 0.5)
    signal = signal - slope * np.linspace(-0.5, 0.5, LONG_LENGTH)
    return resampled(signal, LENGTH)


def resampled(signal, length):
    """The signal at `length` equally spaced places, linearly, ends kept."""
    places = np.linspace(0, 1, len(signal))
    # np.interp rounds otherwise than the authors' interp1d does.
    return scipy.interpolate.interp1d(places, signal)(np.linspace(0, 1, length))


class Mnist1D(tfds.core.GeneratorBasedBuilder):
    """tensorflow-datasets builder of `mnist1d`; config "shuffled" permutes in time.

    Beside waveform and label an example holds `index`, its row in `make_signals`.
    """

    # By itself tensorflow-datasets takes the folder to be zoo/datasets, which an
    # editable install does not have.
    pkg_dir_path = Path(__file__).parent
    name = "mnist1d"
    VERSION = tfds.core.Version("1.0.0")
    RELEASE_NOTES = {"1.0.0": "First version."}
    BUILDER_CONFIGS = [
        tfds.core.BuilderConfig(name="ordered", description="Signals in time."),
        tfds.core.BuilderConfig(
            name="shuffled",
            description="The 40 samples of all signals in one random order.",
        ),
    ]

    def _info(self):
        shuffled = self.builder_config.name == "shuffled"
        facts = catalogue.info("mnist1d_shuffled" if shuffled else "mnist1d")
        return tfds.core.DatasetInfo(
            builder=self,
            description=facts.description,
            features=tfds.features.FeaturesDict(
                {
                    "waveform": tfds.features.Tensor(
                        shape=facts.input_shape, dtype=np.float32, encoding="zlib"
                    ),
                    "label": tfds.features.ClassLabel(names=list(facts.classes)),
                    "index": np.int64,
                }
            ),
            supervised_keys=("waveform", "label"),
            citation=facts.citation,
        )

    def _split_generators(self, dl_manager):
        signals, labels = make_signals(self.builder_config.name == "shuffled")
        rows = np.arange(len(labels))
        return {
            "train": self._generate_examples(signals, labels, rows[:TRAIN_COUNT]),
            "test": self._generate_examples(signals, labels, rows[TRAIN_COUNT:]),
        }

    def _generate_examples(self, signals, labels, rows):
        waveforms = signals.astype(np.float32)[..., np.newaxis]
        for row in rows.tolist():
            yield (
                row,
                {"waveform": waveforms[row], "label": int(labels[row]), "index": row},
            )
