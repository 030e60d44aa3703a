"""The very deep nets on waveforms of Dai et al. 2016 (arXiv:1610.00087).

    | length | M3    | M5    | M11     | M18     | M34-res     |
    | 8,000  | 256   | 128   | 64      | 64      | 48          | 80 samples, stride 4
    | 2,000  | 256   | 128   | 64 x 2  | 64 x 4  | 48 x 3 res  |
    | 500    |       | 256   | 128 x 2 | 128 x 4 | 96 x 4 res  |
    | 125    |       | 512   | 256 x 3 | 256 x 4 | 192 x 6 res |
    | 31     |       |       | 512 x 2 | 512 x 4 | 384 x 3 res |
    | 1      | mean over time, top                             |

A row is filters x layers. A maximum over 4 steps goes before each row but the first, in
M3 and M5 also after the last. Below the first row all convolutions see 3 steps. Batch
normalisation and a ReLU follow each convolution. The input is 4 s at 8 kHz.

A block of M34-res, `res`, is

    x -> conv -> norm -> ReLU -> conv -> norm -> + x -> norm -> ReLU

and where the filters double, `+ x` is `+ [x, x]`: the channels stand there twice, one
copy behind the other (a b a b). Public reproductions differ in this: another doubles
channel by channel (a a b b), which is another function with the same count.

    | net     | trainable | statistics |
    | M3      | 221,194   | 1,024      |
    | M5      | 559,114   | 2,048      |
    | M11     | 1,786,442 | 4,480      |
    | M18     | 3,683,786 | 7,808      |
    | M34-res | 3,984,154 | 17,088     |

Convolutions have a bias, as in the reproduction that published these counts. Training
there was Adam with an L2 penalty of 1e-4 on the kernels: a recipe's business, so it is
not in the nets. "M5" in torchaudio's tutorial is another net, with 26,915 parameters.
"""

import keras

from zoo._model_card import ModelCard, Result
from zoo._registry import card as find_card
from zoo._registry import register_model
from zoo._weights import load_weights
from zoo.audio._head import check_arguments, finish, pool_features

PAPER = (
    "Dai, Dai, Qu, Li and Das, Very Deep Convolutional Neural Networks for Raw "
    "Waveforms, ICASSP 2017, arXiv:1610.00087"
)
REPRODUCTION = "philipperemy/very-deep-convnets-raw-waveforms, README"
# The first filters of the paper, then (times the first filters, layers) of each row.
TABLE = {
    "m3": (256, ((1, 1),)),
    "m5": (128, ((1, 1), (2, 1), (4, 1))),
    "m11": (64, ((1, 2), (2, 2), (4, 3), (8, 2))),
    "m18": (64, ((1, 4), (2, 4), (4, 4), (8, 4))),
    "m34_res": (48, ((1, 3), (2, 4), (4, 6), (8, 3))),
}
POOLED_AT_THE_END = ("m3", "m5")
RESIDUAL = ("m34_res",)


def _card(name, summary, parameters, best):
    return ModelCard(
        name=name,
        summary=summary,
        paper=PAPER,
        year=2016,
        task="sound classification",
        input_shape=(32_000, 1),
        classes=10,
        parameters=parameters,
        input_name="waveform",
        sample_rate=8_000,
        results=(
            Result(
                "UrbanSound8K, fold 10, best of 400 epochs on fold 10",
                "test accuracy, %",
                best,
                REPRODUCTION,
            ),
        ),
        notes=(
            "The figure is of a reproduction that chose the epoch on the test fold, so "
            "it is too good: its M34-res had 72.5 % in the best epoch, 67.5 % in the "
            "last.",
            "The paper reports over 15 points more for M18 than for M3.",
            "Nothing was trained here on UrbanSound8K yet.",
        ),
    )


