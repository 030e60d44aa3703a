"""Dense layers on a whole waveform: what a net scores that knows nothing of time.

    | layer    | units | parameters |
    | hidden_1 | 256   | 2,048,256  |
    | hidden_2 | 128   | 32,896     |
    | top      | 10    | 1,290      |

Sizes, ReLU and the default input of 1 s at 8 kHz are our choice. Every sample of the
sound has weights of its own, so a sound that begins a little later is a new one to it.
"""

import keras

from zoo._model_card import ModelCard
from zoo._registry import card as find_card
from zoo._registry import register_model
from zoo._weights import load_weights
from zoo.audio._head import check_arguments, check_hidden, finish
from zoo.image._head import hidden_layers


@register_model(
    ModelCard(
        name="audio_mlp",
        summary="Dense layers on the samples of a sound: the baseline.",
        paper="none: a baseline of this package",
        year=2026,
        task="sound classification",
        input_shape=(8_000, 1),
        classes=10,
        parameters=2_082_442,
        input_name="waveform",
        sample_rate=8_000,
        notes=(
            "It knows nothing of time: with the samples of all sounds in one other "
            "order it learns just as well.",
        ),
    )
)
def audio_mlp(
    include_top=True,
    weights=None,
    input_shape=(8_000, 1),
    classes=10,
    pooling=None,
    classifier_activation="default",
    task="classes",
    name="audio_mlp",
    hidden=(256, 128),
):
    """Dense layers on flattened waveforms: the baseline for nets that hear.

    Args:
        include_top: bool. End in the head of the task, or return the last hidden layer.
        weights: None, a name on `zoo.card("audio_mlp")`, or the path of a weights file.
        input_shape: `(samples, channels)`, both known.
        classes: int, number of classes or tags; the other tasks don't ask for it.
        pooling: with `include_top=False`: None, `"avg"` or `"max"`, all the same here:
            the features are one vector already.
        classifier_activation: `"default"`, that of the task, or None for logits.
        task: `"classes"`, `"binary"`, `"tags"`, `"rating"` or `"tempo"`; see
            `zoo.audio.tasks`.
        name: name of the model.
        hidden: units of each hidden layer; `()` is a linear model.

    Input shape:
        `(batch, 8000, 1)`, named `waveform`, at 8 kHz, in [-1, 1].

    Output shape:
        As the task says, `(batch, classes)`; without the top `(batch, hidden[-1])`.

    Returns:
        A Keras model with 2,082,442 trainable parameters.

    Raises:
        ValueError: for an argument outside the above.

    Reference: none, our own baseline.

    Example:

    >>> audio_mlp().count_params()
    2082442
    """
    check_arguments(include_top, pooling, classes, input_shape, task)
    check_hidden(hidden)
    if input_shape[0] is None:
        raise ValueError(
            "audio_mlp has weights for every sample, so it must know how many there "
            f"are. Received: input_shape={tuple(input_shape)}. Give a number, or take "
            "a convolutional net such as zoo.m5."
        )
    waveform = keras.Input(input_shape, name="waveform")
    x = keras.layers.Flatten("channels_last", name="flatten")(waveform)
    x = hidden_layers(x, hidden)
    if include_top:
        x = finish(x, task, classes, classifier_activation)
    model = keras.Model(waveform, x, name=name)
    load_weights(model, weights, find_card("audio_mlp"))
    return model
