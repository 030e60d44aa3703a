"""Data sets whose images come in many sizes, as a model takes them."""

import zoo.datasets


def find_data(data, data_dir, image_shape, default_shape, skip_bad):
    """The facts of a data set, and what `zoo.datasets.load` needs to be told.

    Args:
        data: name of a data set.
        data_dir: folder with the source files, or None.
        image_shape: (height, width, channels) asked for, or None.
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
            info = zoo.datasets.info(data, image_shape=image_shape)
        return info, {}
    options = {"image_shape": image_shape or default_shape, "skip_bad": skip_bad}
    info = zoo.datasets.info(data, data_dir, **options)
    if not info.classes:
        raise ValueError(
            f"{data} needs the folder of the images as data_dir. Received: None"
        )
    return info, options
