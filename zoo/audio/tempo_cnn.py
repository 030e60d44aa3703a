"""Two nets that hear the tempo: tempo_cnn (2018) and deep_tempo (2019).

Both look at 40 mel bins from 20 to 5,000 Hz over 256 frames of 512 samples at
11,025 Hz, 11.9 s, and choose among 256 tempi, 30 to 285 BPM.

tempo_cnn (Schreiber and Müller 2018): kernels along time, bins added up step by step.

    | mel bins | layers                                                              |
    | 40       | 3 x: norm, 16 kernels of 5 frames                                   |
    | 8        | mean over 5 bins, norm, 6 x 24 kernels of 32, 64, 96, 128, 192, 256 |
    |          | frames side by side, 36 kernels of 1                                |
    | 4, 2, 1  | the same, each after a mean over 2 bins                             |
    |          | norm, dropout 0.5, flatten                                          |
    |          | dense 64, norm, dense 64, norm, top                                 |
    |          | 2,921,042 trainable, 642 statistics                                 |

An ELU follows every convolution and the two dense layers.

deep_tempo (Schreiber and Müller 2019, "DeepTemp"), k = 16 filters:

    | mel bins x frames | layers                                                     |
    | 40 x 256          | k kernels of 5 frames, k of 3, maximum over 2 x 2          |
    | 20 x 128          | the same with 2 k                                          |
    | 10 x 64           | the same with 4 k                                          |
    | 5 x 32            | the same with 4 k                                          |
    | 2 x 16            | the same with 8 k                                          |
    | 1 x 8             | the same with 8 k, maximum over 1 x 2                      |
    | 1 x 4             | 256 kernels of 1, mean                                     |
    |                   | 318,576 trainable, 1,728 statistics                        |

A ReLU and a normalisation follow each convolution, a dropout of 0.1 each maximum; a
ReLU alone follows the last convolution.

The nets were published for spectrograms. Here the spectrogram is the first layer, and
its scale is taken out in the net, each sound by itself: tempo_cnn divides by the
maximum, deep_tempo takes the mean away and divides by the standard deviation.
(Over a whole batch, as the authors' code does it, one loud song would change what the
net hears of the others.) Silence is all zeros then, and has a defined answer.
"""

import keras

from zoo._model_card import ModelCard, Result
from zoo._registry import card as find_card
from zoo._registry import register_model
from zoo._weights import load_weights
from zoo.audio._head import activate, check_task, finish, units_of
from zoo.audio._maps import pool_maps
from zoo.image._head import check_head
from zoo.layers.audio.mel_spectrogram import MelSpectrogram

PAPER = (
    "Schreiber and Müller, A Single-Step Approach to Musical Tempo Estimation Using a "
    "Convolutional Neural Network, ISMIR 2018"
)
DIRECTIONAL = (
    "Schreiber and Müller, Musical Tempo and Key Estimation using Convolutional "
    "Neural Networks with Directional Filters, SMC 2019, arXiv:1903.10839"
)
REPORT = "tempoeval/tempo_eval_report, data, tolerance 4 %, schreiber2018/ismir2018"
OWN = "python benchmarks/tempo.py, seed 0"
SAMPLE_RATE = 11_025
HOP = 512
BINS = 40
FRAMES = 256
SAMPLES = (FRAMES - 1) * HOP  # frames stand around sample 0, 512, ... 130,560
# A sound whose numbers are smaller than this everywhere is silence.
SILENCE = 1e-7


