"""Image data sets as `tf.data` pipelines: list_datasets, info and load.

The public names load on first use, so that `import zoo.datasets` does not
import TensorFlow.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach(
    __name__,
    submod_attrs={
        "_catalogue": ["DatasetInfo", "info", "list_datasets"],
        "_load": ["load"],
    },
)
