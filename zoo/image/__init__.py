"""Networks on images. One family, one file."""

from zoo.image.alexnet import alexnet
from zoo.image.gcnn import p4cnn, p4cnn_rotation_pooling, p4mcnn, z2cnn
from zoo.image.lecun1989 import lecun1989
from zoo.image.lenet5 import lenet5
from zoo.image.mlp import mlp
from zoo.image.resnet import resnet

__all__ = [
    "alexnet",
    "lecun1989",
    "lenet5",
    "mlp",
    "p4cnn",
    "p4cnn_rotation_pooling",
    "p4mcnn",
    "resnet",
    "z2cnn",
]