def _m_net(
    table_name,
    include_top,
    weights,
    input_shape,
    classes,
    pooling,
    classifier_activation,
    task,
    name,
    filters,
):
    """One column of the table above."""
    check_arguments(include_top, pooling, classes, input_shape, task)
    paper_filters, rows = TABLE[table_name]
    filters = _check_filters(filters, paper_filters)
    pools = len(rows) + (table_name in POOLED_AT_THE_END)
    _check_length(table_name, input_shape[0], pools)

    def convolve(x, filters, kernel_size, name, strides=1):
        return keras.layers.Conv1D(
            filters,
            kernel_size,
            strides=strides,
            padding="same",
            data_format="channels_last",
            name=name,
        )(x)

    def normalize(x, name):
        return keras.layers.BatchNormalization(name=name)(x)

    def relu(x, name):
        return keras.layers.Activation("relu", name=name)(x)

    def pool(x, number):
        return keras.layers.MaxPooling1D(
            4, data_format="channels_last", name=f"pool_{number}"
        )(x)

    def layer(x, filters, kernel_size, index, strides=1):
        x = convolve(x, filters, kernel_size, f"conv_{index}", strides)
        return relu(normalize(x, f"norm_{index}"), f"relu_{index}")

    def residual(x, filters, index):
        shortcut = x
        if x.shape[-1] != filters:
            shortcut = keras.layers.Concatenate(name=f"res_{index}_twice")([x, x])
        x = convolve(x, filters, 3, f"res_{index}_conv_1")
        x = relu(normalize(x, f"res_{index}_norm_1"), f"res_{index}_relu_1")
        x = convolve(x, filters, 3, f"res_{index}_conv_2")
        x = normalize(x, f"res_{index}_norm_2")
        x = keras.layers.Add(name=f"res_{index}_add")([x, shortcut])
        return relu(normalize(x, f"res_{index}_norm_3"), f"res_{index}_relu_2")

    waveform = keras.Input(input_shape, name="waveform")
    x = layer(waveform, filters, 80, 1, strides=4)
    index = 1
    for number, (times, layers) in enumerate(rows, start=1):
        x = pool(x, number)
        for _ in range(layers):
            index += 1
            if table_name in RESIDUAL:
                x = residual(x, times * filters, index)
            else:
                x = layer(x, times * filters, 3, index)
    if table_name in POOLED_AT_THE_END:
        x = pool(x, len(rows) + 1)
    if include_top:
        x = pool_features(x, "avg")
        x = finish(x, task, classes, classifier_activation)
    else:
        x = pool_features(x, pooling)
    model = keras.Model(waveform, x, name=name)
    load_weights(model, weights, find_card(table_name))
    return model


@register_model(
    _card(
        "m3",
        "Two wide convolutions on the waveform: the shallow end of the M-nets.",
        221_194,
        67.3,
    )
)
def m3(
    include_top=True,
    weights=None,
    input_shape=(32_000, 1),
    classes=10,
    pooling=None,
    classifier_activation="default",
    task="classes",
    name="m3",
    filters=None,
):
    """Two convolutions of 256 filters on a waveform, and a mean over time.

    The control that shows what depth brings: m11 and m18 see the same with more layers.

    Args:
        include_top: bool. End in the head of the task, or return the map.
        weights: None, a name on `zoo.card("m3")`, or the path of a weights file.
        input_shape: `(samples, channels)`. From 61 samples; None for any such length.
        classes: int, number of classes or tags; the other tasks don't ask for it.
        pooling: with `include_top=False`: None for the map, `"avg"` or `"max"` for one
            vector a sound.
        classifier_activation: `"default"`, that of the task, or None for logits.
        task: `"classes"`, `"binary"`, `"tags"`, `"rating"` or `"tempo"`; see
            `zoo.audio.tasks`.
        name: name of the model.
        filters: int, of the first convolution, or None for the paper's 256. Those of
            the other layers grow and shrink with it.

    Input shape:
        `(batch, 32000, 1)`, named `waveform`, at 8 kHz, in [-1, 1].

    Output shape:
        As the task says, `(batch, classes)`; without the top `(batch, 125, 256)`.

    Returns:
        A Keras model with 221,194 trainable parameters.

    Raises:
        ValueError: for an argument outside the above, or a sound too short.

    Reference: Dai et al. 2016 (arXiv:1610.00087), table 1.

    Example:

    >>> m3().output_shape
    (None, 10)
    """
    return _m_net(
        "m3",
        include_top,
        weights,
        input_shape,
        classes,
        pooling,
        classifier_activation,
        task,
        name,
        filters,
    )


