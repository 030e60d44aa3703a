"""The zip code net of LeCun et al. 1989: the first convolutional net for digits.

    | layer | map          | sees                                | weights | biases |
    | H1    | 8 x 8 x 12   | 5 x 5, stride 2                     | 300     | 768    |
    | H2    | 4 x 4 x 12   | 5 x 5, stride 2, 8 of the 12 maps   | 2,400   | 192    |
    | H3    | 30           | all of H2                           | 5,760   | 30     |
    | out   | 10           | H3                                  | 300     | 10     |

9,760 parameters, 64,660 connections. Weights are shared over positions, biases are not.
Beyond the edge the image is background, -1. Every unit squashes by 1.7159 tanh(2 x / 3)
and the target is +1 for the right class, -1 for the others.

What the paper leaves open, and this takes from Karpathy's reproduction
(github.com/karpathy/lecun1989-repro, 2022):

    | which 8 maps a map of H2 sees | `TABLE`, below                             |
    | beyond the edge of H1         | -1 too                                     |
    | initial weights               | U(-2.4, 2.4) / sqrt(inputs of a unit); the |
    |                               | paper can be read as / inputs, which is    |
    |                               | smaller                                    |
    | initial biases                | 0, but -1 in the output layer, where 9 of  |
    |                               | 10 targets are -1                          |
"""

import keras

from zoo._model_card import ModelCard, Normalization, Result
from zoo._registry import card as find_card
from zoo._registry import register_model
from zoo._weights import load_weights
from zoo.image._head import check_arguments, classify
from zoo.image._symmetry import Symmetry
from zoo.layers import TableConv2D, UntiedBias
from zoo.layers.classic.scaled_tanh import scaled_tanh

PAPER = (
    "LeCun, Boser, Denker, Henderson, Howard, Hubbard and Jackel, Backpropagation "
    "Applied to Handwritten Zip Code Recognition, Neural Computation 1(4), 1989"
)
REPRODUCTION = (
    "Karpathy, github.com/karpathy/lecun1989-repro, 2022: plain tanh, seed 1337"
)
ACTIVATIONS = {"scaled_tanh": scaled_tanh, "tanh": keras.activations.tanh}
# Three blocks of four maps, each blind to another third of H1.
TABLE = (
    4 * [(0, 1, 2, 3, 4, 5, 6, 7)]
    + 4 * [(4, 5, 6, 7, 8, 9, 10, 11)]
    + 4 * [(0, 1, 2, 3, 8, 9, 10, 11)]
)


@register_model(
    ModelCard(
        name="lecun1989",
        summary="The first convolutional net for handwritten digits.",
        paper=PAPER,
        year=1989,
        task="image classification",
        input_shape=(16, 16, 1),
        classes=10,
        parameters=9_760,
        outputs=("scores",),
        labels=tuple("0123456789"),
        normalization=Normalization(mean=0.5, std=0.5),  # [0, 1] becomes [-1, 1]
        results=(
            Result("US zip codes, 2,007 digits", "test error, %", 5.0, PAPER),
            Result(
                "MNIST at 16 x 16, 2,007 digits", "test error, %", 4.09, REPRODUCTION
            ),
            Result(
                "digits_16, test",
                "test error, %, mean of 3 seeds",
                3.52,
                "zoo train lecun1989 --data digits_16 --data-dir DIR, seeds 0 to 2",
            ),
        ),
        notes=(
            "A score is near +1 for the right class and near -1 for the others; it is "
            "no probability.",
            "The zip codes of the paper are not public. digits_16 stands in for them.",
        ),
    )
)
def lecun1989(
    include_top=True,
    weights=None,
    input_shape=(16, 16, 1),
    classes=10,
    pooling=None,
    classifier_activation="same",
    name="lecun1989",
    activation="scaled_tanh",
):
    """Two convolutions with a bias for every unit, and two dense layers.

    It takes no `group=`: a bias of its own at each position does not turn with the
    image, so no version of this net is exactly equivariant.

    Args:
        include_top: bool. End in H3 and the classifier, or return the map of H2.
        weights: None, a name on `zoo.card("lecun1989")`, or the path of a weights file.
        input_shape: `(height, width, channels)`, all known: each position has biases.
        classes: int, number of classes.
        pooling: with `include_top=False`: None for the map, `"avg"` or `"max"` for one
            vector an image.
        classifier_activation: `"same"` for the activation of the other units, which
            gives scores for targets of +1 and -1; `"softmax"`, or None for logits.
        name: name of the model.
        activation: `"scaled_tanh"`, 1.7159 tanh(2 x / 3) as in the paper, or `"tanh"`
            as in the reproduction.

    Input shape:
        `(batch, 16, 16, 1)`, named `image`, in [-1, 1]: `zoo.preprocess_input` turns
        [0, 1] into it.

    Output shape:
        `(batch, classes)`; without the top `(batch, 4, 4, 12)`.

    Returns:
        A Keras model with 9,760 trainable parameters.

    Raises:
        ValueError: for an argument outside the above.

    Reference: LeCun et al. 1989, sections 2 to 4, and Karpathy's reproduction.

    Example:

    >>> lecun1989().count_params()
    9760
    """
    check_arguments(include_top, pooling, classes, input_shape)
    if activation not in ACTIVATIONS:
        raise ValueError(
            f"`activation` must be one of {tuple(ACTIVATIONS)}. "
            f"Received: activation={activation!r}"
        )
    squash = ACTIVATIONS[activation]
    if classifier_activation == "same":
        classifier_activation = squash

    def uniform():
        # Within 2.4 / sqrt(fan-in): Keras's limit is sqrt(3 scale / fan-in).
        return keras.initializers.VarianceScaling(2.4**2 / 3, "fan_in", "uniform")

    def background(x):
        return keras.ops.pad(x, ((0, 0), (2, 2), (2, 2), (0, 0)), constant_values=-1.0)

    image = keras.Input(input_shape, name="image")
    x = keras.layers.Conv2D(
        12,
        5,
        strides=2,
        use_bias=False,
        data_format="channels_last",
        kernel_initializer=uniform(),
        name="H1",
    )(background(image))
    x = UntiedBias(name="H1_bias")(x)
    x = keras.layers.Activation(squash, name="H1_squash")(x)
    x = TableConv2D(
        TABLE,
        5,
        strides=2,
        use_bias=False,
        kernel_initializer=uniform(),
        name="H2",
    )(background(x))
    x = UntiedBias(name="H2_bias")(x)
    x = keras.layers.Activation(squash, name="H2_squash")(x)
    if include_top:
        x = keras.layers.Flatten("channels_last", name="flatten")(x)
        x = keras.layers.Dense(
            30, activation=squash, kernel_initializer=uniform(), name="H3"
        )(x)
        x = keras.layers.Dense(
            classes,
            kernel_initializer=uniform(),
            bias_initializer=keras.initializers.Constant(-1.0),
            name="out",
        )(x)
        x = classify(x, classifier_activation)
    else:
        x = Symmetry().pool_features(x, pooling)
    model = keras.Model(image, x, name=name)
    load_weights(model, weights, find_card("lecun1989"))
    return model
