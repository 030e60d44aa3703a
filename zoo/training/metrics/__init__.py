"""What a net on sound is measured by: one metric, one file."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach(
    __name__,
    submod_attrs={
        "macro_roc_auc": ["MacroRocAuc"],
        "scale_invariant_sdr": ["ScaleInvariantSDR"],
        "song_accuracy": ["SongAccuracy", "song_scores"],
        "tempo_accuracy": ["TempoAccuracy"],
    },
)
