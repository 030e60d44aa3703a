"""SampleCNN and its descendants: three samples a filter, from the waveform to tags.

The 3^9 net of Lee, Park, Kim and Nam 2017 (arXiv:1703.01789); with `variant=` and
`multi_level=` those of Kim, Lee and Nam 2018 (arXiv:1710.10451).

    | layer          | length | filters |
    | stem           | 19,683 | 128     | 3 samples, stride 3
    | blocks 1, 2    | 2,187  | 128     | each divides the length by 3
    | blocks 3 to 8  | 3      | 256     |
    | block 9        | 1      | 512     |
    | dense          |        | 512     | on the maximum over time, which is 1 step long
    | top            |        | 50      |

Batch normalisation and a ReLU follow each convolution and the layer `dense`, dropout of
one half the latter. For 2017's net `dense` is what the paper draws as one more
convolution on a map of length 1; with one step a filter, as here, the two are the same.

What a block is, before its maximum over 3 steps where that is not named:

    | basic | conv                                                               |
    | se    | conv, maximum, then each channel times a gate: mean over time,     |
    |       | dense to 16 times the channels, ReLU, dense back, sigmoid          |
    | res   | conv, dropout of 0.2, conv without ReLU, + input, ReLU; where the  |
    |       | filters change the input goes through a convolution of one step    |
    | rese  | res with the gate of se before the sum                             |

`multi_level` gives `dense` the maxima over time of the last three blocks, 256 + 256 +
512 numbers, and as many units.

    | variant | multi_level | trainable  |
    | basic   | False       | 1,869,874  |
    | basic   | True        | 2,683,442  |
    | se      | True        | 24,742,706 |
    | res     | False       | 4,107,314  |
    | res     | True        | 4,920,882  |
    | rese    | True        | 26,980,146 |

59,049 samples are 3^10, 2.7 s at 22,050 Hz. Another power of 3 has another number of
blocks of 256 filters: our choice.
"""

import keras

from zoo._model_card import ModelCard, Result
from zoo._registry import card as find_card
from zoo._registry import register_model
from zoo._weights import load_weights
from zoo.audio._head import check_arguments, finish, pool_features

PAPER = (
    "Lee, Park, Kim and Nam, Sample-level Deep Convolutional Neural Networks for Music "
    "Auto-tagging Using Raw Waveforms, SMC 2017, arXiv:1703.01789"
)
REPRODUCTION = "tae-jun/resemul, README (Kim, Lee and Nam 2018, arXiv:1710.10451)"
VARIANTS = ("basic", "se", "res", "rese")
# From two blocks of 128 filters, one of 256 and one of 512 to three million samples.
LENGTHS = tuple(3**power for power in range(5, 15))


