"""The CIFAR networks of He et al. 2016 (arXiv:1512.03385), plain and equivariant.

    | stage   | size    | layers                                      | filters | D4 |
    | stem    | 32 x 32 | 3x3                                         | 32      | 11 |
    | stage 1 | 32 x 32 | n blocks of two 3x3                         | 32      | 11 |
    | stage 2 | 16 x 16 | n blocks, the first halves height and width | 64      | 23 |
    | stage 3 | 8 x 8   | n blocks, the first halves height and width | 128     | 45 |
    | top     | 1 x 1   | 1x1 to the classes, mean                    |         |    |

Depth is 6 n + 2. Batch normalisation and a ReLU follow each 3x3 convolution, the second
ReLU of a block after the sum. The widths, the bias on every convolution and the 1x1
convolution (without normalisation) on the two shortcuts where the width changes are
those of ResNet44 in Cohen and Welling 2016, whose counts ask for them; He et al. have
16, 32 and 64 filters, no biases, and shortcuts padded with zeros.
"""

import keras

from zoo._model_card import ModelCard, Result
from zoo._registry import card as find_card
from zoo._registry import register_model
from zoo._weights import load_weights
from zoo.image._head import check_arguments, classify
from zoo.image._symmetry import Symmetry

PAPER = (
    "He, Zhang, Ren and Sun, Deep Residual Learning for Image Recognition, CVPR 2016, "
    "arXiv:1512.03385"
)
COHEN = (
    "Cohen and Welling, Group Equivariant Convolutional Networks, ICML 2016, "
    "arXiv:1602.07576, table 2"
)
DOWNSAMPLINGS = ("stride", "pool")


