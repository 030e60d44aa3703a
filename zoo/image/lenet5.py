"""LeNet-5, LeCun, Bottou, Bengio and Haffner 1998, in the form that textbooks teach.

    | layer | map          |                  | parameters | group="C4" | group="D4" |
    | C1    | 28 x 28 x 6  | 5 x 5            | 156        | 78         | 52         |
    | S2    | 14 x 14 x 6  | mean over 2 x 2  |            |            |            |
    | C3    | 10 x 10 x 16 | 5 x 5            | 2,416      | 2,408      | 2,406      |
    | S4    | 5 x 5 x 16   | mean over 2 x 2  |            |            |            |
    | C5    | 1 x 1 x 120  | 5 x 5            | 48,120     | 48,060     | 50,442     |
    | F6    | 84           | dense            | 10,164     | 10,122     | 10,110     |
    | top   | 10           | dense            | 850        | 1,690      | 2,410      |
    |       |              |                  | 61,706     | 62,358     | 65,420     |

A tanh follows C1, C3, C5 and F6. The paper's own net has 60,000 parameters: its C3 sees
the maps of S2 by a table, its means are scaled by learned numbers, its tanh is scaled,
and its output units measure distances to drawn digits.
"""

import keras

from zoo._model_card import ModelCard, Result
from zoo._registry import card as find_card
from zoo._registry import register_model
from zoo._weights import load_weights
from zoo.image._head import check_arguments, classify
from zoo.image._symmetry import Symmetry

PAPER = (
    "LeCun, Bottou, Bengio and Haffner, Gradient-Based Learning Applied to Document "
    "Recognition, Proceedings of the IEEE 86(11), 1998"
)


@register_model(
    ModelCard(
        name="lenet5",
        summary="Three convolutions and two dense layers: the net that read cheques.",
        paper=PAPER,
        year=1998,
        task="image classification",
        input_shape=(32, 32, 1),
        classes=10,
        parameters=61_706,
        results=(
            Result("MNIST, test", "test error, %", 0.95, PAPER + ", figure 9"),
            Result(
                "MNIST, test, trained on distorted digits too",
                "test error, %",
                0.8,
                PAPER + ", figure 9",
            ),
        ),
        notes=(
            "The figures are those of the paper's own net of 60,000 parameters.",
            "MNIST's 28 x 28 digits stand in the middle of 32 x 32.",
        ),
    )
)
def lenet5(
    include_top=True,
    weights=None,
    input_shape=(32, 32, 1),
    classes=10,
    pooling=None,
    classifier_activation="softmax",
    name="lenet5",
    group=None,
    match="parameters",
):
    """The digit net of 1998; with `group=`, blind to how a digit is turned.

    Args:
        include_top: bool. End in F6 and the classifier, or return the map of C5.
        weights: None, a name on `zoo.card("lenet5")`, or the path of a weights file.
        input_shape: `(height, width, channels)`. From 32 (a group asks for multiples
            of 4); without the top height and width may be None.
        classes: int, number of classes.
        pooling: with `include_top=False`: None for the map, `"avg"` or `"max"` for one
            vector an image.
        classifier_activation: `"softmax"`, or None for logits.
        name: name of the model.
        group: None, or the group under which the class scores stay as they are, such
            as `"C4"` (turns by 90 degrees) or `"D4"` (and mirror images). The dense
            layers then are group convolutions that see the whole map, and a mean
            over the group follows.
        match: with a group, what is as in the plain net: `"parameters"` (filters and
            units / sqrt|G|) or `"compute"` (/ |G|).

    Input shape:
        `(batch, 32, 32, 1)`, named `image`.

    Output shape:
        `(batch, classes)`; without the top `(batch, 1, 1, 120)`, or with a group
        `(batch, 1, 1, order, filters)`.

    Returns:
        A Keras model with 61,706 trainable parameters.

    Raises:
        ValueError: for an argument outside the above, or a size that is too small or
            not exactly equivariant.

    Reference: LeCun et al. 1998, section II.B. Initial weights, the widths with a group
    and the mean over it are ours.

    Example:

    >>> lenet5().count_params()
    61706
    >>> lenet5(include_top=False, group="C4").output_shape
    (None, 1, 1, 4, 60)
    """
    check_arguments(include_top, pooling, classes, input_shape)
    if include_top and None in input_shape:
        raise ValueError(
            "lenet5's dense layers need a fixed height and width. Received: "
            f"input_shape={tuple(input_shape)}. Give numbers, or include_top=False."
        )
    symmetry = Symmetry(group, match)

    def conv(x, filters, name):
        return symmetry.conv(symmetry.width(filters), 5, activation="tanh", name=name)(
            x
        )

    def average(x, name):
        return symmetry.average_pool(2, name=name)(x)

    image = keras.Input(input_shape, name="image")
    x = conv(image, 6, "C1")
    x = average(x, "S2")
    x = conv(x, 16, "C3")
    x = average(x, "S4")
    x = conv(x, 120, "C5")
    if include_top:
        x = symmetry.dense(x, symmetry.width(84), "F6", activation="tanh")
        x = symmetry.dense(x, classes, "top")
        x = symmetry.pool_features(x, "avg")
        x = classify(x, classifier_activation)
    else:
        x = symmetry.pool_features(x, pooling)
    model = keras.Model(image, x, name=name)
    load_weights(model, weights, find_card("lenet5"))
    return model
