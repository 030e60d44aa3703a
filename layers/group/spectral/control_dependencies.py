"""Work that waits, so that no more memory is taken than it needs."""

import contextlib


def begin_after(value):
    """A context in which operations begin once a tensor is there.

    TensorFlow's graphs begin whatever they can, ten rounds of a loop ahead: that many
    times the memory. Its symbolic tensors know their graph. Eager tensors and torch
    keep to the order of the code, and XLA to the one of least memory.
    """
    graph = getattr(value, "graph", None)
    if graph is None:
        return contextlib.nullcontext()
    return graph.control_dependencies([value])