@register_model(
    ModelCard(
        name="resnet",
        summary="The residual net for CIFAR, 44 layers, plain or equivariant.",
        paper=PAPER,
        year=2016,
        task="image classification",
        input_shape=(32, 32, 3),
        classes=10,
        parameters=2_639_434,
        results=(
            Result("CIFAR-10, test", "test error, %", 9.45, COHEN + ", Z2"),
            Result("CIFAR-10+, test", "test error, %", 5.61, COHEN + ", Z2"),
            Result("CIFAR-10, test", "test error, %", 6.46, COHEN + ", p4m"),
            Result("CIFAR-10+, test", "test error, %", 4.94, COHEN + ", p4m"),
        ),
        notes=(
            "p4m is group='D4': 2,622,878 parameters, 7.9 times the multiplications "
            "of the plain net.",
            "In float32 the scores of group='D4' differ by 1.9e-6 of their spread "
            "between the eight turned and mirrored images (noise, before training).",
            "CIFAR-10+ is training on images shifted and mirrored at random.",
            "The figures are those of Cohen and Welling. Nothing was trained here yet.",
        ),
    )
)
def resnet(
    include_top=True,
    weights=None,
    input_shape=(32, 32, 3),
    classes=10,
    pooling=None,
    classifier_activation="softmax",
    name="resnet",
    depth=44,
    group=None,
    match="parameters",
    downsampling=None,
):
    """A residual net for small images; with `group=`, blind to how they are turned.

    Args:
        include_top: bool. End in the classifier, or return the map of stage 3.
        weights: None, a name on `zoo.card("resnet")`, or the path of a weights file.
        input_shape: `(height, width, channels)`. With a group height and width must
            be multiples of 4 (`downsampling="stride"`: a multiple of 4 and 1 more);
            without one they may be None.
        classes: int, number of classes.
        pooling: with `include_top=False`: None for the map, `"avg"` or `"max"` for one
            vector an image.
        classifier_activation: `"softmax"`, or None for logits.
        name: name of the model.
        depth: int, 6 n + 2 with n blocks a stage: 8, 14, 20, 32, 44, 56, 110.
        group: None, or the group under which the class scores stay as they are, such
            as `"C4"` (turns by 90 degrees) or `"D4"` (and mirror images).
        match: with a group, what is as in the plain net: `"parameters"` (filters /
            sqrt|G|) or `"compute"` (filters / |G|).
        downsampling: how a stage halves height and width. `"stride"`: its first
            convolutions move by two pixels, as in the paper. `"pool"`: means over 2 x 2
            go before them, exactly equivariant at 32, where strides are not. None for
            `"stride"` without a group, `"pool"` with one.

    Input shape:
        `(batch, 32, 32, 3)`, named `image`.

    Output shape:
        `(batch, classes)`; without the top `(batch, 8, 8, 128)`, or with a group
        `(batch, 8, 8, order, filters)`.

    Returns:
        A Keras model with 2,639,434 trainable parameters, or 2,622,878 with
        `group="D4"`.

    Raises:
        ValueError: for an argument outside the above, or a size that is not exactly
            equivariant.

    Reference: He et al. 2016 (arXiv:1512.03385), section 4.2; the equivariant net, its
    widths and its head (a 1x1 group convolution, then the mean over the group) Cohen
    and Welling 2016 (arXiv:1602.07576), section 8.2. Halving by 2 x 2 means is ours.

    Example:

    >>> resnet(depth=8, include_top=False).output_shape
    (None, 8, 8, 128)
    >>> resnet(depth=8, include_top=False, group="D4").output_shape
    (None, 8, 8, 8, 45)
    """
    check_arguments(include_top, pooling, classes, input_shape)
    blocks = _blocks_per_stage(depth)
    symmetry = Symmetry(group, match)
    if downsampling is None:
        downsampling = "stride" if symmetry.group is None else "pool"
    if downsampling not in DOWNSAMPLINGS:
        raise ValueError(
            f"`downsampling` must be None or one of {DOWNSAMPLINGS}. "
            f"Received: downsampling={downsampling!r}"
        )

    def convolve(x, filters, kernel_size, name, strides=1):
        padding = "same"
        if symmetry.group is None and strides > 1 and kernel_size > 1:
            # Keras's own "same" would pad one side only.
            x = keras.layers.ZeroPadding2D(
                kernel_size // 2, "channels_last", name=f"{name}_pad"
            )(x)
            padding = "valid"
        return symmetry.conv(
            filters,
            kernel_size,
            strides=strides,
            padding=padding,
            kernel_initializer="he_normal",
            name=name,
        )(x)

    def normalize(x, name):
        return keras.layers.BatchNormalization(name=name)(x)

    def relu(x, name):
        return keras.layers.Activation("relu", name=name)(x)

    def block(x, filters, name, halve):
        strides = 1
        if halve and downsampling == "pool":
            x = symmetry.average_pool(2, name=f"{name}_pool")(x)
        elif halve:
            strides = 2
        shortcut = x
        if x.shape[-1] != filters:
            shortcut = convolve(x, filters, 1, f"{name}_shortcut", strides)
        x = convolve(x, filters, 3, f"{name}_conv_1", strides)
        x = relu(normalize(x, f"{name}_norm_1"), f"{name}_relu_1")
        x = convolve(x, filters, 3, f"{name}_conv_2")
        x = normalize(x, f"{name}_norm_2")
        x = keras.layers.Add(name=f"{name}_add")([x, shortcut])
        return relu(x, f"{name}_relu_2")

    def stage(x, number, filters):
        for index in range(1, blocks + 1):
            halve = number > 1 and index == 1
            x = block(x, filters, f"stage_{number}_block_{index}", halve)
        return x

    image = keras.Input(input_shape, name="image")
    x = convolve(image, symmetry.width(32), 3, "stem_conv")
    x = relu(normalize(x, "stem_norm"), "stem_relu")
    x = stage(x, 1, symmetry.width(32))
    x = stage(x, 2, symmetry.width(64))
    x = stage(x, 3, symmetry.width(128))
    if include_top:
        # The mean may come last: it commutes with what is linear.
        x = symmetry.conv(classes, 1, name="top")(x)
        x = symmetry.pool_features(x, "avg")
        x = classify(x, classifier_activation)
    else:
        x = symmetry.pool_features(x, pooling)
    model = keras.Model(image, x, name=name)
    load_weights(model, weights, find_card("resnet"))
    return model


def _blocks_per_stage(depth):
    is_depth = isinstance(depth, int) and not isinstance(depth, bool) and depth >= 8
    if not is_depth or (depth - 2) % 6:
        raise ValueError(
            f"`depth` must be 6 n + 2: 8, 14, 20, 26, 32, 38, 44, 56, 110, ... "
            f"Received: depth={depth!r}"
        )
    return (depth - 2) // 6