@register_model(
    ModelCard(
        name="tempo_cnn",
        summary="Beats per minute from 11.9 s of music, in one step.",
        paper=PAPER,
        year=2018,
        task="tempo estimation",
        input_shape=(SAMPLES, 1),
        classes=256,
        parameters=2_921_042,
        input_name="waveform",
        sample_rate=SAMPLE_RATE,
        outputs=("tempo",),
        results=(
            Result("GTZAN, labels 1.0", "Accuracy 1, %", 67.4, REPORT),
            Result("GTZAN, labels 1.0", "Accuracy 2, %", 92.0, REPORT),
            Result("Ballroom", "Accuracy 1, %", 91.3, REPORT),
            Result("Ballroom", "Accuracy 2, %", 96.0, REPORT),
        ),
        notes=(
            "A song's tempo is that of the mean of the answers for its windows.",
            "On GTZAN a method without learning (Percival and Tzanetakis 2014) has "
            "Accuracy 1 of 76.9 %.",
            "Accuracy 1 is within 4 %, Accuracy 2 also allows 1/3, 1/2, 2 and 3 times "
            "the tempo.",
            "The authors' weights are under the AGPL and are not used here.",
            "Nothing was trained here yet.",
        ),
    )
)
def tempo_cnn(
    include_top=True,
    weights=None,
    input_shape=(SAMPLES, 1),
    classes=256,
    pooling=None,
    classifier_activation="default",
    task="tempo",
    name="tempo_cnn",
):
    """Hears the tempo of music, in beats per minute, with kernels of up to 11.9 s.

    Args:
        include_top: bool. End in the dense layers, or return the map.
        weights: None, a name on `zoo.card("tempo_cnn")`, or the path of a weights
            file.
        input_shape: `(samples, channels)` for a waveform, or
            `(40, frames, channels)` for mel spectrograms made elsewhere. The length is
            fixed by the dense layers; without the top it may be None.
        classes: int, number of classes or tags; the other tasks don't ask for it.
        pooling: with `include_top=False`: None for the map, `"avg"` or `"max"` for one
            vector a sound.
        classifier_activation: `"default"`, that of the task, or None for logits.
        task: `"tempo"`, or `"classes"`, `"binary"`, `"tags"` or `"rating"`; see
            `zoo.audio.tasks`.
        name: name of the model.

    Input shape:
        `(batch, 130560, 1)`, named `waveform`, at 11,025 Hz, in [-1, 1]: 255 hops of
        512 samples, which make 256 frames. Or `(batch, 40, 256, 1)`, named
        `mel_spectrogram`: `MelSpectrogram(11025, 1024, 512, 40, 20, 5000)`,
        magnitudes, of any scale.

    Output shape:
        `(batch, 256)`, probabilities of 30 to 285 BPM; without the top
        `(batch, 1, 256, 36)`, one mel bin over time.

    Returns:
        A Keras model with 2,921,042 trainable parameters.

    Raises:
        ValueError: for an argument outside the above.

    Reference: Schreiber and Müller 2018, section 2. The spectrogram within the net,
    of each window with zeros beyond its ends, is ours: the paper cuts windows from the
    spectrogram of the song, which differs in the first and last frame.

    Example:

    >>> model = tempo_cnn()
    >>> model.output_shape
    (None, 256)
    >>> tempo_cnn(include_top=False, input_shape=(40, None, 1)).output_shape
    (None, 1, None, 36)
    """
    check_arguments(include_top, pooling, classes, input_shape, task)
    if include_top and input_shape[-2] is None:
        raise ValueError(
            "tempo_cnn's dense layers need a fixed length. Received: input_shape="
            f"{tuple(input_shape)}. Give a number, or include_top=False; deep_tempo "
            f"takes any length."
        )

    def normalize(x, name):
        return keras.layers.BatchNormalization(name=name)(x)

    def convolve(x, filters, frames, name):
        return keras.layers.Conv2D(
            filters,
            (1, frames),
            padding="same",
            activation="elu",
            data_format="channels_last",
            name=name,
        )(x)

    def module(x, bins, name):
        x = keras.layers.AveragePooling2D(
            (bins, 1), data_format="channels_last", name=f"{name}_pool"
        )(x)
        x = normalize(x, f"{name}_norm")
        x = keras.layers.Concatenate(name=f"{name}_concat")(
            [
                convolve(x, 24, frames, f"{name}_conv_{frames}")
                for frames in (32, 64, 96, 128, 192, 256)
            ]
        )
        return convolve(x, 36, 1, f"{name}_bottleneck")

    inputs, x = _spectrogram(input_shape)
    loudest = keras.ops.max(x, axis=(1, 2, 3), keepdims=True)
    x = x / keras.ops.maximum(loudest, SILENCE)
    for index in (1, 2, 3):
        x = normalize(x, f"short_{index}_norm")
        x = convolve(x, 16, 5, f"short_{index}_conv")
    for index, bins in enumerate((5, 2, 2, 2), start=1):
        x = module(x, bins, f"module_{index}")
    if include_top:
        x = normalize(x, "flat_norm")
        x = keras.layers.Dropout(0.5, name="dropout")(x)
        x = keras.layers.Flatten("channels_last", name="flatten")(x)
        x = keras.layers.Dense(64, activation="elu", name="dense_1")(x)
        x = normalize(x, "dense_1_norm")
        x = keras.layers.Dense(64, activation="elu", name="dense_2")(x)
        x = normalize(x, "dense_2_norm")
        x = finish(x, task, classes, classifier_activation)
    else:
        x = pool_maps(x, pooling)
    model = keras.Model(inputs, x, name=name)
    load_weights(model, weights, find_card("tempo_cnn"))
    return model


