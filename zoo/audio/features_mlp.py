"""Dense layers on hand-made features: the classical way, to be measured against.

    | layer    | units | parameters |
    | hidden_1 | 128   | 5,248      |
    | hidden_2 | 64    | 8,256      |
    | top      | 10    | 650        |

A sound is one vector here, for example the means and deviations over time of its 20
mel-frequency cepstral coefficients, which makes the default of 40 numbers. Sizes and
ReLU are our choice.
"""

import keras

from zoo._model_card import ModelCard
from zoo._registry import card as find_card
from zoo._registry import register_model
from zoo._weights import load_weights
from zoo.audio._head import check_hidden, check_task, finish, is_size
from zoo.image._head import check_head, hidden_layers


@register_model(
    ModelCard(
        name="features_mlp",
        summary="Dense layers on hand-made features: the classical baseline.",
        paper="none: a baseline of this package",
        year=2026,
        task="sound classification",
        input_shape=(40,),
        classes=10,
        parameters=14_154,
        input_name="features",
        notes=(
            "Features have units of their own: standardise each by its mean and "
            "deviation over the training set.",
        ),
    )
)
def features_mlp(
    include_top=True,
    weights=None,
    input_shape=(40,),
    classes=10,
    pooling=None,
    classifier_activation="default",
    task="classes",
    name="features_mlp",
    hidden=(128, 64),
):
    """Dense layers on a vector of features that somebody else computed.

    Args:
        include_top: bool. End in the head of the task, or return the last hidden layer.
        weights: None, a name on `zoo.card("features_mlp")`, or the path of a weights
            file.
        input_shape: `(features,)`, how many numbers describe a sound.
        classes: int, number of classes or tags; the other tasks don't ask for it.
        pooling: with `include_top=False`: None, `"avg"` or `"max"`, all the same here:
            the features are one vector already.
        classifier_activation: `"default"`, that of the task, or None for logits.
        task: `"classes"`, `"binary"`, `"tags"`, `"rating"` or `"tempo"`; see
            `zoo.audio.tasks`.
        name: name of the model.
        hidden: units of each hidden layer; `()` is a linear model.

    Input shape:
        `(batch, 40)`, named `features`, each feature standardised: mean 0, deviation 1.

    Output shape:
        As the task says, `(batch, classes)`; without the top `(batch, hidden[-1])`.

    Returns:
        A Keras model with 14,154 trainable parameters.

    Raises:
        ValueError: for an argument outside the above.

    Reference: none, our own baseline.

    Example:

    >>> features_mlp().count_params()
    14154
    >>> features_mlp(input_shape=(13,), task="binary").output_names
    ['probability']
    """
    check_head(include_top, pooling, classes)
    check_task(task)
    check_hidden(hidden)
    shape = tuple(input_shape) if isinstance(input_shape, (tuple, list)) else ()
    if len(shape) != 1 or not is_size(shape[0]):
        raise ValueError(
            "`input_shape` of features_mlp must be (features,), one positive number. "
            f"Received: input_shape={input_shape!r}"
        )
    features = keras.Input(shape, name="features")
    x = hidden_layers(features, hidden)
    if include_top:
        x = finish(x, task, classes, classifier_activation)
    model = keras.Model(features, x, name=name)
    load_weights(model, weights, find_card("features_mlp"))
    return model
