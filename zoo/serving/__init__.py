"""From a trained net to what a server loads."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach(
    __name__,
    submod_attrs={"saved_model": ["export", "run_saved_model"]},
)
