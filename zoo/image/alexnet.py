"""AlexNet of Krizhevsky, Sutskever and Hinton 2012, and that of torchvision.

    |       | 2012                            | one_tower  | torchvision           |
    | conv1 | 96 of 11x11, stride 4      -> 55 | 96         | 64, padding 2         |
    |       | normalisation, pool 3 / 2  -> 27 |            | pool                  |
    | conv2 | 256 of 5x5, 2 towers            | 256        | 192                   |
    |       | normalisation, pool 3 / 2  -> 13 |            | pool                  |
    | conv3 | 384 of 3x3                      | 384        | 384                   |
    | conv4 | 384 of 3x3, 2 towers            | 384        | 256                   |
    | conv5 | 256 of 3x3, 2 towers            | 256        | 256                   |
    |       | pool 3 / 2                 -> 6  |            | pool                  |
    | fc6   | 4096, dropout 0.5               | 4096       | dropout 0.5, 4096     |
    | fc7   | 4096, dropout 0.5               | 4096       | dropout 0.5, 4096     |
    | fc8   | classes                         | classes    | classes               |
    |       | 60,965,224 parameters           | 62,378,344 | 61,100,840            |

A ReLU follows every layer but the last. A tower, one GPU of 2012, sees half of the
channels. It is built as split, convolution, concatenation: Keras's `Conv2D(groups=2)`
is many times slower on TensorFlow's CPU and needs a compiler where it is served.

The paper says 224 x 224; its 55 x 55 maps take 227 without padding.

Where the authors' own code (released in 2025) differs from the paper, this follows the
paper. Each line of the code is one change here:

    | the authors' code                             | here                             |
    | alpha / 5 in both normalisations              | `divide_alpha_by_n=True`         |
    | conv1: normalisation, pool, then ReLU         | ReLU after "pool1"               |
    | normalisation within each tower               | before the towers are joined     |
    | conv2: a second normalisation, over positions | a line after "norm2"             |
    | conv3 to conv5 drawn with deviation 0.03      | `stddev` in `conv`               |
    | dropout halves the activations in tests       | Keras doubles them in training   |
"""

import keras

from zoo._model_card import ModelCard, Result
from zoo._registry import card as find_card
from zoo._registry import register_model
from zoo._weights import load_weights
from zoo.datasets.image.imagenet_classes import imagenet_classes
from zoo.image._head import check_arguments, classify
from zoo.image._symmetry import Symmetry
from zoo.layers import LocalResponseNormalization

VARIANTS = ("2012", "one_tower", "torchvision")
PAPER = (
    "Krizhevsky, Sutskever and Hinton, ImageNet Classification with Deep "
    "Convolutional Neural Networks, NeurIPS 2012"
)
IMAGENET = "ImageNet ILSVRC-2012, validation"

# Of torchvision's layers, in a state dict.
TORCHVISION_NAMES = {
    "conv1": "features.0",
    "conv2": "features.3",
    "conv3": "features.6",
    "conv4": "features.8",
    "conv5": "features.10",
    "fc6": "classifier.1",
    "fc7": "classifier.4",
    "fc8": "classifier.6",
}


