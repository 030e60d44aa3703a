"""The temporal convolutional network of Bai, Kolter and Koltun 2018 (arXiv:1803.01271).

Level i, from 0, is

    x -> conv -> ReLU -> dropout -> conv -> ReLU -> dropout -> + x -> ReLU

with two causal, weight-normalised convolutions of `kernel_size` steps 2^i apart; where
the number of channels changes, `+ x` goes through a convolution of one step. The
classifier sees the last step of the top level. That step has seen

    1 + 2 (kernel_size - 1) (2^levels - 1)

steps: 3,061 at the defaults, all 784 of the paper's sequential MNIST.

    | level  | parameters                        |
    | 0      | 225 + 4,425 + 50 for the shortcut |
    | 1 to 7 | 4,425 + 4,425                     |
    | top    | 260                               |

66,910 in all. The paper describes a dropout of whole channels; the authors' code, which
this follows, drops single numbers.
"""

import keras

from zoo._model_card import ModelCard
from zoo._registry import card as find_card
from zoo._registry import register_model
from zoo._weights import load_weights
from zoo.audio._head import check_arguments, finish, pool_features
from zoo.layers.classic.weight_normalized_conv_1d import WeightNormalizedConv1D

PAPER = (
    "Bai, Kolter and Koltun, An Empirical Evaluation of Generic Convolutional and "
    "Recurrent Networks for Sequence Modeling, 2018, arXiv:1803.01271"
)


@register_model(
    ModelCard(
        name="tcn",
        summary="Causal dilated convolutions: a sequence read from past to present.",
        paper=PAPER,
        year=2018,
        task="sequence classification",
        input_shape=(784, 1),
        classes=10,
        parameters=66_910,
        input_name="waveform",
        notes=(
            "The defaults are those for sequential MNIST: the 784 pixels of a digit, "
            "one after the other.",
            "Nothing was trained here yet.",
        ),
    )
)
def tcn(
    include_top=True,
    weights=None,
    input_shape=(784, 1),
    classes=10,
    pooling=None,
    classifier_activation="default",
    task="classes",
    name="tcn",
    levels=8,
    filters=25,
    kernel_size=7,
    dropout=0.05,
):
    """Reads a sequence from past to present; each level doubles how far back it sees.

    Without the top it is causal: features of one step depend on no later one, so it
    can run on a signal that is still coming in.

    Args:
        include_top: bool. End in the head of the task on the last step, or return the
            features of all steps.
        weights: None, a name on `zoo.card("tcn")`, or the path of a weights file.
        input_shape: `(samples, channels)`; samples None for any length.
        classes: int, number of classes or tags; the other tasks don't ask for it.
        pooling: with `include_top=False`: None for all steps, `"avg"` or `"max"` for
            one vector a sequence.
        classifier_activation: `"default"`, that of the task, or None for logits.
        task: `"classes"`, `"binary"`, `"tags"`, `"rating"` or `"tempo"`; see
            `zoo.audio.tasks`.
        name: name of the model.
        levels: int. Each doubles how far back a step sees: `1 + 2 (kernel_size - 1)
            (2^levels - 1)` samples.
        filters: int, of each convolution.
        kernel_size: int, steps that a filter sees, from 2.
        dropout: float from 0, below 1: share of the numbers that training sets to zero
            behind each convolution.

    Input shape:
        `(batch, 784, 1)`, named `waveform`.

    Output shape:
        As the task says, `(batch, classes)`; without the top `(batch, 784, 25)`.

    Returns:
        A Keras model with 66,910 trainable parameters.

    Raises:
        ValueError: for an argument outside the above.

    Reference: Bai et al. 2018 (arXiv:1803.01271), section 3; initial weights from
    N(0, 0.01^2) as there, initial biases zero (our choice).

    Example:

    >>> tcn().count_params()
    66910
    >>> tcn(include_top=False, input_shape=(None, 1), levels=3).output_shape
    (None, None, 25)
    """
    check_arguments(include_top, pooling, classes, input_shape, task)
    _check_sizes(levels=(levels, 1), filters=(filters, 1), kernel_size=(kernel_size, 2))
    if not isinstance(dropout, (int, float)) or not 0 <= dropout < 1:
        raise ValueError(
            f"`dropout` must be from 0, below 1. Received: dropout={dropout!r}"
        )

    def initializer():
        return keras.initializers.RandomNormal(stddev=0.01)

    def convolve(x, dilation_rate, name):
        x = WeightNormalizedConv1D(
            filters,
            kernel_size,
            dilation_rate,
            kernel_initializer=initializer(),
            name=f"{name}_conv",
        )(x)
        x = keras.layers.Activation("relu", name=f"{name}_relu")(x)
        return keras.layers.Dropout(dropout, name=f"{name}_dropout")(x)

    def level(x, index):
        shortcut = x
        if x.shape[-1] != filters:
            shortcut = keras.layers.Conv1D(
                filters,
                1,
                data_format="channels_last",
                kernel_initializer=initializer(),
                name=f"level_{index}_shortcut",
            )(x)
        x = convolve(x, 2**index, f"level_{index}_1")
        x = convolve(x, 2**index, f"level_{index}_2")
        x = keras.layers.Add(name=f"level_{index}_add")([x, shortcut])
        return keras.layers.Activation("relu", name=f"level_{index}_relu")(x)

    waveform = x = keras.Input(input_shape, name="waveform")
    for index in range(levels):
        x = level(x, index)
    if include_top:
        x = finish(x[:, -1], task, classes, classifier_activation)
    else:
        x = pool_features(x, pooling)
    model = keras.Model(waveform, x, name=name)
    load_weights(model, weights, find_card("tcn"))
    return model


def _check_sizes(**sizes):
    for name, (size, least) in sizes.items():
        if not isinstance(size, int) or isinstance(size, bool) or size < least:
            raise ValueError(
                f"`{name}` of tcn must be an integer from {least}. "
                f"Received: {name}={size!r}"
            )
