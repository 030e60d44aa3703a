"""Networks on images. One family, one file."""

from zoo.image.gcnn import p4cnn
from zoo.image.gcnn import p4cnn_rotation_pooling
from zoo.image.gcnn import p4mcnn
from zoo.image.gcnn import z2cnn

__all__ = ["p4cnn", "p4cnn_rotation_pooling", "p4mcnn", "z2cnn"]