@register_model(
    ModelCard(
        name="deep_tempo",
        summary="Beats per minute from music of any length, with a small net.",
        paper=DIRECTIONAL,
        year=2019,
        task="tempo estimation",
        input_shape=(SAMPLES, 1),
        classes=256,
        parameters=318_576,
        input_name="waveform",
        sample_rate=SAMPLE_RATE,
        outputs=("tempo",),
        results=(
            Result(
                "grooves_tempo, families not trained on", "Accuracy 1, %", 82.8, OWN
            ),
            Result(
                "grooves_tempo, families not trained on", "Accuracy 2, %", 96.2, OWN
            ),
        ),
        notes=(
            "In the paper kernels along time beat square ones of equal number.",
            "The authors' weights are under the AGPL and are not used here.",
            "On the same clips librosa.feature.tempo has 49.1 % and 77.7 %.",
        ),
    )
)
def deep_tempo(
    include_top=True,
    weights=None,
    input_shape=(SAMPLES, 1),
    classes=256,
    pooling=None,
    classifier_activation="default",
    task="tempo",
    name="deep_tempo",
    filters=16,
):
    """Hears the tempo of music of any length; a ninth of tempo_cnn's parameters.

    Args:
        include_top: bool. End in the last convolution and the mean, or return the map.
        weights: None, a name on `zoo.card("deep_tempo")`, or the path of a weights
            file.
        input_shape: `(samples, channels)` for a waveform, or `(40, frames, channels)`
            for mel spectrograms made elsewhere. From 64 frames, 32,256 samples; None
            for any length.
        classes: int, number of classes or tags; the other tasks don't ask for it.
        pooling: with `include_top=False`: None for the map, `"avg"` or `"max"` for one
            vector a sound.
        classifier_activation: `"default"`, that of the task, or None for logits.
        task: `"tempo"`, or `"classes"`, `"binary"`, `"tags"` or `"rating"`; see
            `zoo.audio.tasks`.
        name: name of the model.
        filters: int, k of the table above: those of the first block.

    Input shape:
        `(batch, 130560, 1)`, named `waveform`, at 11,025 Hz, in [-1, 1]; or
        `(batch, 40, 256, 1)`, named `mel_spectrogram`:
        `MelSpectrogram(11025, 1024, 512, 40, 20, 5000)`, magnitudes, of any scale.

    Output shape:
        `(batch, 256)`, probabilities of 30 to 285 BPM; without the top
        `(batch, 1, 4, 128)`.

    Returns:
        A Keras model with 318,576 trainable parameters.

    Raises:
        ValueError: for an argument outside the above, or a sound too short.

    Reference: Schreiber and Müller 2019 (arXiv:1903.10839), DeepTemp. The ReLU of the
    last convolution is left out for tasks that end in a sigmoid: nothing under one
    half could be said. Normalisation of each sound by itself is ours.

    Example:

    >>> model = deep_tempo(input_shape=(None, 1))
    >>> model.count_params()
    320304
    """
    check_arguments(include_top, pooling, classes, input_shape, task)
    if not isinstance(filters, int) or isinstance(filters, bool) or filters < 1:
        raise ValueError(
            f"`filters` must be a positive integer. Received: filters={filters!r}"
        )
    _check_length(input_shape)

    def convolve(x, filters, frames, name):
        x = keras.layers.Conv2D(
            filters,
            (1, frames),
            padding="same",
            activation="relu",
            data_format="channels_last",
            name=f"{name}_conv_{frames}",
        )(x)
        return keras.layers.BatchNormalization(name=f"{name}_norm_{frames}")(x)

    def block(x, filters, index):
        x = convolve(x, filters, 5, f"block_{index}")
        x = convolve(x, filters, 3, f"block_{index}")
        x = keras.layers.MaxPooling2D(
            (1, 2) if index == 6 else (2, 2),
            data_format="channels_last",
            name=f"block_{index}_pool",
        )(x)
        return keras.layers.Dropout(0.1, name=f"block_{index}_dropout")(x)

    inputs, x = _spectrogram(input_shape)
    mean = keras.ops.mean(x, axis=(1, 2, 3), keepdims=True)
    deviation = keras.ops.std(x, axis=(1, 2, 3), keepdims=True)
    x = (x - mean) / keras.ops.maximum(deviation, SILENCE)
    for index, times in enumerate((1, 2, 4, 4, 8, 8), start=1):
        x = block(x, times * filters, index)
    if include_top:
        ends_in_softmax = task in ("tempo", "classes")
        x = keras.layers.Conv2D(
            units_of(task, classes),
            1,
            activation="relu" if ends_in_softmax else None,
            data_format="channels_last",
            name="top",
        )(x)
        x = pool_maps(x, "avg")
        x = activate(x, task, classifier_activation)
    else:
        x = pool_maps(x, pooling)
    model = keras.Model(inputs, x, name=name)
    load_weights(model, weights, find_card("deep_tempo"))
    return model


