"""The augmentation of CIFAR-10+."""

import tensorflow as tf

MARGIN = 4


def shift_and_flip(image, seed):
    """Shifts by up to 4 pixels with zeros outside, and mirrors half the time.

    Args:
        image: tensor (height, width, channels).
        seed: integer tensor (2,); the same seed gives the same image.

    Returns:
        A tensor of the same shape and type.
    """
    shift_seed, flip_seed = tf.unstack(tf.random.split(seed, 2))
    margin = (MARGIN, MARGIN)
    padded = tf.pad(image, (margin, margin, (0, 0)))
    shifted = tf.image.stateless_random_crop(padded, image.shape, shift_seed)
    return tf.image.stateless_random_flip_left_right(shifted, flip_seed)
