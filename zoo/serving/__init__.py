"""From a trained net to what a server, a phone or a browser loads."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach(
    __name__,
    submod_attrs={
        "export": ["export"],
        "int8": ["export_int8"],
        "plain": ["to_plain"],
        "run_exported": ["run_exported"],
        "server": ["server_command"],
    },
)
