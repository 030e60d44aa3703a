"""Turning digits by an angle, and the example every rotated data set stores."""

import numpy as np
import scipy.ndimage


def turned(image, angle):
    """One grey image turned counter-clockwise about its centre, in [0, 1].

    By 90 degrees it turns as `np.rot90` does. Bilinear, and zero where the turned
    square does not reach; ink in the corners leaves the frame.

    Args:
        image: uint8 array (height, width).
        angle: degrees.

    Returns:
        float32 array (height, width, 1) in [0, 1].
    """
    result = scipy.ndimage.rotate(
        image.astype(np.float64) / 255.0,
        angle,
        reshape=False,
        order=1,
        mode="constant",
        cval=0.0,
        prefilter=False,
    )
    return np.clip(result, 0.0, 1.0).astype(np.float32)[..., np.newaxis]


def random_angles(random, count):
    """`count` angles in degrees, float32, uniform in [0, 360).

    Args:
        random: a `numpy.random.RandomState`.
        count: how many.

    Returns:
        float32 array (count,). The rounding to float32 comes before the turning,
        so the angle stored beside an image is exactly the one it was turned by.
    """
    # Just below 360, float32 rounding can give 360 itself: that is 0.
    return random.uniform(0.0, 360.0, size=count).astype(np.float32) % np.float32(360)


def turned_examples(images, labels, angles, indices):
    """Yields (key, example) for tensorflow-datasets: digits turned by their angles.

    Args:
        images: uint8 array (n, height, width), the pool.
        labels: integer array (n,).
        angles: float32 array, one angle for each entry of `indices`.
        indices: integer array, which of the pool to yield.

    Yields:
        The index, and the features image, label, angle and index.
    """
    for index, angle in zip(indices.tolist(), angles, strict=True):
        yield (
            index,
            {
                "image": turned(images[index], float(angle)),
                "label": int(labels[index]),
                "angle": angle,
                "index": index,
            },
        )
