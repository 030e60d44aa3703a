"""The original rotated MNIST, on small files of its format."""

import numpy as np
import pytest

from zoo.datasets import load

TRAIN = "mnist_all_rotation_normalized_float_train_valid.amat"
TEST = "mnist_all_rotation_normalized_float_test.amat"


@pytest.fixture
def folder(tiny_rotated_mnist, tmp_path, fresh_cache):
    return tiny_rotated_mnist.write_amat(tmp_path / "data")


@pytest.mark.parametrize("name", ["rotated_mnist", "rotated_mnist/original"])
def test_values(folder, tiny_mnist, name):
    train = load(name, "train", data_dir=folder, batch_size=None)
    assert int(train.cardinality()) == 40
    assert int(load(name, "test", data_dir=folder, batch_size=None).cardinality()) == 20
    loaded = sorted(
        (image.tobytes(), label) for image, label in train.as_numpy_iterator()
    )
    rows = np.loadtxt(folder / TRAIN)
    images = rows[:, :-1].astype(np.float32).reshape(-1, 28, 28, 1)
    expected = sorted(
        zip([image.tobytes() for image in images], rows[:, -1], strict=True)
    )
    assert loaded == expected
    np.testing.assert_allclose(images[3, ..., 0], tiny_mnist.images[3] / 255, atol=1e-6)


def test_mnist_is_preferred_to_the_original(folder, tiny_mnist):
    original = load("rotated_mnist", "test", data_dir=folder, batch_size=20)
    tiny_mnist.write_idx(folder)
    rebuilt = load("rotated_mnist", "test", data_dir=folder, batch_size=20)
    named = load("rotated_mnist/original", "test", data_dir=folder, batch_size=20)
    images = [next(each.as_numpy_iterator())[0] for each in (original, rebuilt, named)]
    assert not np.array_equal(images[0], images[1])
    np.testing.assert_array_equal(images[0], images[2])


def test_a_tiny_excess_is_clipped(folder):
    edit(folder / TRAIN, row=0, column=5, value="1.00000012")
    images, _ = next(
        load("rotated_mnist", "train", 40, data_dir=folder).as_numpy_iterator()
    )
    assert images.max() == 1.0


def test_changed_content_is_prepared_anew(folder):
    before = load("rotated_mnist", "test", 20, data_dir=folder)
    edit(folder / TEST, row=3, column=784, value="9.0")
    edit(folder / TEST, row=4, column=784, value="9.0")
    after = load("rotated_mnist", "test", 20, data_dir=folder)
    labels = [next(each.as_numpy_iterator())[1] for each in (before, after)]
    assert not np.array_equal(*labels)


def edit(path, row, column, value):
    lines = path.read_text().splitlines()
    fields = lines[row].split()
    fields[column : column + 1] = [value] if value else []
    lines[row] = " ".join(fields)
    path.write_text("\n".join(lines) + "\n")


@pytest.mark.parametrize(
    ("column", "value", "message"),
    [
        (10, "nan", r"row 4: expected pixels in \[0, 1\]; received nan"),
        (10, "inf", r"row 4: expected pixels in \[0, 1\]; received inf"),
        (10, "-0.5", r"row 4: expected pixels in \[0, 1\]; received -0.5"),
        (10, "255", r"row 4: expected pixels in \[0, 1\]; received 255.0"),
        (10, "grey", "row 4: expected only numbers"),
        (784, "11", "row 4: expected a label from 0 to 9 .* received 11.0"),
        (784, "2.5", "row 4: expected a label from 0 to 9 .* received 2.5"),
        (784, "nan", "row 4: expected a label from 0 to 9 .* received nan"),
        (784, "", "row 4: expected 784 pixels and a label, 785 numbers; received 784"),
    ],
)
@pytest.mark.parametrize("name", [TRAIN, TEST])
def test_wrong_values_name_file_and_row(folder, name, column, value, message):
    edit(folder / name, row=3, column=column, value=value)
    with pytest.raises(ValueError, match=f"{name}, {message}") as caught:
        load("rotated_mnist", "test", data_dir=folder)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda lines: lines[:-1], "must have 20 rows and has only 19"),
        (lambda lines: lines + lines[:1], "must have 20 rows and has more"),
        (lambda lines: [], "must have 20 rows and has only 0"),
    ],
)
def test_wrong_number_of_rows(folder, change, message):
    lines = (folder / TEST).read_text().splitlines(keepends=True)
    (folder / TEST).write_text("".join(change(lines)))
    with pytest.raises(ValueError, match=f"{TEST} {message}"):
        load("rotated_mnist", "test", data_dir=folder)


def test_one_file_alone_is_refused(folder):
    (folder / TEST).unlink()
    with pytest.raises(ValueError, match=f"one of the two files .* add {TEST}"):
        load("rotated_mnist", "test", data_dir=folder)
