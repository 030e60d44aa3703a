"""Convolutional networks for Keras that know symmetry.

The public names load on first use, so that `import zoo` (and `zoo --help`)
does not import TensorFlow.
"""

import lazy_loader

from zoo._version import __version__

__getattr__, __dir__, __all__ = lazy_loader.attach(
    __name__,
    submodules=["analysis", "audio", "datasets", "layers", "serving", "training"],
    submod_attrs={
        "_load_model": ["load_model"],
        "_model_card": ["ModelCard", "Normalization", "Result"],
        "_registry": ["card", "create_model", "list_models", "register_model"],
        "analysis.admissible_sizes": ["admissible_sizes"],
        "analysis.counts": ["count"],
        "analysis.equivariance": ["equivariance_report"],
        "analysis.translation": ["translation_report"],
        "audio": [
            "audio_mlp",
            "crepe",
            "deep_tempo",
            "features_mlp",
            "m3",
            "m5",
            "m11",
            "m18",
            "m34_res",
            "mnist1d_cnn",
            "mnist1d_mlp",
            "pitch",
            "sample_cnn",
            "tcn",
            "tempo_cnn",
            "wavelet_net",
        ],
        "decoding": ["decode_predictions"],
        "image": [
            "alexnet",
            "lecun1989",
            "lenet5",
            "mlp",
            "p4cnn",
            "p4cnn_rotation_pooling",
            "p4mcnn",
            "resnet",
            "z2cnn",
        ],
        "preprocessing": ["preprocess_input"],
        "serving.export": ["export"],
        "serving.plain": ["to_plain"],
    },
)

__all__ = [*__all__, "__version__"]
