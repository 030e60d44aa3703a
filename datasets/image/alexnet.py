"""From an encoded image to what AlexNet sees, in the TensorFlow graph.

A. Krizhevsky, I. Sutskever, G. Hinton: ImageNet classification with deep
convolutional neural networks. NIPS 2012, sections 2 and 4.1.
"""

import numpy as np
import tensorflow as tf

SHORTER_SIDE = 256
NOISE = 0.1

# Variances and directions (columns; rows are red, green, blue) of ImageNet's pixels in
# [0, 1], as in the many reimplementations that follow Torch's ResNet training code.
COLOUR_VARIANCES = np.array([0.2175, 0.0188, 0.0045], np.float32)
COLOUR_DIRECTIONS = np.array(
    [
        [-0.5675, 0.7192, 0.4009],
        [-0.5808, -0.0045, -0.8140],
        [-0.5836, -0.6948, 0.4203],
    ],
    np.float32,
)


def training_image(encoded, size, seed):
    """A random crop, mirrored half the time, with colour noise.

    Args:
        encoded: scalar string tensor, a JPEG (or PNG) file.
        size: height and width of the crop, at most 256.
        seed: integer tensor (2,); the same seed gives the same image.

    Returns:
        float32 (size, size, 3) in [0, 1].
    """
    crop_seed, mirror_seed, noise_seed = tf.unstack(tf.random.split(seed, 3))
    image = tf.image.stateless_random_crop(
        central_square(encoded), (size, size, 3), crop_seed
    )
    image = tf.image.stateless_random_flip_left_right(image, mirror_seed)
    return with_colour_noise(image / 255, noise_seed)


def evaluation_image(encoded, size):
    """The crop at the centre.

    Args:
        encoded: scalar string tensor, a JPEG (or PNG) file.
        size: height and width of the crop, at most 256.

    Returns:
        float32 (size, size, 3) in [0, 1].
    """
    first = (SHORTER_SIDE - size) // 2
    image = central_square(encoded)[first : first + size, first : first + size]
    return tf.clip_by_value(tf.ensure_shape(image, (size, size, 3)) / 255, 0.0, 1.0)


def central_square(encoded):
    """The largest square at the centre, resized to 256 x 256: float32, 0 to 255.

    That is the shorter side to 256 and then the 256 x 256 at the centre, as the paper
    has it, but the pixels that go are not resized first. The paper does not say how
    it resizes. Here, every pixel is the mean of the area it covers: antialiased, in
    a third of the time of TensorFlow's antialiased bilinear filter. Smaller images grow
    bilinearly. Rounding may leave the range.
    """
    image = tf.io.decode_jpeg(encoded, channels=3, dct_method="INTEGER_ACCURATE")
    height, width = tf.unstack(tf.shape(image)[:2])
    side = tf.minimum(height, width)
    top, left = (height - side) // 2, (width - side) // 2
    square = image[top : top + side, left : left + side]
    sides = (SHORTER_SIDE, SHORTER_SIDE)
    return tf.cond(
        side > SHORTER_SIDE,
        lambda: tf.image.resize(square, sides, method="area"),
        lambda: tf.image.resize(square, sides, method="bilinear"),
    )


def with_colour_noise(image, seed):
    """Shifts all pixels along the principal directions of colour.

    Along each by its standard deviation times a Gaussian of deviation 0.1. That is
    the authors' code; the paper writes the eigenvalue, which is the variance. Their
    division by 1.1 afterwards is left out, and the result is clipped.

    Args:
        image: float32 (height, width, 3), about [0, 1].
        seed: integer tensor (2,).

    Returns:
        The same, in [0, 1].
    """
    steps = NOISE * tf.random.stateless_normal([3], seed) * np.sqrt(COLOUR_VARIANCES)
    shift = tf.linalg.matvec(COLOUR_DIRECTIONS, steps)
    return tf.clip_by_value(image + shift, 0.0, 1.0)