def check_arguments(include_top, pooling, classes, input_shape, task):
    """Refuses what neither net takes.

    Raises:
        ValueError: naming the argument, what was expected and what came.
    """
    check_head(include_top, pooling, classes)
    check_task(task)
    shape = tuple(input_shape) if isinstance(input_shape, (tuple, list)) else ()
    known = [size for size in shape if size is not None]
    is_size = [isinstance(n, int) and not isinstance(n, bool) and n > 0 for n in known]
    is_waveform = len(shape) == 2
    is_spectrogram = len(shape) == 3 and shape[0] == BINS
    if not (is_waveform or is_spectrogram) or shape[-1] is None or not all(is_size):
        raise ValueError(
            "`input_shape` must be (samples, channels) for a waveform, or "
            f"({BINS}, frames, channels) for a mel spectrogram, the length perhaps "
            f"None. Received: input_shape={input_shape!r}"
        )


def _spectrogram(input_shape):
    """The input, and the spectrogram that it is or becomes, in full precision."""
    if len(input_shape) == 3:
        inputs = keras.Input(input_shape, name="mel_spectrogram")
        return inputs, inputs
    inputs = keras.Input(input_shape, name="waveform")
    layer = MelSpectrogram(
        SAMPLE_RATE,
        fft_length=1024,
        hop_length=HOP,
        mel_bins=BINS,
        low=20,
        high=5000,
        dtype=keras.config.dtype_policy().variable_dtype,
        name="mel_spectrogram",
    )
    return inputs, layer(inputs)


def _check_length(input_shape):
    """Six maxima leave one frame of 64."""
    length = input_shape[-2]
    shortest = 64 if len(input_shape) == 3 else 63 * HOP
    if length is not None and length < shortest:
        unit = "frames" if len(input_shape) == 3 else "samples"
        raise ValueError(
            f"deep_tempo needs at least {shortest} {unit}, 64 frames of {HOP} samples: "
            f"of fewer nothing is left after its six maxima. Received: "
            f"input_shape={tuple(input_shape)}. Give longer music."
        )
