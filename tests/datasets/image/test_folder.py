"""A folder of images: what it gives, and every way in which it can be bad."""

import io
import os
import warnings

import numpy as np
import pytest
import tensorflow as tf
from PIL import Image

from zoo.datasets import _load, info, load

GREY = (6, 8, 1)


def picture(value, mode="RGB", size=(16, 12), form="PNG", **options):
    """A noise image as a file's content."""
    random = np.random.default_rng(value)
    pixels = random.integers(0, 256, (size[1], size[0], 3), dtype=np.uint8)
    image = Image.fromarray(pixels).convert(mode)
    content = io.BytesIO()
    image.save(content, form, **options)
    return content.getvalue()


def fill(folder, classes=("cat", "dog"), count=10, first=0):
    for number, name in enumerate(classes):
        (folder / name).mkdir(parents=True)
        for index in range(count):
            content = picture(first + 100 * number + index)
            (folder / name / f"{index}.png").write_bytes(content)
    return folder


@pytest.fixture
def folder(tmp_path):
    return fill(tmp_path / "images")


def read(folder, split, image_shape=GREY, **options):
    dataset = load(
        "image_folder", split, 4, 0, folder, image_shape=image_shape, **options
    )
    batches = list(dataset.as_numpy_iterator())
    return tuple(np.concatenate(parts) for parts in zip(*batches, strict=True))


def refused(folder, **options):
    with pytest.raises(ValueError) as caught:
        read(folder, "train", **options)
    assert "\n" not in str(caught.value)
    return str(caught.value)


