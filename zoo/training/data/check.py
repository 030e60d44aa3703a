"""A first look at a data set, before hours are spent on it."""

import numpy as np

from zoo._model_card import Normalization


def check_images(dataset, info):
    """Checks every example once, and measures the scalar mean and deviation.

    Args:
        dataset: batches of (image, label).
        info: the `DatasetInfo` that says what they should be.

    Returns:
        A `Normalization` by the mean and standard deviation of all pixels.

    Raises:
        ValueError: for an image of another shape or with values that are not finite, a
            label outside the classes (saying which example), no example at all, or
            images that are all of one value.

    Example:

    >>> import zoo
    >>> info = zoo.datasets.info("digits")
    >>> check_images([(np.eye(8).reshape(1, 8, 8, 1), np.array([3]))], info).mean
    0.125
    """
    count, total, squares = 0, 0.0, 0.0
    for images, labels in dataset:
        images, labels = np.asarray(images, dtype="float64"), np.asarray(labels)
        if images.shape[1:] != info.input_shape:
            raise ValueError(
                f"{info.name}: expected images of shape {info.input_shape}. Received: "
                f"shape={images.shape[1:]}, at example {count}."
            )
        finite = np.isfinite(images).all(axis=(1, 2, 3))
        _refuse(~finite, count, info, "a value that is NaN or infinite")
        inside = (labels >= 0) & (labels < len(info.classes))
        what = f"a label outside 0 to {len(info.classes) - 1}"
        _refuse(~inside, count, info, what, labels)
        count += len(images)
        total += images.sum()
        squares += np.square(images).sum()
    pixels = count * int(np.prod(info.input_shape))
    mean = total / pixels if pixels else 0.0
    variance = squares / pixels - mean**2 if pixels else 0.0
    if variance <= 0:
        raise ValueError(
            f"{info.name}: expected images that differ. Received {count} images with "
            f"nothing but the value {mean}."
        )
    return Normalization(float(mean), float(np.sqrt(variance)))


def _refuse(wrong, count, info, what, values=None):
    if wrong.any():
        index = int(np.argmax(wrong))
        received = "" if values is None else f" Received: {values[index]}."
        raise ValueError(
            f"{info.name}: example {count + index} (counted as they come) has {what}."
            f"{received} Mend or drop it."
        )
