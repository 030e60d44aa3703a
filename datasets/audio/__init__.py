"""Audio: folders, tables, decoding, clips, splits, and the named sets."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach(
    __name__, submodules=["grooves", "synthetic_speech"]
)
