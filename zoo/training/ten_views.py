"""The evaluation of AlexNet: one answer from ten crops of an image."""

import math

import keras
from keras import ops

LARGER = 256 / 227  # AlexNet's image beside its crop


def larger_shape(input_shape, data):
    """Shape of the images that ten views are cropped from.

    Args:
        input_shape: (height, width, channels) of the model.
        data: name of the data set; imagenet2012 is always cropped from 256 x 256.

    Returns:
        A tuple (height, width, channels).

    Example:

    >>> larger_shape((227, 227, 3), "image_folder")
    (256, 256, 3)
    """
    height, width, channels = input_shape
    if data == "imagenet2012":
        return 256, 256, channels
    return math.ceil(height * LARGER), math.ceil(width * LARGER), channels


def ten_views(images, height, width):
    """The crops at the four corners and the centre, and their mirror images.

    Args:
        images: (batch, larger height, larger width, channels).
        height, width: of a crop.

    Returns:
        A list of ten tensors (batch, height, width, channels): top left, top right,
        bottom left, bottom right, centre, and the same mirrored.

    Example:

    >>> import numpy as np
    >>> len(ten_views(np.zeros((1, 8, 8, 1)), 6, 6))
    10
    """
    down, right = images.shape[1] - height, images.shape[2] - width
    places = [(0, 0), (0, right), (down, 0), (down, right), (down // 2, right // 2)]
    views = [images[:, y : y + height, x : x + width] for y, x in places]
    return views + [ops.flip(view, axis=2) for view in views]


def predict_ten_views(model, images):
    """The class probabilities of images, averaged over ten views.

    Args:
        model: a classifier with one input and one output, of probabilities or, if it
            is named `logits`, of logits.
        images: (batch, height, width, channels), larger than the model's input.

    Returns:
        A NumPy array (batch, classes).

    Source: Krizhevsky, Sutskever and Hinton, NIPS 2012, section 4.1.
    """
    total = 0.0
    for view in ten_views(images, *model.input_shape[1:3]):
        outputs = model.predict_on_batch(view)
        if model.output_names[0] == "logits":
            outputs = ops.convert_to_numpy(keras.activations.softmax(outputs))
        total = total + outputs
    return total / 10
