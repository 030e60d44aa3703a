"""image_folder: the user's own images, one sub-folder a class."""

import dataclasses
import warnings
from pathlib import Path

import numpy as np
import tensorflow_datasets as tfds

from zoo.datasets._quiet import quiet_about
from zoo.datasets.cache import prepared_builder
from zoo.datasets.image.files import read_image
from zoo.datasets.image.folder_scan import (
    check_classes,
    check_files,
    list_folder,
    refusal,
)


@dataclasses.dataclass(kw_only=True)
class FolderConfig(tfds.core.BuilderConfig):
    """What one preparation of a folder depends on, beside the files.

    Attributes:
        image_shape: (height, width, channels) that the images get.
        classes: names of the classes, sorted.
        skip_bad: whether bad files are left out.
    """

    image_shape: tuple[int, int, int]
    classes: tuple[str, ...]
    skip_bad: bool


class FolderOfImages(tfds.core.GeneratorBasedBuilder):
    """tensorflow-datasets builder of `image_folder`, from files in its manual_dir.

    It keeps the decoded and resized pixels, so training waits for no decoder.
    """

    # By itself tensorflow-datasets takes the folder to be zoo/datasets, which an
    # editable install does not have.
    pkg_dir_path = Path(__file__).parent
    VERSION = tfds.core.Version("1.0.0")
    RELEASE_NOTES = {"1.0.0": "First version."}
    MANUAL_DOWNLOAD_INSTRUCTIONS = "A folder with one sub-folder for each class."

    def _info(self):
        config = self.builder_config
        return tfds.core.DatasetInfo(
            builder=self,
            description="Images from a folder, resized.",
            features=tfds.features.FeaturesDict(
                {
                    "image": tfds.features.Tensor(
                        shape=config.image_shape, dtype=np.uint8, encoding="bytes"
                    ),
                    "label": tfds.features.ClassLabel(names=list(config.classes)),
                    "file_name": tfds.features.Text(),
                }
            ),
            supervised_keys=("image", "label"),
        )

    def _split_generators(self, dl_manager):
        listing = list_folder(Path(dl_manager.manual_dir))
        files = sound_files(listing, self.builder_config.skip_bad)
        # tensorflow-datasets refuses a split without an example.
        return {
            split: self._generate_examples(
                [file for file in files if file.split == split]
            )
            for split in sorted({file.split for file in files})
        }

    def _generate_examples(self, files):
        for file in files:
            image = read_image(file.path, self.builder_config.image_shape)
            yield (
                file.name,
                {"image": image, "label": file.label, "file_name": file.name},
            )


def sound_files(listing, skip_bad):
    """The files to use, each with its split.

    Raises:
        ValueError: there are bad files, unless skip_bad, which warns; or a class has
            no image to train on.
    """
    files, faults = check_files(listing)
    if faults:
        message = refusal(listing.folder, faults)
        if not skip_bad:
            raise ValueError(message)
        warnings.warn(f"Skipped, as asked: {message}", stacklevel=2)
    check_classes(listing, files)
    return files


def folder_builder(folder, image_shape, skip_bad):
    """The builder of a folder's images, prepared in the cache.

    Args:
        folder: the folder.
        image_shape: (height, width, channels) that the images get.
        skip_bad: whether bad files are left out; otherwise they are an error.

    Returns:
        A `FolderOfImages`.

    Raises:
        ValueError: see `sound_files`.
    """
    listing = list_folder(Path(folder))
    name = "x".join(map(str, image_shape)) + ("-skip_bad" if skip_bad else "")
    config = FolderConfig(
        name=name, image_shape=image_shape, classes=listing.classes, skip_bad=skip_bad
    )
    with quiet_about("Using custom data configuration"):
        return prepared_builder(FolderOfImages, config, folder, listing.content_hash())


def folder_facts(entry, folder, skip_bad):
    """The catalogue's entry, filled in with what is in a folder.

    Args:
        entry: `DatasetInfo` with the input shape, or with (None, None, None).
        folder: the folder.
        skip_bad: as in `folder_builder`.

    Returns:
        A `DatasetInfo` with classes, splits and source.

    Raises:
        ValueError: see `sound_files`.
    """
    listing = list_folder(Path(folder))
    if None in entry.input_shape:
        splits = [file.split for file in sound_files(listing, skip_bad)]
        counts = {split: splits.count(split) for split in sorted(set(splits))}
    else:
        builder = folder_builder(folder, entry.input_shape, skip_bad)
        counts = {
            split: part.num_examples for split, part in builder.info.splits.items()
        }
    return dataclasses.replace(
        entry,
        classes=listing.classes,
        splits=counts,
        source=f"{len(listing.files)} files, content {listing.content_hash()}",
    )
