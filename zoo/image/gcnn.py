"""The networks for rotated MNIST of Cohen and Welling 2016 (arXiv:1602.07576), 8.1.

    28 -3x3-> 26 -3x3-> 24 -max 2-> 12 -3x3-> 10 -3x3-> 8 -3x3-> 6 -3x3-> 4 -4x4-> 1

Six times convolution, batch normalisation, ReLU; then a 4 x 4 convolution to the
classes and a maximum over the group and over what is left of the plane. All
convolutions are valid, with stride 1 and a bias.

    | net                    | channels x orientations | dropout | parameters |
    | z2cnn                  | 20                      | 0.3     | 21,750     |
    | p4cnn_rotation_pooling | 20, pooled each layer   | -       | 21,750     |
    | p4cnn                  | 10 x 4                  | -       | 24,680     |
    | p4mcnn                 | 7 x 8                   | -       | 26,799     |

Dropout stands after layers 1, 3, 4, 5 and 6, as in the authors' own code, which also
draws weights from N(0, 1 / fan-in). p4mcnn is not in the paper: 7 filters (20 / sqrt 8)
are our choice.
"""

import keras

from zoo._model_card import ModelCard, Result
from zoo._registry import card as find_card
from zoo._registry import register_model
from zoo._weights import load_weights
from zoo.image._head import check_arguments, classify
from zoo.image._symmetry import Symmetry
from zoo.layers import GroupPooling

PAPER = (
    "Cohen and Welling, Group Equivariant Convolutional Networks, ICML 2016, "
    "arXiv:1602.07576"
)
ROTATED_MNIST = "rotated MNIST (original), test"


def _published(error):
    return Result(ROTATED_MNIST, "test error, %", error, PAPER + ", table 1")


def _card(name, summary, parameters, group=None, results=(), notes=()):
    return ModelCard(
        name=name,
        summary=summary,
        paper=PAPER,
        year=2016,
        task="image classification",
        input_shape=(28, 28, 1),
        classes=10,
        parameters=parameters,
        group=group,
        results=results,
        notes=notes,
    )


def _gcnn(
    name,
    include_top,
    weights,
    input_shape,
    classes,
    pooling,
    classifier_activation,
    model_name,
    *,
    filters,
    group=None,
    pool_rotations=False,
    dropout=0.0,
):
    """The table above for one row; `group=None` is the planar net."""
    check_arguments(include_top, pooling, classes, input_shape)
    symmetry = Symmetry(group)

    def convolve(x, filters, kernel_size, name):
        # As in the authors' code, N(0, 1 / fan-in): narrower than He, without a cut.
        initializer = keras.initializers.VarianceScaling(
            1.0, "fan_in", "untruncated_normal"
        )
        return symmetry.conv(
            filters, kernel_size, kernel_initializer=initializer, name=name
        )(x)

    def block(x, index, dropout=0.0):
        x = convolve(x, filters, 3, name=f"conv_{index}")
        x = keras.layers.BatchNormalization(name=f"norm_{index}")(x)
        x = keras.layers.Activation("relu", name=f"relu_{index}")(x)
        if pool_rotations:
            x = GroupPooling(group, name=f"rotation_pool_{index}")(x)
        if dropout:
            x = keras.layers.Dropout(dropout, name=f"dropout_{index}")(x)
        return x

    image = keras.Input(input_shape, name="image")
    x = block(image, 1, dropout)
    x = block(x, 2)
    x = symmetry.max_pool(2, name="pool")(x)
    x = block(x, 3, dropout)
    x = block(x, 4, dropout)
    x = block(x, 5, dropout)
    x = block(x, 6, dropout)
    if include_top:
        x = convolve(x, classes, 4, name="top")
        x = symmetry.global_max(x)
        x = classify(x, classifier_activation)
    else:
        x = symmetry.pool_features(x, pooling)
    model = keras.Model(image, x, name=model_name)
    load_weights(model, weights, find_card(name))
    return model