@register_model(
    ModelCard(
        name="alexnet",
        summary="Five convolutions and three dense layers: deep learning's 2012.",
        paper=PAPER,
        year=2012,
        task="image classification",
        input_shape=(227, 227, 3),
        classes=1000,
        parameters=60_965_224,
        labels=tuple(imagenet_classes()),
        results=(
            Result(IMAGENET, "top-1 error, %", 40.7, PAPER + ", table 2, 1 CNN"),
            Result(IMAGENET, "top-5 error, %", 18.2, PAPER + ", table 2, 1 CNN"),
        ),
        notes=(
            "The 15.3 % top-5 test error that won ILSVRC-2012 is that of seven nets "
            "together, two of them trained on the ImageNet release of 2011 first. "
            "One net has 18.2 % (validation, mean over ten views of an image).",
            "The figures are the paper's. Nothing was trained here yet.",
        ),
    )
)
def alexnet(
    include_top=True,
    weights=None,
    input_shape=None,
    classes=1000,
    pooling=None,
    classifier_activation="softmax",
    name="alexnet",
    variant="2012",
    group=None,
    match="parameters",
):
    """The net that won ImageNet in 2012; with `group=` one that turns can't sway.

    Args:
        include_top: bool. End in the three dense layers, or return the map of conv5.
        weights: None, a name on `zoo.card("alexnet")`, or the path of a weights file.
            `variant="torchvision"` takes a torchvision state dict too, a `.pth` file
            (one from before 2020 needs torch to be installed). Torchvision's own expect
            images that its constants normalise, `zoo.Normalization(mean=(0.485, 0.456,
            0.406), std=(0.229, 0.224, 0.225))`, at 224 x 224.
        input_shape: `(height, width, channels)`. None for the size of the variant at
            which it is exact: 227, for torchvision 224, or 223 with a group. Any size
            from 67 (torchvision: 63) will do; with a group it must be one of
            `zoo.admissible_sizes`. Without the top height and width may be None.
        classes: int, number of classes.
        pooling: with `include_top=False`: None for the map, `"avg"` or `"max"` for one
            vector an image.
        classifier_activation: `"softmax"`, or None for logits.
        name: name of the model.
        variant: `"2012"`, the paper's net, of two towers; `"one_tower"`, the same
            without the division; `"torchvision"`, the net of that name there (that of
            "One weird trick", arXiv:1404.5997, on one GPU: no normalisation).
        group: None, or the group under which the class scores stay as they are, such
            as `"C4"` (turns by 90 degrees) or `"D4"` (and mirror images). Every
            convolution is then a `GroupConv2D`, the dense layers are those that see
            the whole map, and a mean over the group follows fc8.
        match: with a group, what is as in the plain net: `"parameters"` (filters and
            units / sqrt|G|) or `"compute"` (/ |G|). Towers take even widths.

    Input shape:
        `(batch, 227, 227, 3)`, named `image`.

    Output shape:
        `(batch, classes)`; without the top `(batch, 6, 6, 256)`, or with a group
        `(batch, 6, 6, order, filters)`.

    Returns:
        A Keras model.

    Raises:
        ValueError: for an argument outside the above, a size that is too small or not
            exactly equivariant, or weights that do not fit.

    Reference: Krizhevsky, Sutskever and Hinton 2012, section 3.5 and figure 2; initial
    weights from section 5, and torch's for the torchvision variant, with biases of 0
    (ours). The widths with a group, and the mean over the group, are ours: a maximum
    lets more of float32's rounding through (over D4 2.6 times as much).

    Example:

    >>> alexnet(include_top=False).output_shape
    (None, 6, 6, 256)
    >>> alexnet(include_top=False, group="C4").output_shape
    (None, 6, 6, 4, 128)
    """
    if variant not in VARIANTS:
        raise ValueError(
            f"`variant` must be one of {VARIANTS}. Received: variant={variant!r}"
        )
    is_torchvision = variant == "torchvision"
    if input_shape is None:
        # (224 + 4 - 11) mod 4 = 1: torchvision's size is exact for no turn.
        size = (224 if group is None else 223) if is_torchvision else 227
        input_shape = (size, size, 3)
    check_arguments(include_top, pooling, classes, input_shape)
    _check_size(input_shape, 63 if is_torchvision else 67, include_top)
    symmetry = Symmetry(group, match)
    towers = 2 if variant == "2012" else 1

    def initializers(bias, stddev=0.01):
        if is_torchvision:  # torch's own, uniform within 1 / sqrt(fan-in)
            kernel = keras.initializers.VarianceScaling(1 / 3, "fan_in", "uniform")
            return {"kernel_initializer": kernel}
        return {
            "kernel_initializer": keras.initializers.RandomNormal(stddev=stddev),
            "bias_initializer": keras.initializers.Constant(bias),
        }

    def conv(x, filters, kernel_size, name, bias=0, towers=1, padding="same", stride=1):
        width = symmetry.width(filters, multiple_of=2 if variant == "2012" else 1)
        parts = keras.ops.split(x, towers, axis=-1) if towers > 1 else [x]
        parts = [
            symmetry.conv(
                width // towers,
                kernel_size,
                strides=stride,
                padding=padding,
                activation="relu",
                name=name if towers == 1 else f"{name}_tower{tower}",
                **initializers(bias),
            )(part)
            for tower, part in enumerate(parts, start=1)
        ]
        return parts[0] if towers == 1 else keras.layers.Concatenate(name=name)(parts)

    def pool(x, name):
        return symmetry.max_pool(3, strides=2, name=name)(x)

    def normalize(x, name):
        return LocalResponseNormalization(k=2.0, n=5, alpha=1e-4, beta=0.75, name=name)(
            x
        )

    def dense(x, units, name, bias=0, activation="relu"):
        return symmetry.dense(
            x, units, name, activation=activation, **initializers(bias)
        )

    def dropout(x, name):
        return symmetry.dropout(0.5, name=name)(x)

    image = keras.Input(input_shape, name="image")
    if is_torchvision:
        x = keras.layers.ZeroPadding2D(2, "channels_last", name="pad1")(image)
        x = conv(x, 64, 11, "conv1", stride=4, padding="valid")
        x = pool(x, "pool1")
        x = conv(x, 192, 5, "conv2")
        x = pool(x, "pool2")
        x = conv(x, 384, 3, "conv3")
        x = conv(x, 256, 3, "conv4")
        x = conv(x, 256, 3, "conv5")
        x = pool(x, "pool5")
    else:
        x = conv(image, 96, 11, "conv1", stride=4, padding="valid")
        x = normalize(x, "norm1")
        x = pool(x, "pool1")
        x = conv(x, 256, 5, "conv2", bias=1, towers=towers)
        x = normalize(x, "norm2")
        x = pool(x, "pool2")
        x = conv(x, 384, 3, "conv3")
        x = conv(x, 384, 3, "conv4", bias=1, towers=towers)
        x = conv(x, 256, 3, "conv5", bias=1, towers=towers)
        x = pool(x, "pool5")
    if include_top and is_torchvision:
        x = dropout(x, "dropout5")
        x = dense(x, symmetry.width(4096), "fc6")
        x = dropout(x, "dropout6")
        x = dense(x, symmetry.width(4096), "fc7")
    elif include_top:
        x = dense(x, symmetry.width(4096), "fc6", bias=1)
        x = dropout(x, "dropout6")
        x = dense(x, symmetry.width(4096), "fc7", bias=1)
        x = dropout(x, "dropout7")
    if include_top:
        x = dense(x, classes, "fc8", activation=None)
        x = symmetry.pool_features(x, "avg")
        x = classify(x, classifier_activation)
    else:
        x = symmetry.pool_features(x, pooling)
    model = keras.Model(image, x, name=name)
    takes_torch = is_torchvision and group is None
    load_weights(
        model,
        weights,
        find_card("alexnet"),
        torch_names=TORCHVISION_NAMES if takes_torch else None,
    )
    return model


def _check_size(input_shape, least, include_top):
    height, width, _ = input_shape
    if include_top and None in (height, width):
        raise ValueError(
            "alexnet's dense layers need a fixed height and width. Received: "
            f"input_shape={tuple(input_shape)}. Give numbers, or include_top=False."
        )
    if min(size for size in (height, width, least) if size is not None) < least:
        raise ValueError(
            f"alexnet takes images from {least} x {least}: what is left of others "
            f"is smaller than the window of a pooling layer. Received: "
            f"input_shape={tuple(input_shape)}"
        )