@pytest.mark.parametrize("image_shape", [(6, 8, 1), (20, 10, 3)])
def test_shapes_ranges_and_classes(folder, image_shape):
    facts = info("image_folder", folder, image_shape)
    assert facts.classes == ("cat", "dog")
    assert facts.splits == {"train": 16, "test": 4}
    assert facts.input_shape == image_shape
    for split, count in facts.splits.items():
        dataset = load(
            "image_folder", split, 3, data_dir=folder, image_shape=image_shape
        )
        assert dataset.element_spec[0].shape.as_list() == [None, *image_shape]
        assert dataset.element_spec[0].dtype == tf.float32
        images, labels = read(folder, split, image_shape)
        assert len(images) == count
        assert images.min() >= 0
        assert 0.3 < images.max() <= 1
        assert sorted(labels) == [0] * (count // 2) + [1] * (count // 2)


def test_facts_without_a_folder_or_a_shape(folder):
    facts = info("image_folder")
    assert facts.input_shape == (None, None, None)
    assert (facts.classes, facts.splits, facts.resizable) == ((), {}, True)
    facts = info("image_folder", folder)
    assert facts.input_shape == (None, None, None)
    assert facts.splits == {"train": 16, "test": 4}


def test_the_pixels_are_pillows(tmp_path):
    formats = {"a.png": "PNG", "b.bmp": "BMP", "c.GIF": "GIF", "d.webp": "WEBP"}
    for number, (name, form) in enumerate(formats.items()):
        (tmp_path / f"class_{number}").mkdir()
        options = {"lossless": True} if form == "WEBP" else {}
        content = picture(number, form=form, **options)
        (tmp_path / f"class_{number}" / name).write_bytes(content)
    (tmp_path / "class_4").mkdir()
    (tmp_path / "class_4" / "e.jpg").write_bytes(picture(4, form="JPEG"))
    for image_shape, mode in (((6, 8, 1), "L"), ((5, 5, 3), "RGB")):
        images, labels = read(tmp_path, "train", image_shape)
        for image, label in zip(images, labels, strict=True):
            (path,) = (tmp_path / f"class_{label}").iterdir()
            with Image.open(path) as source:
                source = source.convert(mode)
            height, width, _ = image_shape
            expected = np.asarray(source.resize((width, height), Image.BILINEAR))
            expected = expected.reshape(image_shape) / 255
            np.testing.assert_allclose(image, expected, atol=1e-6)


def test_exif_turns(tmp_path):
    upright = np.zeros((16, 16, 3), np.uint8)
    upright[:4] = 255
    exif = Image.Exif()
    exif[0x0112] = 6  # stored on its side: turn it clockwise
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        stored = Image.fromarray(np.rot90(upright).copy())
        stored.save(
            tmp_path / name / f"{name}.jpg", exif=exif, quality=90 + ord(name) % 9
        )
    images, _ = read(tmp_path, "train", (16, 16, 1))
    np.testing.assert_allclose(images[0][..., 0], upright[..., 0] / 255, atol=0.1)


def test_the_split_is_fixed_by_content(folder, tmp_path):
    def contents(place, split):
        return {image.tobytes() for image in read(place, split)[0]}

    tests = contents(folder, "test")
    assert not tests & contents(folder, "train")
    renamed = tmp_path / "renamed"
    for path in sorted(folder.rglob("*.png")):
        place = renamed / path.parent.name
        place.mkdir(parents=True, exist_ok=True)
        (place / f"again_{path.stem}.png").write_bytes(path.read_bytes())
        (place / f"copy_{path.stem}.png").write_bytes(path.read_bytes())
    assert contents(renamed, "test") == tests
    assert info("image_folder", renamed, GREY).splits == {"train": 32, "test": 8}


def test_train_and_test_folders(tmp_path):
    fill(tmp_path / "train", count=3)
    fill(tmp_path / "test", count=2, first=1000)
    assert info("image_folder", tmp_path, GREY).splits == {
        "train": 3 * 2,
        "test": 2 * 2,
    }
    (tmp_path / "test" / "cat" / "again.png").write_bytes(picture(0))
    (tmp_path / "validation").mkdir()
    message = refused(tmp_path)
    assert "test/cat/again.png (the same file as train/cat/0.png, which" in message
    assert "validation (a folder beside train and test)" in message


def damaged(content):
    middle = len(content) // 2
    return content[:middle] + bytes(8) + content[middle + 8 :]


BAD = {
    "alpha.png": (picture(1, "RGBA"), "transparent"),
    "grey_alpha.png": (picture(1, "LA"), "transparent"),
    "palette_alpha.png": (picture(1, "P", transparency=3), "transparent"),
    "cmyk.jpg": (picture(1, "CMYK", form="JPEG"), "mode CMYK, 4 channels"),
    "grey_16_bit.png": (picture(1, "I;16"), "more than 8 bits"),
    "cut.png": (picture(1)[:-200], "damaged"),
    "cut.jpg": (picture(1, form="JPEG", size=(64, 64))[:-300], "damaged"),
    "cut.bmp": (picture(1, form="BMP")[:-100], "damaged"),
    "cut.gif": (picture(1, form="GIF")[:-150], "damaged"),
    "cut.webp": (picture(1, form="WEBP", size=(64, 64))[:-150], "damaged"),
    "header_only.png": (picture(1)[:20], "damaged"),
    "flipped_bytes.png": (damaged(picture(1)), "damaged"),
    "empty.png": (b"", "empty"),
    "text.png": (b"not an image at all", "holds no image"),
    "named_wrong.png": (picture(1, form="JPEG"), "named as PNG, holds JPEG"),
    "notes.txt": (b"notes", "not one of .bmp, .gif"),
    "no_ending": (picture(1), "not one of"),
    "tiff.tiff": (picture(1, form="TIFF"), "not one of"),
}


def animated():
    frames = [Image.new("RGB", (8, 8), colour) for colour in ("red", "blue")]
    content = io.BytesIO()
    frames[0].save(content, "GIF", save_all=True, append_images=frames[1:])
    return content.getvalue()


def colour_16_bit():
    """Pillow writes none."""
    pixels = np.random.default_rng(0).integers(0, 2**16, (4, 4, 3)).astype(np.uint16)
    return tf.io.encode_png(pixels).numpy()


BAD["animated.gif"] = (animated(), "animated, 2 frames")
BAD["colour_16_bit.png"] = (colour_16_bit(), "more than 8 bits")


@pytest.mark.parametrize("name", BAD)
def test_a_bad_file_is_named_with_its_reason(folder, name, fresh_cache):
    content, reason = BAD[name]
    (folder / "dog" / name).write_bytes(content)
    message = refused(folder)
    assert f"dog/{name} (" in message
    assert reason in message.split(f"dog/{name} (")[1]
    assert "holds 1 that can't be used" in message
    assert "skip_bad=True" in message


def test_all_are_listed_at_once_and_skipped_only_when_asked(folder, fresh_cache):
    good = {split: read(folder, split) for split in ("train", "test")}
    for name, (content, _) in BAD.items():
        (folder / "dog" / name).write_bytes(content)
    (folder / "cat" / "nested").mkdir()
    (folder / "cat" / "nested" / "1.png").write_bytes(picture(77))
    (folder / "readme.md").write_text("mine")
    (folder / "cat" / ".DS_Store").write_bytes(b"passed over")
    (folder / "dog" / "of_cat.png").write_bytes(picture(0))
    listed = [*(f"dog/{name}" for name in BAD), "cat/nested", "readme.md"]
    listed += ["cat/0.png", "dog/of_cat.png"]
    message = refused(folder)
    assert f"holds {len(listed)} that" in message
    assert all(f"{name} (" in message for name in listed)
    assert "dog/of_cat.png (the same file as cat/0.png, of another class)" in message
    assert ".DS_Store" not in message

    with pytest.warns(UserWarning, match="Skipped, as asked"):
        facts = info("image_folder", folder, GREY, skip_bad=True)
    assert sum(facts.splits.values()) == 19  # all but cat/0.png, which may be a dog
    known = {x.tobytes() for images, _ in good.values() for x in images}
    with warnings.catch_warnings():
        for split in ("train", "test"):
            images, _ = read(folder, split, skip_bad=True)
            assert len(images) == facts.splits[split]
            assert {x.tobytes() for x in images} <= known
            assert images.reshape(len(images), -1).max(axis=1).min() > 0
    assert "skip_bad=True" in refused(folder)


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_a_file_without_permission(folder):
    (folder / "cat" / "0.png").chmod(0)
    assert "cat/0.png (cannot be read: Permission denied)" in refused(folder)


def test_a_class_without_an_image(folder):
    (folder / "emu").mkdir()
    assert "classes without an image to train on: emu" in refused(folder)
    (folder / "emu" / "1.png").write_bytes(b"")
    with pytest.warns(UserWarning, match="emu/1.png"):
        assert "classes without an image" in refused(folder, skip_bad=True)


@pytest.mark.parametrize(
    "make", [lambda path: None, lambda path: (path / "cat").mkdir()]
)
def test_fewer_than_two_classes(tmp_path, make):
    make(tmp_path)
    assert "one sub-folder for each class, at least two" in refused(tmp_path)


def test_a_changed_folder_is_read_again(folder):
    before = info("image_folder", folder, GREY).splits
    (folder / "dog" / "new.png").write_bytes(picture(999))
    after = info("image_folder", folder, GREY)
    assert sum(after.splits.values()) == sum(before.values()) + 1
    (folder / "dog" / "new.png").write_bytes(picture(998))
    assert info("image_folder", folder, GREY).source != after.source


def test_a_prepared_folder_needs_no_decoder(folder, monkeypatch):
    first = read(folder, "test")
    monkeypatch.setattr(Image, "open", None)
    np.testing.assert_array_equal(first[0], read(folder, "test")[0])


def test_beyond_the_memory_it_is_read_as_it_is_needed(folder, monkeypatch):
    held = {split: read(folder, split) for split in ("train", "test")}
    monkeypatch.setattr(_load, "MEMORY_LIMIT", 0)
    for split in ("train", "test"):
        images, labels = read(folder, split)
        assert {x.tobytes() for x in images} == {x.tobytes() for x in held[split][0]}
        assert sorted(labels) == sorted(held[split][1])
    dataset = load("image_folder", "train", None, 0, folder, image_shape=GREY)
    one, two = ([y.tobytes() for y, _ in dataset.as_numpy_iterator()] for _ in "ab")
    assert one != two
    again = load("image_folder", "train", None, 0, folder, image_shape=GREY)
    assert one == [y.tobytes() for y, _ in again.as_numpy_iterator()]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"image_shape": None}, "needs image_shape=(height, width, channels)"),
        ({"image_shape": (8, 8, 4)}, "with 1 or 3 channels"),
        ({"image_shape": (8, 0, 1)}, "with 1 or 3 channels"),
        ({"split": "validation"}, "choose one of test, train"),
    ],
)
def test_wrong_arguments(folder, options, message):
    arguments = {"name": "image_folder", "split": "train", "image_shape": GREY}
    with pytest.raises(ValueError) as caught:
        load(**arguments | options, data_dir=folder)
    assert message in str(caught.value)
    with pytest.raises(ValueError, match="needs the folder of the images as data_dir"):
        load("image_folder", "train", image_shape=GREY)