@register_model(
    _card(
        "z2cnn",
        "The planar net that the equivariant ones are measured against.",
        21_750,
        results=(_published(5.03),),
    )
)
def z2cnn(
    include_top=True,
    weights=None,
    input_shape=(28, 28, 1),
    classes=10,
    pooling=None,
    classifier_activation="softmax",
    name="z2cnn",
):
    """Seven plain convolutions: the baseline of the rotated MNIST experiment.

    It is not equivariant; use it as the control.

    Args:
        include_top: bool. End in the classifier, or return the map of the sixth layer.
        weights: None, a name on `zoo.card("z2cnn")`, or the path of a weights file.
        input_shape: `(height, width, channels)`. Height and width from 28 with the
            classifier, from 22 without.
        classes: int, number of classes.
        pooling: with `include_top=False`: None for the 4-D map, `"avg"` or `"max"`
            for one vector an image.
        classifier_activation: `"softmax"`, or None for logits.
        name: name of the model.

    Input shape:
        `(batch, 28, 28, 1)`, named `image`.

    Output shape:
        `(batch, classes)`; without the classifier `(batch, 4, 4, 20)`.

    Returns:
        A Keras model with 21,750 trainable parameters.

    Raises:
        ValueError: for an argument outside the above, or an input too small.

    Reference: Cohen and Welling 2016 (arXiv:1602.07576), section 8.1.

    Example:

    >>> z2cnn().output_shape
    (None, 10)
    """
    return _gcnn(
        "z2cnn",
        include_top,
        weights,
        input_shape,
        classes,
        pooling,
        classifier_activation,
        name,
        filters=20,
        dropout=0.3,
    )


@register_model(
    _card(
        "p4cnn",
        "Exactly equivariant to quarter turns; as many parameters as z2cnn.",
        24_680,
        group="C4",
        results=(
            _published(2.28),
            Result(
                "rotated_mnist (our rebuild), test",
                "test error, %",
                2.27,
                "zoo train p4cnn --data rotated_mnist --data-dir DIR, seed 0",
            ),
        ),
    )
)
def p4cnn(
    include_top=True,
    weights=None,
    input_shape=(28, 28, 1),
    classes=10,
    pooling=None,
    classifier_activation="softmax",
    name="p4cnn",
):
    """Seven group convolutions over C4: the feature maps turn with the image.

    The class scores stay as they are, exactly, for turns by 90 degrees.

    Args:
        include_top: bool. End in the classifier, or return the map of the sixth layer.
        weights: None, a name on `zoo.card("p4cnn")`, or the path of a weights file.
        input_shape: `(height, width, channels)`. Height and width even, from 28 with
            the classifier, from 22 without.
        classes: int, number of classes.
        pooling: with `include_top=False`: None for the 5-D map, `"avg"` or `"max"`
            over positions and orientations for one invariant vector an image.
        classifier_activation: `"softmax"`, or None for logits.
        name: name of the model.

    Input shape:
        `(batch, 28, 28, 1)`, named `image`.

    Output shape:
        `(batch, classes)`; without the classifier `(batch, 4, 4, 4, 10)`: height,
        width, orientation, channel.

    Returns:
        A Keras model with 24,680 trainable parameters.

    Raises:
        ValueError: for an argument outside the above, or a size that is not exactly
            equivariant.

    Reference: Cohen and Welling 2016 (arXiv:1602.07576), section 8.1.

    Example:

    >>> p4cnn().output_shape
    (None, 10)
    >>> p4cnn(include_top=False).output_shape
    (None, 4, 4, 4, 10)
    """
    return _gcnn(
        "p4cnn",
        include_top,
        weights,
        input_shape,
        classes,
        pooling,
        classifier_activation,
        name,
        filters=10,
        group="C4",
    )


