"""The multilayer perceptron: every unit sees every number, and no place is special.

The baseline that convolutions are measured against. At its defaults it is the
784-300-100-10 of LeCun et al. 1998:

    | layer    | units | parameters |
    | hidden_1 | 300   | 235,500    |
    | hidden_2 | 100   | 30,100     |
    | top      | 10    | 1,010      |

with the ReLU of today (ours) for the tanh of then.
"""

import keras

from zoo._model_card import ModelCard, Result
from zoo._registry import card as find_card
from zoo._registry import register_model
from zoo._weights import load_weights
from zoo.image._head import check_head, classify, hidden_layers

PAPER = (
    "LeCun, Bottou, Bengio and Haffner, Gradient-Based Learning Applied to Document "
    "Recognition, Proceedings of the IEEE 86(11), 1998"
)
# By the number of axes after the batch.
INPUT_NAMES = {1: "waveform", 2: "waveform", 3: "image", 4: "video"}


@register_model(
    ModelCard(
        name="mlp",
        summary="Dense layers on all numbers at once: the baseline.",
        paper=PAPER,
        year=1998,
        task="image classification",
        input_shape=(28, 28, 1),
        classes=10,
        parameters=266_610,
        results=(Result("MNIST, test", "test error, %", 3.05, PAPER + ", figure 9"),),
        notes=(
            "An image is a list of numbers to it: with the pixels of all images in one "
            "other order it learns just as well.",
            "The figure is that of the paper's net of the same size with tanh.",
        ),
    )
)
def mlp(
    include_top=True,
    weights=None,
    input_shape=(28, 28, 1),
    classes=10,
    pooling=None,
    classifier_activation="softmax",
    name="mlp",
    hidden=(300, 100),
    activation="relu",
    group=None,
):
    """Dense layers on flattened images, signals or videos: the baseline.

    Args:
        include_top: bool. End in the classifier, or return the last hidden layer.
        weights: None, a name on `zoo.card("mlp")`, or the path of a weights file.
        input_shape: any shape of known sizes, without the batch: `(28, 28, 1)` for
            images, `(16000, 1)` or `(16000,)` for signals.
        classes: int, number of classes.
        pooling: with `include_top=False`: None, `"avg"` or `"max"`, all the same here:
            the features are one vector already.
        classifier_activation: `"softmax"`, or None for logits.
        name: name of the model.
        hidden: units of each hidden layer; `()` is logistic regression.
        activation: of the hidden layers, a name or callable.
        group: None, there to be refused. A dense layer has a weight of its own for
            every pixel, so nothing in it turns with an image.

    Input shape:
        `(batch, *input_shape)`, named `image`, `waveform` (one or two axes after the
        batch), `video` (four) or `inputs`.

    Output shape:
        `(batch, classes)`; without the top `(batch, hidden[-1])`.

    Returns:
        A Keras model.

    Raises:
        ValueError: for an argument outside the above.

    Reference: LeCun et al. 1998, section III.C.4.

    Example:

    >>> mlp().count_params()
    266610
    >>> mlp(input_shape=(16000, 1), hidden=(64,), classes=35).output_shape
    (None, 35)
    """
    check_head(include_top, pooling, classes)
    input_shape = _standardize_sizes(input_shape, "input_shape", least=1)
    hidden = _standardize_sizes(hidden, "hidden", least=0)
    if group is not None:
        raise ValueError(
            "mlp has no equivariant version: a dense layer has a weight of its own for "
            "every pixel, so no turn of the image is a turn of its output. Received: "
            f"group={group!r}. Use a convolutional net, such as "
            f"zoo.lenet5(group={group!r})."
        )
    inputs = keras.Input(input_shape, name=INPUT_NAMES.get(len(input_shape), "inputs"))
    x = keras.layers.Flatten("channels_last", name="flatten")(inputs)
    x = hidden_layers(x, hidden, activation)
    if include_top:
        x = keras.layers.Dense(classes, name="top")(x)
        x = classify(x, classifier_activation)
    model = keras.Model(inputs, x, name=name)
    load_weights(model, weights, find_card("mlp"))
    return model


def _standardize_sizes(sizes, name, least):
    """The sizes as a tuple.

    Raises:
        ValueError: if they are not at least so many positive ints.
    """
    values = tuple(sizes) if isinstance(sizes, (tuple, list)) else (None,)
    is_size = [
        isinstance(size, int) and not isinstance(size, bool) and size > 0
        for size in values
    ]
    if not all(is_size) or len(values) < least:
        expected = {
            "input_shape": "(height, width, channels), (samples, channels) or another "
            "tuple of positive integers",
            "hidden": "a tuple of positive integers, such as (300, 100)",
        }
        raise ValueError(
            f"`{name}` of mlp must be {expected[name]}. Received: {name}={sizes!r}"
        )
    return values
