"""Images and sounds as `tf.data` pipelines: list_datasets, info, load, epochs, sounds.

The public names load on first use, so that `import zoo.datasets` does not
import TensorFlow.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach(
    __name__,
    submodules=["audio", "image"],
    submod_attrs={
        "audio": ["grooves", "synthetic_speech"],
        "audio.folder": ["audio_folder"],
        "catalogue": ["DatasetInfo", "info", "list_datasets"],
        "pipeline.epochs": ["Epochs"],
        "_load": ["epochs", "load"],
        "pipeline.order": ["Share"],
        "audio.clips": ["SoundClips"],
        "audio.find": ["sounds"],
    },
)