@register_model(
    _card(
        "p4cnn_rotation_pooling",
        "z2cnn with each filter tried in four orientations and the best one kept.",
        21_750,
        group="C4",
        results=(_published(3.21),),
        notes=("Equivariant, but blind to how features turn against each other.",),
    )
)
def p4cnn_rotation_pooling(
    include_top=True,
    weights=None,
    input_shape=(28, 28, 1),
    classes=10,
    pooling=None,
    classifier_activation="softmax",
    name="p4cnn_rotation_pooling",
):
    """Lifts to C4 and takes the maximum over rotations after every layer.

    It shows what is lost when the orientation is thrown away at once: 3.21 % error in
    the paper where p4cnn has 2.28 %.

    Args:
        include_top: bool. End in the classifier, or return the map of the sixth layer.
        weights: None, a name on `zoo.card("p4cnn_rotation_pooling")`, or the path of a
            weights file.
        input_shape: `(height, width, channels)`. Height and width even, from 28 with
            the classifier, from 22 without.
        classes: int, number of classes.
        pooling: with `include_top=False`: None for the 4-D map, `"avg"` or `"max"`
            over positions for one invariant vector an image.
        classifier_activation: `"softmax"`, or None for logits.
        name: name of the model.

    Input shape:
        `(batch, 28, 28, 1)`, named `image`.

    Output shape:
        `(batch, classes)`; without the classifier `(batch, 4, 4, 20)`.

    Returns:
        A Keras model with 21,750 trainable parameters.

    Raises:
        ValueError: for an argument outside the above, or a size that is not exactly
            equivariant.

    Reference: Cohen and Welling 2016 (arXiv:1602.07576), section 8.1.

    Example:

    >>> p4cnn_rotation_pooling().count_params() - 240  # without moving statistics
    21750
    """
    return _gcnn(
        "p4cnn_rotation_pooling",
        include_top,
        weights,
        input_shape,
        classes,
        pooling,
        classifier_activation,
        name,
        filters=20,
        group="C4",
        pool_rotations=True,
    )


@register_model(
    _card(
        "p4mcnn",
        "p4cnn over D4: exactly equivariant to quarter turns and mirror images.",
        26_799,
        group="D4",
        notes=("Not in the paper: 7 filters in each of 8 orientations are ours.",),
    )
)
def p4mcnn(
    include_top=True,
    weights=None,
    input_shape=(28, 28, 1),
    classes=10,
    pooling=None,
    classifier_activation="softmax",
    name="p4mcnn",
):
    """Seven group convolutions over D4, for images without up and without handedness.

    For cells, tissue, sky and satellite images. Digits have a handedness: a mirrored 2
    is no 2, so p4cnn suits them better.

    Args:
        include_top: bool. End in the classifier, or return the map of the sixth layer.
        weights: None, a name on `zoo.card("p4mcnn")`, or the path of a weights file.
        input_shape: `(height, width, channels)`. Height and width even, from 28 with
            the classifier, from 22 without.
        classes: int, number of classes.
        pooling: with `include_top=False`: None for the 5-D map, `"avg"` or `"max"`
            over positions and orientations for one invariant vector an image.
        classifier_activation: `"softmax"`, or None for logits.
        name: name of the model.

    Input shape:
        `(batch, 28, 28, 1)`, named `image`.

    Output shape:
        `(batch, classes)`; without the classifier `(batch, 4, 4, 8, 7)`: height,
        width, orientation, channel.

    Returns:
        A Keras model with 26,799 trainable parameters.

    Raises:
        ValueError: for an argument outside the above, or a size that is not exactly
            equivariant.

    Reference: the layout of Cohen and Welling 2016 (arXiv:1602.07576), section 8.1.

    Example:

    >>> p4mcnn(include_top=False).output_shape
    (None, 4, 4, 8, 7)
    """
    return _gcnn(
        "p4mcnn",
        include_top,
        weights,
        input_shape,
        classes,
        pooling,
        classifier_activation,
        name,
        filters=7,
        group="D4",
    )
