"""What a model is: how exactly it turns, how large it is, what it looks like."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach(
    __name__,
    submod_attrs={
        "admissible_sizes": ["admissible_sizes"],
        "class_balance_picture": ["class_balance_picture"],
        "comparison": ["compare"],
        "counts": ["count"],
        "equivariance": ["equivariance_report"],
        "filters_picture": ["filters_picture"],
        "spectrogram_picture": ["spectrogram_picture"],
        "translation": ["translation_report"],
        "turning_picture": ["turning_picture"],
        "waveform_picture": ["waveform_picture"],
    },
)
