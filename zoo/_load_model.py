import zipfile
from pathlib import Path

import keras

# These register what saved models are compiled with.
import zoo.audio.rating_squared_error
import zoo.audio.tempo_crossentropy
import zoo.layers
import zoo.training.losses
import zoo.training.metrics.keras_metrics
import zoo.training.metrics.macro_roc_auc
import zoo.training.metrics.scale_invariant_sdr
import zoo.training.metrics.song_accuracy
import zoo.training.metrics.tempo_accuracy
import zoo.training.momentum_sgd
import zoo.training.warm_up


def load_model(path, compile=True):
    """Loads a saved model, in a fresh process too: our layers are registered first.

    Args:
        path: a `.keras` file, or a run folder that holds `model.keras`.
        compile: bool. Restore optimizer and loss as well.

    Returns:
        The Keras model.

    Raises:
        ValueError: if there is no such file or it is no Keras model.

    Example:

    >>> import os, tempfile, zoo
    >>> path = os.path.join(tempfile.mkdtemp(), "m.keras")
    >>> zoo.p4cnn().save(path)
    >>> load_model(path).name
    'p4cnn'
    """
    for name in zoo.layers.__all__:
        getattr(zoo.layers, name)  # lazy: only now do the layers register themselves
    path = Path(path)
    file = path / "model.keras" if path.is_dir() else path
    if not file.is_file():
        raise ValueError(
            f"No model at {path}. Expected a .keras file, or the folder of a training "
            f"run that holds model.keras."
        )
    if file.suffix == ".keras" and not zipfile.is_zipfile(file):
        raise ValueError(
            f"{file} is no Keras model, or cut off: it is no complete zip archive. "
            f"Expected a file that model.save() wrote."
        )
    try:
        return keras.saving.load_model(file, compile=compile)
    except Exception as error:  # Keras raises whatever its reader meets
        reason = str(error).strip().splitlines()[0] if str(error).strip() else ""
        raise ValueError(
            f"{file} can't be read as a Keras model. Expected a file that model.save() "
            f"wrote. Received: {type(error).__name__}: {reason}"
        ) from error
