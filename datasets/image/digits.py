"""digits: scikit-learn's 8 x 8 handwritten digits, upright."""

from pathlib import Path

import numpy as np
import tensorflow_datasets as tfds

from zoo.datasets import catalogue

SPLIT_SEED = 1998


class Digits(tfds.core.GeneratorBasedBuilder):
    """tensorflow-datasets builder of `digits`."""

    # By itself tensorflow-datasets takes the folder to be zoo/datasets, which an
    # editable install does not have.
    pkg_dir_path = Path(__file__).parent
    VERSION = tfds.core.Version("1.0.0")
    RELEASE_NOTES = {"1.0.0": "First version."}

    def _info(self):
        facts = catalogue.info("digits")
        return tfds.core.DatasetInfo(
            builder=self,
            description=facts.description,
            features=tfds.features.FeaturesDict(
                {
                    "image": tfds.features.Tensor(
                        shape=facts.input_shape, dtype=np.float32, encoding="zlib"
                    ),
                    "label": tfds.features.ClassLabel(names=list(facts.classes)),
                }
            ),
            supervised_keys=("image", "label"),
            citation=facts.citation,
        )

    def _split_generators(self, dl_manager):
        from sklearn.datasets import load_digits
        from sklearn.model_selection import train_test_split

        source = load_digits()
        train, test = train_test_split(
            np.arange(len(source.target)),
            test_size=360,
            stratify=source.target,
            random_state=SPLIT_SEED,
        )
        return {
            "train": self._generate_examples(source, train),
            "test": self._generate_examples(source, test),
        }

    def _generate_examples(self, source, indices):
        for index in indices.tolist():
            # The source counts ink in sixteenths.
            image = source.images[index].astype(np.float32)[..., np.newaxis] / 16
            yield index, {"image": image, "label": int(source.target[index])}
