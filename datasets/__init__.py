"""Images and sounds as `tf.data` pipelines: list_datasets, info, load, epochs, sounds.

The public names load on first use, so that `import zoo.datasets` does not
import TensorFlow.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach(
    __name__,
    submodules=["grooves", "synthetic_speech"],
    submod_attrs={
        "_audio_folder": ["audio_folder"],
        "_catalogue": ["DatasetInfo", "info", "list_datasets"],
        "_epochs": ["Epochs"],
        "_load": ["epochs", "load"],
        "_order": ["Share"],
        "_sound_clips": ["SoundClips"],
        "_sounds": ["sounds"],
    },
)
