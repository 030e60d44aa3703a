"""The scale-equivariant nets of Romero et al. (arXiv:2006.05259): M-nets of wavelets.

    | scales | W3      | W11     | W18     |
    | 9      | 150     | 51      | 57      | 79 samples, at scales 1, 2, ... 256
    | 7      | 150     | 51 x 2  | 57 x 4  |
    | 5      |         | 102 x 2 | 114 x 4 |
    | 3      |         | 204 x 3 | 228 x 4 |
    | 1      |         | 408 x 2 | 456 x 4 |
    | 1      | mean over time, top, maximum over scale |

A row is filters x layers; below the first all kernels have 3 taps over time. The first
layer of a row has 3 taps over scale too and leaves two scales fewer, the others have 1.
Maxima over 4 steps in time go before each row but the first, twice before the second
(the M-net's first convolution has stride 4, this one none), and in W3 after the last.
Batch normalisation and a ReLU follow each convolution, none has a bias. The top is a
convolution of one tap over time, and over scale of 3 in W3 and 1 in the others.

    | net | trainable |
    | W3  | 219,450   |
    | W11 | 1,806,369 |
    | W18 | 3,758,865 |

A sound at half the speed moves the activations of a layer one scale on, at half the
speed: to 0.003 % for the lift and 0.5 % for three layers, of sounds below an eighth of
the Nyquist frequency (`ScaleLiftConv1D` says what is exact). The net as a whole keeps
that roughly only: a maximum over 4 steps covers twice the time at twice the speed (20 %
off after the first), each row drops two scales, and there are borders. Without training
its answers are no more blind to speed than those of a plain net. All figures are in
benchmarks/results/wavelet_scale.txt.
"""

import keras

from zoo._model_card import ModelCard, Result
from zoo._registry import card as find_card
from zoo._registry import register_model
from zoo._weights import load_weights
from zoo.audio._head import activate, check_arguments, units_of
from zoo.audio._maps import pool_maps
from zoo.layers.scale.conv import ScaleConv1D
from zoo.layers.scale.lifting import ScaleLiftConv1D
from zoo.layers.scale.zero_mean import ZeroMean

PAPER = (
    "Romero, Bekkers, Tomczak and Hoogendoorn, Wavelet Networks: Scale-Translation "
    "Equivariant Learning From Raw Time-Series, TMLR 2024, arXiv:2006.05259"
)
CODE = "dwromero/wavelet_networks, logs in experiments/UrbanSound8K/saved"
DATA = "UrbanSound8K, fold 10, best epoch on fold 10"
# The first filters, then (times the first filters, layers) of each row.
VARIANTS = {
    "W3": (150, ((1, 1),)),
    "W11": (51, ((1, 2), (2, 2), (4, 3), (8, 2))),
    "W18": (57, ((1, 4), (2, 4), (4, 4), (8, 4))),
}


