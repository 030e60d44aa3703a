"""Accompaniments in hundreds of grooves at an exactly known tempo.

MMA (Musical MIDI Accompaniment, www.mellowood.ca/mma) plays a chart of chords in a
groove; a soundfont makes audio of its MIDI. Both stand on the machine, nothing is
downloaded.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach(
    __name__,
    submodules=["chart", "library", "synthesis"],
    submod_attrs={
        "library": ["Groove", "list_grooves"],
        "render_folder": ["render"],
        "synthesis": ["SOUNDFONTS"],
    },
)
