"""Fingerprints of labelled images, whatever file format they came from."""

import hashlib


def image_keys(images, labels):
    """One key for each labelled image: sha256 of the pixels, then the label's byte.

    Args:
        images: uint8 array (n, height, width).
        labels: integer array (n,), each 0 to 255.

    Returns:
        A list of n `bytes` of length 33.
    """
    return [
        hashlib.sha256(image.tobytes()).digest() + bytes([label])
        for image, label in zip(images, labels.tolist(), strict=True)
    ]


def set_fingerprint(keys):
    """Hexadecimal sha256 of a set of image keys, whatever their order.

    Args:
        keys: list from `image_keys`.

    Returns:
        A string of 64 characters.
    """
    return hashlib.sha256(b"".join(sorted(keys))).hexdigest()