@register_model(
    _card(
        "m5",
        "Four convolutions on the waveform; a good first net for short sounds.",
        559_114,
        74.3,
    )
)
def m5(
    include_top=True,
    weights=None,
    input_shape=(32_000, 1),
    classes=10,
    pooling=None,
    classifier_activation="default",
    task="classes",
    name="m5",
    filters=None,
):
    """Four convolutions on a waveform, from 128 to 512 filters, and a mean over time.

    With `filters=48` it is a small net of 82,954 parameters.

    Args:
        include_top: bool. End in the head of the task, or return the map.
        weights: None, a name on `zoo.card("m5")`, or the path of a weights file.
        input_shape: `(samples, channels)`. From 1,021 samples; None for any such
            length.
        classes: int, number of classes or tags; the other tasks don't ask for it.
        pooling: with `include_top=False`: None for the map, `"avg"` or `"max"` for one
            vector a sound.
        classifier_activation: `"default"`, that of the task, or None for logits.
        task: `"classes"`, `"binary"`, `"tags"`, `"rating"` or `"tempo"`; see
            `zoo.audio.tasks`.
        name: name of the model.
        filters: int, of the first convolution, or None for the paper's 128. Those of
            the other layers grow and shrink with it.

    Input shape:
        `(batch, 32000, 1)`, named `waveform`, at 8 kHz, in [-1, 1].

    Output shape:
        As the task says, `(batch, classes)`; without the top `(batch, 31, 512)`.

    Returns:
        A Keras model with 559,114 trainable parameters.

    Raises:
        ValueError: for an argument outside the above, or a sound too short.

    Reference: Dai et al. 2016 (arXiv:1610.00087), table 1.

    Example:

    >>> m5().output_shape
    (None, 10)
    >>> m5(input_shape=(8000, 1), task="tempo", filters=48).output_shape
    (None, 256)
    """
    return _m_net(
        "m5",
        include_top,
        weights,
        input_shape,
        classes,
        pooling,
        classifier_activation,
        task,
        name,
        filters,
    )


@register_model(
    _card(
        "m11",
        "Ten convolutions on the waveform.",
        1_786_442,
        75.2,
    )
)
def m11(
    include_top=True,
    weights=None,
    input_shape=(32_000, 1),
    classes=10,
    pooling=None,
    classifier_activation="default",
    task="classes",
    name="m11",
    filters=None,
):
    """Ten convolutions on a waveform, from 64 to 512 filters, and a mean over time.

    Args:
        include_top: bool. End in the head of the task, or return the map.
        weights: None, a name on `zoo.card("m11")`, or the path of a weights file.
        input_shape: `(samples, channels)`. From 1,021 samples; None for any such
            length.
        classes: int, number of classes or tags; the other tasks don't ask for it.
        pooling: with `include_top=False`: None for the map, `"avg"` or `"max"` for one
            vector a sound.
        classifier_activation: `"default"`, that of the task, or None for logits.
        task: `"classes"`, `"binary"`, `"tags"`, `"rating"` or `"tempo"`; see
            `zoo.audio.tasks`.
        name: name of the model.
        filters: int, of the first convolution, or None for the paper's 64. Those of
            the other layers grow and shrink with it.

    Input shape:
        `(batch, 32000, 1)`, named `waveform`, at 8 kHz, in [-1, 1].

    Output shape:
        As the task says, `(batch, classes)`; without the top `(batch, 31, 512)`.

    Returns:
        A Keras model with 1,786,442 trainable parameters.

    Raises:
        ValueError: for an argument outside the above, or a sound too short.

    Reference: Dai et al. 2016 (arXiv:1610.00087), table 1.

    Example:

    >>> m11(include_top=False).output_shape
    (None, 31, 512)
    """
    return _m_net(
        "m11",
        include_top,
        weights,
        input_shape,
        classes,
        pooling,
        classifier_activation,
        task,
        name,
        filters,
    )