@register_model(
    ModelCard(
        name="wavelet_net",
        summary="A net on the waveform that knows slow from fast: learned wavelets.",
        paper=PAPER,
        year=2020,
        task="sound classification",
        input_shape=(88_200, 1),
        classes=10,
        parameters=1_806_369,
        input_name="waveform",
        sample_rate=22_050,
        results=(
            Result(DATA, "test accuracy, %, W11", 79.33, CODE),
            Result(DATA, "test accuracy, %, W11 with wavelet loss", 80.41, CODE),
            Result(DATA, "test accuracy, %, W18", 75.87, CODE),
            Result(DATA, "test accuracy, %, W18 with wavelet loss", 78.26, CODE),
        ),
        notes=(
            "The figures are those of the authors' logs, where the validation set is "
            "the test fold itself: the epoch was chosen on it, so they are too good.",
            "Layers follow a change of speed; the net as a whole only roughly, through "
            "its maxima over time (benchmarks/results/wavelet_scale.txt).",
            "Nothing was trained here on UrbanSound8K yet.",
        ),
    )
)
def wavelet_net(
    include_top=True,
    weights=None,
    input_shape=(88_200, 1),
    classes=10,
    pooling=None,
    classifier_activation="default",
    task="classes",
    name="wavelet_net",
    variant="W11",
    wavelet_loss=None,
):
    """An M-net whose kernels are applied at nine speeds, as learned wavelets are.

    For sounds that come faster and slower, where the speed is no part of the answer: a
    kernel learned at one speed is there at all of them. That holds well by layer and
    roughly in the whole net. The first layer costs nine times as much as a plain one.

    Args:
        include_top: bool. End in the head of the task, or return the map.
        weights: None, a name on `zoo.card("wavelet_net")`, or the path of a weights
            file.
        input_shape: `(samples, channels)`. From 1,024 samples (W3: 64); None for any
            length.
        classes: int, number of classes or tags; the other tasks don't ask for it.
        pooling: with `include_top=False`: None for the map, `"avg"` or `"max"` over
            time and scale for one vector a sound.
        classifier_activation: `"default"`, that of the task, or None for logits.
        task: `"classes"`, `"binary"`, `"tags"`, `"rating"` or `"tempo"`; see
            `zoo.audio.tasks`. Tempo is what the maximum over scale hides: choose
            `tempo_cnn` for it.
        name: name of the model.
        variant: `"W3"`, `"W11"` or `"W18"`.
        wavelet_loss: None, or the strength of a loss that pulls the kernels towards
            zero mean, the paper's 10.0 for instance; see `zoo.layers.ZeroMean`. It
            stands in `model.losses`, and Keras adds it in training.

    Input shape:
        `(batch, 88200, 1)`, named `waveform`, at 22,050 Hz, in [-1, 1].

    Output shape:
        As the task says, `(batch, classes)`; without the top `(batch, 86, 1, 408)`,
        that is time, scale, channels.

    Returns:
        A Keras model with 1,806,369 trainable parameters (W3 219,450; W18 3,758,865).

    Raises:
        ValueError: for an argument outside the above, or a sound too short.

    Reference: Romero et al. (arXiv:2006.05259), the nets of the experiments on
    UrbanSound8K, from the authors' code. Kernels start uniform within
    sqrt(2 / fan-in) as there; that the fan-in counts scales is ours.

    Example:

    >>> wavelet_net(variant="W3").count_params()
    220050
    >>> wavelet_net(variant="W3", include_top=False).output_shape
    (None, 1378, 7, 150)
    """
    check_arguments(include_top, pooling, classes, input_shape, task)
    if variant not in VARIANTS:
        raise ValueError(
            f"`variant` must be one of {tuple(VARIANTS)}. Received: variant={variant!r}"
        )
    width, rows = VARIANTS[variant]
    is_shallow = variant == "W3"
    _check_length(variant, input_shape[0], 4 ** (len(rows) + 1 + is_shallow))

    regularizer = None if wavelet_loss is None else ZeroMean(wavelet_loss)

    def arguments(name):
        initializer = keras.initializers.VarianceScaling(2 / 3, "fan_in", "uniform")
        return {
            "kernel_initializer": initializer,
            "kernel_regularizer": regularizer,
            "name": name,
        }

    def pool(x, name):
        return keras.layers.MaxPooling2D(
            (4, 1), data_format="channels_last", name=name
        )(x)

    def normalize(x, index):
        x = keras.layers.BatchNormalization(
            epsilon=2e-5, momentum=0.9, name=f"norm_{index}"
        )(x)
        return keras.layers.Activation("relu", name=f"relu_{index}")(x)

    waveform = keras.Input(input_shape, name="waveform")
    x = ScaleLiftConv1D(width, 79, scales=9, **arguments("conv_1"))(waveform)
    x = normalize(pool(x, "pool_0"), 1)
    index = 1
    for number, (times, layers) in enumerate(rows, start=1):
        x = pool(x, f"pool_{number}")
        for scales in [3] + (layers - 1) * [1]:
            index += 1
            x = ScaleConv1D(times * width, 3, scales, **arguments(f"conv_{index}"))(x)
            x = normalize(x, index)
    if is_shallow:
        x = pool(x, "pool_2")
    if include_top:
        x = keras.ops.mean(x, axis=1, keepdims=True)
        scales = 3 if is_shallow else 1
        x = ScaleConv1D(units_of(task, classes), 1, scales, name="top")(x)
        x = keras.layers.GlobalMaxPooling2D("channels_last", name="max_over_scale")(x)
        x = activate(x, task, classifier_activation)
    else:
        x = pool_maps(x, pooling)
    model = keras.Model(waveform, x, name=name)
    load_weights(model, weights, find_card("wavelet_net"))
    return model


def _check_length(variant, samples, shortest):
    if samples is not None and samples < shortest:
        raise ValueError(
            f"wavelet_net {variant} needs at least {shortest} samples: of fewer "
            f"nothing is left after its maxima over 4. Received: samples={samples}. "
            f"Give longer sounds, or pad them with zeros."
        )
