"""The two nets that MNIST-1D was published with (arXiv:2011.14439).

`mnist1d_cnn`, a ReLU after each convolution:

    | layer  | map     |                               | parameters |
    | conv_1 | 19 x 25 | 5 samples, stride 2, 1 padded | 150        |
    | conv_2 | 10 x 25 | 3 steps, stride 2, 1 padded   | 1,900      |
    | conv_3 | 5 x 25  | 3 steps, stride 2, 1 padded   | 1,900      |
    | top    | 10      |                               | 1,260      |

`mnist1d_mlp`, with h = ReLU(hidden_1) and h + ReLU(hidden_2(h)) before the top:

    | layer    | units | parameters |
    | hidden_1 | 100   | 4,100      |
    | hidden_2 | 100   | 10,100     |
    | top      | 10    | 1,010      |

5,210 and 15,210 parameters: the smaller net is the better one, as long as the samples
stand in their order.
"""

import keras

from zoo._model_card import ModelCard, Result
from zoo._registry import card as find_card
from zoo._registry import register_model
from zoo._weights import load_weights
from zoo.audio._head import check_arguments, finish, pool_features

PAPER = (
    "Greydanus and Kobak, Scaling Down Deep Learning with MNIST-1D, ICML 2024, "
    "arXiv:2011.14439"
)


def _card(name, summary, parameters, accuracy, shuffled, last):
    return ModelCard(
        name=name,
        summary=summary,
        paper=PAPER,
        year=2020,
        task="sequence classification",
        input_shape=(40, 1),
        classes=10,
        parameters=parameters,
        input_name="waveform",
        labels=tuple("0123456789"),
        results=(
            Result("MNIST-1D, test", "test accuracy, %", accuracy, PAPER),
            Result(
                "MNIST-1D, samples shuffled, test", "test accuracy, %", shuffled, PAPER
            ),
        ),
        notes=(
            "The published figures are about those of the best step on the test set; "
            f"after the last step the authors' notebook has {last} %.",
        ),
    )


@register_model(
    _card(
        "mnist1d_cnn",
        "Three convolutions for signals of 40 samples.",
        5_210,
        accuracy=94.0,
        shuffled=56.0,
        last=92.3,
    )
)
def mnist1d_cnn(
    include_top=True,
    weights=None,
    input_shape=(40, 1),
    classes=10,
    pooling=None,
    classifier_activation="default",
    task="classes",
    name="mnist1d_cnn",
):
    """Three convolutions with 25 filters: the net that beats `mnist1d_mlp`.

    Args:
        include_top: bool. End in the head of the task, or return the map of conv_3.
        weights: None, a name on `zoo.card("mnist1d_cnn")`, or the path of a weights
            file.
        input_shape: `(samples, channels)`, from 3 samples; without the top samples may
            be None.
        classes: int, number of classes or tags; the other tasks don't ask for it.
        pooling: with `include_top=False`: None for the map, `"avg"` or `"max"` for one
            vector a signal.
        classifier_activation: `"default"`, that of the task, or None for logits.
        task: `"classes"`, `"binary"`, `"tags"`, `"rating"` or `"tempo"`; see
            `zoo.audio.tasks`.
        name: name of the model.

    Input shape:
        `(batch, 40, 1)`, named `waveform`.

    Output shape:
        As the task says, `(batch, classes)`; without the top `(batch, 5, 25)`.

    Returns:
        A Keras model with 5,210 trainable parameters.

    Raises:
        ValueError: for an argument outside the above.

    Reference: Greydanus and Kobak (arXiv:2011.14439), and their code for the layers.

    Example:

    >>> mnist1d_cnn().count_params()
    5210
    """
    check_arguments(include_top, pooling, classes, input_shape, task)
    _check_samples("mnist1d_cnn", input_shape[0], include_top, least=3)

    def convolve(x, kernel_size, name):
        # One zero on either side, also for 5 samples: that is not Keras's "same".
        x = keras.layers.ZeroPadding1D(1, "channels_last", name=f"{name}_pad")(x)
        return keras.layers.Conv1D(
            25,
            kernel_size,
            strides=2,
            activation="relu",
            data_format="channels_last",
            name=name,
        )(x)

    waveform = keras.Input(input_shape, name="waveform")
    x = convolve(waveform, 5, "conv_1")
    x = convolve(x, 3, "conv_2")
    x = convolve(x, 3, "conv_3")
    if include_top:
        x = keras.layers.Flatten("channels_last", name="flatten")(x)
        x = finish(x, task, classes, classifier_activation)
    else:
        x = pool_features(x, pooling)
    model = keras.Model(waveform, x, name=name)
    load_weights(model, weights, find_card("mnist1d_cnn"))
    return model


@register_model(
    _card(
        "mnist1d_mlp",
        "Dense layers for signals of 40 samples: the baseline.",
        15_210,
        accuracy=68.0,
        shuffled=68.0,
        last=65.7,
    )
)
def mnist1d_mlp(
    include_top=True,
    weights=None,
    input_shape=(40, 1),
    classes=10,
    pooling=None,
    classifier_activation="default",
    task="classes",
    name="mnist1d_mlp",
):
    """Two dense layers of 100 units, the second around a shortcut.

    Args:
        include_top: bool. End in the head of the task, or return the last hidden layer.
        weights: None, a name on `zoo.card("mnist1d_mlp")`, or the path of a weights
            file.
        input_shape: `(samples, channels)`, both known.
        classes: int, number of classes or tags; the other tasks don't ask for it.
        pooling: with `include_top=False`: None, `"avg"` or `"max"`, all the same here:
            the features are one vector already.
        classifier_activation: `"default"`, that of the task, or None for logits.
        task: `"classes"`, `"binary"`, `"tags"`, `"rating"` or `"tempo"`; see
            `zoo.audio.tasks`.
        name: name of the model.

    Input shape:
        `(batch, 40, 1)`, named `waveform`.

    Output shape:
        As the task says, `(batch, classes)`; without the top `(batch, 100)`.

    Returns:
        A Keras model with 15,210 trainable parameters.

    Raises:
        ValueError: for an argument outside the above.

    Reference: Greydanus and Kobak (arXiv:2011.14439), and their code for the layers.

    Example:

    >>> mnist1d_mlp().count_params()
    15210
    """
    check_arguments(include_top, pooling, classes, input_shape, task)
    _check_samples("mnist1d_mlp", input_shape[0], True, least=1)
    waveform = keras.Input(input_shape, name="waveform")
    x = keras.layers.Flatten("channels_last", name="flatten")(waveform)
    x = keras.layers.Dense(100, activation="relu", name="hidden_1")(x)
    h = keras.layers.Dense(100, activation="relu", name="hidden_2")(x)
    x = keras.layers.Add(name="sum")([x, h])
    if include_top:
        x = finish(x, task, classes, classifier_activation)
    model = keras.Model(waveform, x, name=name)
    load_weights(model, weights, find_card("mnist1d_mlp"))
    return model


def _check_samples(name, samples, must_be_known, least):
    """Refuses lengths for which the dense layers or the filters have no place.

    Raises:
        ValueError: with what is possible.
    """
    if samples is None and must_be_known:
        raise ValueError(
            f"The dense layers of {name} need a known number of samples. Received: "
            f"samples=None. Give a number."
        )
    if samples is not None and samples < least:
        raise ValueError(
            f"{name} needs at least {least} samples. Received: samples={samples}"
        )
