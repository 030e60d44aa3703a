"""imagenet2012 on noise images: prepared by tensorflow-datasets, and from archives."""

import io
import shutil
import tarfile
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf
import tensorflow_datasets as tfds
from PIL import Image

from zoo.datasets import info, load

COUNTS = {"train": 24, "validation": 10}


def jpeg(random):
    height, width = random.integers(200, 400, 2)
    small = random.integers(0, 256, (height // 20, width // 20, 3), dtype=np.uint8)
    content = io.BytesIO()
    Image.fromarray(small).resize((width, height)).save(content, "JPEG")
    return content.getvalue()


@pytest.fixture(scope="session")
def folder(tmp_path_factory):
    """imagenet2012 as tensorflow-datasets prepares it."""
    random = np.random.default_rng(0)
    folder = tmp_path_factory.mktemp("imagenet")
    tfds.dataset_builders.store_as_tfds_dataset(
        name="imagenet2012",
        version="5.1.0",
        features=tfds.features.FeaturesDict(
            {
                "image": tfds.features.Image(encoding_format="jpeg"),
                "label": tfds.features.ClassLabel(names=info("imagenet2012").classes),
            }
        ),
        split_datasets={
            split: tf.data.Dataset.from_tensor_slices(
                {
                    "image": [jpeg(random) for _ in range(count)],
                    "label": np.arange(count),
                }
            ).map(
                lambda example: {
                    "image": tf.io.decode_jpeg(example["image"]),
                    "label": example["label"],
                }
            )
            for split, count in COUNTS.items()
        },
        data_dir=folder,
    )
    return folder


def epoch(dataset):
    batches = list(dataset.as_numpy_iterator())
    return tuple(np.concatenate(parts) for parts in zip(*batches, strict=True))


def test_facts():
    facts = info("imagenet2012")
    assert facts.input_shape == (227, 227, 3)
    assert facts.splits == {"train": 1281167, "test": 50000}
    labels = Path(tfds.__file__).parent / "datasets" / "imagenet2012" / "labels.txt"
    assert list(facts.classes) == labels.read_text().split()
    assert facts.resizable
    smaller = info("imagenet2012", image_shape=(224, 224, 3))
    assert smaller.input_shape == (224, 224, 3)


@pytest.mark.parametrize(("split", "count"), [("train", 24), ("test", 10)])
def test_shapes_and_ranges(folder, split, count):
    dataset = load("imagenet2012", split, batch_size=8, data_dir=folder)
    assert int(dataset.cardinality()) == -(-count // 8)
    image_spec, label_spec = dataset.element_spec
    assert image_spec.shape.as_list() == [None, 227, 227, 3]
    assert (image_spec.dtype, label_spec.dtype) == (tf.float32, tf.int64)
    images, labels = epoch(dataset)
    assert sorted(labels) == list(range(count))
    assert images.min() >= 0
    assert 0.5 < images.max() <= 1
    assert np.isfinite(images).all()


def test_one_seed_gives_the_same_epochs_and_each_epoch_is_another(folder):
    def load_train(seed):
        return load("imagenet2012", "train", seed=seed, data_dir=folder)

    one, same = load_train(5), load_train(5)
    first, second = epoch(one), epoch(one)
    for images, labels in (first, second):
        same_images, same_labels = epoch(same)
        np.testing.assert_array_equal(labels, same_labels)
        np.testing.assert_array_equal(images, same_images)
    assert (first[1] != second[1]).any()
    # Sorted by label, they are the same files, cropped and coloured in another way.
    again = [images[np.argsort(labels)] for images, labels in (first, second)]
    assert (np.abs(again[0] - again[1]).mean(axis=(1, 2, 3)) > 1e-3).all()
    other_images, other_labels = epoch(load_train(6))
    assert (other_labels != first[1]).any()


def test_held_out_images_are_always_the_same(folder):
    def held_out(seed):
        return load(
            *("imagenet2012", "train[-6:]", 4, seed, folder),
            training=False,
        )

    first = epoch(held_out(0))
    assert len(first[1]) == 6
    for other in (held_out(0), held_out(1)):
        for again in (epoch(other), epoch(other)):
            np.testing.assert_array_equal(first[0], again[0])
    train = epoch(load("imagenet2012", "train[:-6]", data_dir=folder))
    assert not set(first[1]) & set(train[1])


def test_a_loop_that_stops_early_does_not_shorten_the_next(folder):
    dataset = load("imagenet2012", "train", batch_size=4, data_dir=folder)
    for _ in dataset.take(1):
        pass
    assert len(epoch(dataset)[1]) == 24


def test_parts_and_sizes(folder):
    dataset = load(
        *("imagenet2012", "test[:3]", None),
        data_dir=folder,
        image_shape=(256, 256, 3),
    )
    whole = np.stack([image for image, _ in dataset.as_numpy_iterator()])
    assert whole.shape == (3, 256, 256, 3)
    centres, _ = epoch(load("imagenet2012", "test[:3]", data_dir=folder))
    np.testing.assert_array_equal(whole[:, 14:241, 14:241], centres)


def test_ten_views_are_evaluated(folder):
    import keras

    from zoo.training import evaluate

    random = np.random.default_rng(0)
    image = keras.Input((227, 227, 3))
    x = keras.layers.AveragePooling2D(50)(image)
    x = keras.layers.Dense(1000, activation="softmax")(keras.layers.Flatten()(x))
    model = keras.Model(image, x)
    model.layers[-1].kernel.assign(random.normal(0, 0.1, (48, 1000)))

    whole, labels = epoch(
        load("imagenet2012", "test", data_dir=folder, image_shape=(256, 256, 3))
    )
    views = []
    for y, x in [(0, 0), (0, 29), (29, 0), (29, 29), (14, 14)]:
        crop = whole[:, y : y + 227, x : x + 227]
        views += [model(crop).numpy(), model(crop[:, :, ::-1]).numpy()]
    right = np.mean(views, axis=0)[np.arange(10), labels]
    result = evaluate(model, "imagenet2012", data_dir=folder, views=10)
    assert result["examples"] == 10
    assert result["loss"] == pytest.approx(-np.log(right).mean(), rel=1e-4)
    assert result["labels"] == info("imagenet2012").classes
    single = evaluate(model, "imagenet2012", data_dir=folder)
    assert single["loss"] != pytest.approx(result["loss"], rel=1e-4)
    with pytest.raises(ValueError, match="`views` must be 1 or 10"):
        evaluate(model, "imagenet2012", data_dir=folder, views=5)


def add(archive, name, content):
    member = tarfile.TarInfo(name)
    member.size = len(content)
    archive.addfile(member, io.BytesIO(content))


def test_from_the_archives(tmp_path):
    random = np.random.default_rng(1)
    manual = tmp_path / "downloads" / "manual"
    manual.mkdir(parents=True)
    with tarfile.open(manual / "ILSVRC2012_img_train.tar", "w") as archive:
        for synset in ("n01440764", "n01443537"):
            content = io.BytesIO()
            with tarfile.open(fileobj=content, mode="w") as inner:
                for number in range(3):
                    add(inner, f"{synset}_{number}.JPEG", jpeg(random))
            add(archive, f"{synset}.tar", content.getvalue())
    with pytest.raises(ValueError, match="lacks ILSVRC2012_img_val.tar"):
        load("imagenet2012", "train", data_dir=tmp_path)
    with tarfile.open(manual / "ILSVRC2012_img_val.tar", "w") as archive:
        for number in (1, 2):
            add(archive, f"ILSVRC2012_val_{number:08d}.JPEG", jpeg(random))
    _, labels = epoch(load("imagenet2012", "train", data_dir=tmp_path))
    assert sorted(labels) == [0, 0, 0, 1, 1, 1]
    shutil.rmtree(tmp_path / "downloads")  # prepared, it needs the archives no more
    assert len(epoch(load("imagenet2012", "test", data_dir=tmp_path))[1]) == 2


def test_a_cut_archive_is_named(tmp_path):
    manual = tmp_path / "downloads" / "manual"
    manual.mkdir(parents=True)
    for name in ("ILSVRC2012_img_train.tar", "ILSVRC2012_img_val.tar"):
        (manual / name).write_bytes(b"no archive")
    with pytest.raises(ValueError, match="imagenet2012 could not be prepared in"):
        load("imagenet2012", "train", data_dir=tmp_path)


@pytest.mark.parametrize("download", [False, True])
def test_without_files_it_says_what_to_do(tmp_path, download):
    for data_dir, end in ((tmp_path, "lacks ILSVRC2012"), (None, "no data_dir")):
        with pytest.raises(ValueError, match=f"downloads/manual.*{end}") as caught:
            load("imagenet2012", "train", data_dir=data_dir, download=download)
        assert "\n" not in str(caught.value)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"image_shape": (257, 257, 3)}, "at most 256"),
        ({"image_shape": (200, 210, 3)}, "square"),
        ({"image_shape": (28, 28, 1)}, "in colour"),
        ({"image_shape": (28, 28)}, "(height, width, channels)"),
        ({"image_shape": 227}, "(height, width, channels)"),
        ({"split": "validation["}, "no split"),
    ],
)
def test_wrong_arguments(folder, arguments, message):
    with pytest.raises(ValueError) as caught:
        load(
            **{"name": "imagenet2012", "split": "test", "data_dir": folder} | arguments
        )
    assert message in str(caught.value)
