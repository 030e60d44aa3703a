"""The images of a data set in the shape that a model takes."""

import dataclasses

import tensorflow as tf

import zoo.datasets


def find_data(data, data_dir, image_shape, default_shape, skip_bad):
    """The facts of a data set, and what `zoo.datasets.load` needs to be told.

    Args:
        data: name of a data set.
        data_dir: folder with the source files, or None.
        image_shape: (height, width, channels) asked for, or None. The loader makes
            it where a data set is `resizable`, `resized` makes it elsewhere.
        default_shape: the model's, for a data set that is `resizable`.
        skip_bad: whether bad files in a folder are left out.

    Returns:
        A `DatasetInfo`, and a dictionary of arguments for `load`.

    Raises:
        ValueError: if there is no such data set, or it can't have that shape.

    Example:

    >>> info, options = find_data("digits", None, None, (28, 28, 1), False)
    >>> info.input_shape, options
    ((8, 8, 1), {})
    """
    info = zoo.datasets.info(data)
    if not info.resizable:
        if image_shape is not None:
            _check_shape(image_shape)
            info = dataclasses.replace(info, input_shape=tuple(image_shape))
        return info, {}
    options = {"image_shape": image_shape or default_shape, "skip_bad": skip_bad}
    info = zoo.datasets.info(data, data_dir, **options)
    if not info.classes:
        raise ValueError(
            f"{data} needs the folder of the images as data_dir. Received: None"
        )
    return info, options


def resized(dataset, info):
    """Brings the images of a data set of one shape to that of its facts.

    Bilinear, and between grey and colour as TensorFlow does it; a data set that has
    the shape stays as it is.

    Args:
        dataset: batches of (image, label).
        info: the `DatasetInfo` that `find_data` returned.

    Returns:
        A `tf.data.Dataset` of (image, label).

    Example:

    >>> info, _ = find_data("digits", None, (32, 32, 3), None, False)
    >>> images, _ = next(iter(resized(zoo.datasets.load("digits", "test"), info)))
    >>> images.shape
    TensorShape([64, 32, 32, 3])
    """
    height, width, channels = info.input_shape
    if tuple(dataset.element_spec[0].shape[1:]) == (height, width, channels):
        return dataset

    def change(image, label):
        image = tf.image.resize(image, (height, width))
        if channels == 3 and image.shape[-1] == 1:
            image = tf.image.grayscale_to_rgb(image)
        elif channels == 1 and image.shape[-1] == 3:
            image = tf.image.rgb_to_grayscale(image)
        return image, label

    return dataset.map(change, num_parallel_calls=tf.data.AUTOTUNE)


def _check_shape(image_shape):
    shape = tuple(image_shape)
    is_size = [isinstance(size, int) and size > 0 for size in shape]
    if len(shape) != 3 or not all(is_size) or shape[-1] not in (1, 3):
        raise ValueError(
            f"`image_shape` must be (height, width, channels), with 1 or 3 channels. "
            f"Received: image_shape={image_shape!r}"
        )
