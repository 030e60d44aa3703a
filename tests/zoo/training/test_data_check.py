import dataclasses

import numpy as np
import pytest
import tiny_data

from zoo.training.data.check import check_images


@pytest.fixture
def arrays():
    return [array.copy() for array in tiny_data.TinyData().arrays["train"]]


def batches(images, labels, size=10):
    return [
        (images[i : i + size], labels[i : i + size])
        for i in range(0, len(images), size)
    ]


def test_mean_and_deviation_are_numpys(arrays):
    found = check_images(batches(*arrays), tiny_data.INFO)
    assert found.mean == pytest.approx(arrays[0].mean(dtype="float64"), rel=1e-9)
    assert found.std == pytest.approx(arrays[0].std(dtype="float64"), rel=1e-9)


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_a_value_that_is_not_finite(arrays, value):
    arrays[0][23, 4, 5, 0] = value
    with pytest.raises(ValueError, match="tiny: example 23 .*NaN or infinite"):
        check_images(batches(*arrays), tiny_data.INFO)


@pytest.mark.parametrize("label", [-1, 3])
def test_a_label_outside_the_classes(arrays, label):
    arrays[1][41] = label
    with pytest.raises(ValueError, match=f"example 41 .*0 to 2.*Received: {label}"):
        check_images(batches(*arrays), tiny_data.INFO)


def test_another_shape(arrays):
    info = dataclasses.replace(tiny_data.INFO, input_shape=(9, 9, 1))
    with pytest.raises(ValueError, match=r"shape \(9, 9, 1\).*\(8, 8, 1\), at example"):
        check_images(batches(*arrays), info)


def test_no_examples():
    with pytest.raises(ValueError, match="0 images"):
        check_images([], tiny_data.INFO)


def test_images_of_one_value(arrays):
    arrays[0][:] = 0.5
    with pytest.raises(ValueError, match="nothing but the value 0.5"):
        check_images(batches(*arrays), tiny_data.INFO)