@register_model(
    _card(
        "m18",
        "Seventeen convolutions on the waveform.",
        3_683_786,
        71.0,
    )
)
def m18(
    include_top=True,
    weights=None,
    input_shape=(32_000, 1),
    classes=10,
    pooling=None,
    classifier_activation="default",
    task="classes",
    name="m18",
    filters=None,
):
    """Seventeen convolutions on a waveform, from 64 to 512 filters, and a mean.

    The paper's best. In the reproduction on the card m5 and m11 do better.

    Args:
        include_top: bool. End in the head of the task, or return the map.
        weights: None, a name on `zoo.card("m18")`, or the path of a weights file.
        input_shape: `(samples, channels)`. From 1,021 samples; None for any such
            length.
        classes: int, number of classes or tags; the other tasks don't ask for it.
        pooling: with `include_top=False`: None for the map, `"avg"` or `"max"` for one
            vector a sound.
        classifier_activation: `"default"`, that of the task, or None for logits.
        task: `"classes"`, `"binary"`, `"tags"`, `"rating"` or `"tempo"`; see
            `zoo.audio.tasks`.
        name: name of the model.
        filters: int, of the first convolution, or None for the paper's 64. Those of
            the other layers grow and shrink with it.

    Input shape:
        `(batch, 32000, 1)`, named `waveform`, at 8 kHz, in [-1, 1].

    Output shape:
        As the task says, `(batch, classes)`; without the top `(batch, 31, 512)`.

    Returns:
        A Keras model with 3,683,786 trainable parameters.

    Raises:
        ValueError: for an argument outside the above, or a sound too short.

    Reference: Dai et al. 2016 (arXiv:1610.00087), table 1.

    Example:

    >>> m18(include_top=False, pooling="avg").output_shape
    (None, 512)
    """
    return _m_net(
        "m18",
        include_top,
        weights,
        input_shape,
        classes,
        pooling,
        classifier_activation,
        task,
        name,
        filters,
    )


@register_model(
    _card(
        "m34_res",
        "Sixteen residual blocks on the waveform.",
        3_984_154,
        72.5,
    )
)
def m34_res(
    include_top=True,
    weights=None,
    input_shape=(32_000, 1),
    classes=10,
    pooling=None,
    classifier_activation="default",
    task="classes",
    name="m34_res",
    filters=None,
):
    """Sixteen residual blocks on a waveform, from 48 to 384 filters, and a mean.

    The shortcuts have no weights: where the filters double, the channels are copied.

    Args:
        include_top: bool. End in the head of the task, or return the map.
        weights: None, a name on `zoo.card("m34_res")`, or the path of a weights file.
        input_shape: `(samples, channels)`. From 1,021 samples; None for any such
            length.
        classes: int, number of classes or tags; the other tasks don't ask for it.
        pooling: with `include_top=False`: None for the map, `"avg"` or `"max"` for one
            vector a sound.
        classifier_activation: `"default"`, that of the task, or None for logits.
        task: `"classes"`, `"binary"`, `"tags"`, `"rating"` or `"tempo"`; see
            `zoo.audio.tasks`.
        name: name of the model.
        filters: int, of the first convolution, or None for the paper's 48. Those of
            the other layers grow and shrink with it.

    Input shape:
        `(batch, 32000, 1)`, named `waveform`, at 8 kHz, in [-1, 1].

    Output shape:
        As the task says, `(batch, classes)`; without the top `(batch, 31, 384)`.

    Returns:
        A Keras model with 3,984,154 trainable parameters.

    Raises:
        ValueError: for an argument outside the above, or a sound too short.

    Reference: Dai et al. 2016 (arXiv:1610.00087), table 1.

    Example:

    >>> m34_res(include_top=False).output_shape
    (None, 31, 384)
    """
    return _m_net(
        "m34_res",
        include_top,
        weights,
        input_shape,
        classes,
        pooling,
        classifier_activation,
        task,
        name,
        filters,
    )


def _check_filters(filters, paper_filters):
    """The filters of the first convolution.

    Raises:
        ValueError: if that is no positive integer.
    """
    if filters is None:
        return paper_filters
    if not isinstance(filters, int) or isinstance(filters, bool) or filters < 1:
        raise ValueError(
            f"`filters` must be a positive integer, or None for the paper's "
            f"{paper_filters}. Received: filters={filters!r}"
        )
    return filters


def _check_length(name, samples, pools):
    """Refuses a sound of which nothing is left after the last maximum.

    Raises:
        ValueError: with the shortest length that is possible.
    """
    # ceil(samples / 4) steps after the first convolution, 4 for 1 at each maximum.
    shortest = 4 * (4**pools - 1) + 1
    if samples is not None and samples < shortest:
        raise ValueError(
            f"{name} needs at least {shortest} samples: {samples} are zero steps after "
            f"its {pools} maxima over 4. Received: samples={samples}. Give longer "
            f"sounds, or pad them with zeros."
        )