@register_model(
    ModelCard(
        name="sample_cnn",
        summary="Ten convolutions of three samples each, from the waveform to tags.",
        paper=PAPER,
        year=2017,
        task="music tagging",
        input_shape=(59_049, 1),
        classes=50,
        parameters=1_869_874,
        input_name="waveform",
        sample_rate=22_050,
        outputs=("tags",),
        results=(
            Result(
                "MagnaTagATune, test, variant='se', multi_level=True",
                "ROC-AUC, mean over 50 tags",
                0.9111,
                REPRODUCTION,
            ),
            Result(
                "MagnaTagATune, test, variant='rese', multi_level=True",
                "ROC-AUC, mean over 50 tags",
                0.9113,
                REPRODUCTION,
            ),
        ),
        notes=(
            "A clip of 29 s is scored by the mean over its pieces of 2.7 s.",
            "Published scores are on 50 tags chosen for being frequent.",
            "Nothing was trained here on MagnaTagATune yet.",
        ),
    )
)
def sample_cnn(
    include_top=True,
    weights=None,
    input_shape=(59_049, 1),
    classes=50,
    pooling=None,
    classifier_activation="default",
    task="tags",
    name="sample_cnn",
    variant="basic",
    multi_level=False,
):
    """Convolutions of three samples all the way up: no spectrum is given or drawn.

    Args:
        include_top: bool. End in the head of the task, or return the map of the last
            block, which is one step long.
        weights: None, a name on `zoo.card("sample_cnn")`, or the path of a weights
            file.
        input_shape: `(samples, channels)`; samples a power of 3 from 243.
        classes: int, number of classes or tags; the other tasks don't ask for it.
        pooling: with `include_top=False`: None for the map, `"avg"` or `"max"` for one
            vector a sound, the same here.
        classifier_activation: `"default"`, that of the task, or None for logits.
        task: `"classes"`, `"binary"`, `"tags"`, `"rating"` or `"tempo"`; see
            `zoo.audio.tasks`.
        name: name of the model.
        variant: the block: `"basic"`, `"se"` (with a gate for each channel), `"res"`
            (residual) or `"rese"` (both).
        multi_level: bool. The head sees the last three blocks, not only the last.

    Input shape:
        `(batch, 59049, 1)`, named `waveform`, at 22,050 Hz, in [-1, 1].

    Output shape:
        As the task says, `(batch, classes)`; without the top `(batch, 1, 512)`.

    Returns:
        A Keras model with 1,869,874 trainable parameters, or as the table in this file
        says.

    Raises:
        ValueError: for an argument outside the above.

    Reference: Lee et al. 2017 (arXiv:1703.01789), table 2; Kim et al. 2018
    (arXiv:1710.10451), section 2.

    Example:

    >>> sample_cnn().output_shape
    (None, 50)
    >>> sample_cnn(input_shape=(729, 1), task="classes", classes=10).output_names
    ['probabilities']
    """
    check_arguments(include_top, pooling, classes, input_shape, task)
    if variant not in VARIANTS:
        raise ValueError(
            f"`variant` must be one of {VARIANTS}. Received: variant={variant!r}"
        )
    _check_length(input_shape[0])
    is_residual, is_gated = variant in ("res", "rese"), variant in ("se", "rese")

    def convolve(x, filters, kernel_size, name, strides=1):
        return keras.layers.Conv1D(
            filters,
            kernel_size,
            strides=strides,
            # The stem stands on pieces of three samples, nothing is padded.
            padding="same" if strides == 1 else "valid",
            data_format="channels_last",
            kernel_initializer="he_uniform",
            name=name,
        )(x)

    def dense(x, units, activation, name):
        return keras.layers.Dense(
            units, activation, kernel_initializer="he_uniform", name=name
        )(x)

    def normalize(x, name):
        return keras.layers.BatchNormalization(name=name)(x)

    def relu(x, name):
        return keras.layers.Activation("relu", name=name)(x)

    def gate(x, name):
        filters = x.shape[-1]
        scale = keras.layers.GlobalAveragePooling1D(
            "channels_last", keepdims=True, name=f"{name}_mean"
        )(x)
        scale = dense(scale, 16 * filters, "relu", f"{name}_gate_1")
        scale = dense(scale, filters, "sigmoid", f"{name}_gate_2")
        return keras.layers.Multiply(name=f"{name}_scale")([x, scale])

    def pool(x, name):
        return keras.layers.MaxPooling1D(
            3, data_format="channels_last", name=f"{name}_pool"
        )(x)

    def basic_block(x, filters, name):
        x = convolve(x, filters, 3, f"{name}_conv")
        x = pool(relu(normalize(x, f"{name}_norm"), f"{name}_relu"), name)
        return gate(x, name) if is_gated else x

    def residual_block(x, filters, name):
        shortcut = x
        if x.shape[-1] != filters:
            shortcut = convolve(x, filters, 1, f"{name}_shortcut")
            shortcut = normalize(shortcut, f"{name}_shortcut_norm")
        x = convolve(x, filters, 3, f"{name}_conv_1")
        x = relu(normalize(x, f"{name}_norm_1"), f"{name}_relu_1")
        x = keras.layers.Dropout(0.2, name=f"{name}_dropout")(x)
        x = normalize(convolve(x, filters, 3, f"{name}_conv_2"), f"{name}_norm_2")
        if is_gated:
            x = gate(x, name)
        x = keras.layers.Add(name=f"{name}_add")([x, shortcut])
        return pool(relu(x, f"{name}_relu_2"), name)

    waveform = keras.Input(input_shape, name="waveform")
    x = convolve(waveform, 128, 3, "stem_conv", strides=3)
    x = relu(normalize(x, "stem_norm"), "stem_relu")
    maps = []
    block = residual_block if is_residual else basic_block
    for index, filters in enumerate(_filters_of_blocks(x.shape[1]), start=1):
        x = block(x, filters, f"block_{index}")
        maps.append(x)
    if include_top:
        pooled = [
            keras.layers.GlobalMaxPooling1D("channels_last", name=f"level_{index}")(x)
            for index, x in enumerate(maps[-3:] if multi_level else maps[-1:], start=1)
        ]
        x = pooled[0]
        if multi_level:
            x = keras.layers.Concatenate(name="levels")(pooled)
        x = dense(x, x.shape[-1], None, "dense")
        x = relu(normalize(x, "dense_norm"), "dense_relu")
        x = keras.layers.Dropout(0.5, name="dense_dropout")(x)
        x = finish(x, task, classes, classifier_activation, "he_uniform")
    else:
        x = pool_features(x, pooling)
    model = keras.Model(waveform, x, name=name)
    load_weights(model, weights, find_card("sample_cnn"))
    return model


def _filters_of_blocks(length):
    """One block for each factor of 3 in the length: 128, 128, 256, ..., 256, 512."""
    blocks = 0
    while length > 1:
        length, blocks = length // 3, blocks + 1
    return [128] * 2 + [256] * (blocks - 3) + [512]


def _check_length(samples):
    """Refuses lengths that don't come down to one step.

    Raises:
        ValueError: with the nearest lengths that do.
    """
    if samples in LENGTHS:
        return
    below = [length for length in LENGTHS if samples and length < samples][-1:]
    above = [length for length in LENGTHS if samples and length > samples][:1]
    nearest = " or ".join(map(str, below + above)) or "59049"
    raise ValueError(
        f"sample_cnn divides the length by 3 until one step is left, so it must be a "
        f"power of 3, from {LENGTHS[0]} to {LENGTHS[-1]} samples. Received: "
        f"samples={samples}. Use {nearest}: cut or pad the sound."
    )
