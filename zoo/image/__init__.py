"""Networks on images. One family, one file."""

from zoo.image.gcnn import p4cnn, p4cnn_rotation_pooling, p4mcnn, z2cnn

__all__ = ["p4cnn", "p4cnn_rotation_pooling", "p4mcnn", "z2cnn"]
