"""What a net is judged by: one metric, one file, but for those of Keras.

The result of each is NaN if an output with weight is (`nan_propagation.py`).
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach(
    __name__,
    submod_attrs={
        "keras_metrics": [
            "BinaryAccuracy",
            "MeanAbsoluteError",
            "SparseCategoricalAccuracy",
        ],
        "macro_roc_auc": ["MacroRocAuc"],
        "scale_invariant_sdr": ["ScaleInvariantSDR"],
        "song_accuracy": ["SongAccuracy", "song_scores"],
        "tempo_accuracy": ["TempoAccuracy"],
    },
)
