"""Reads the files of `torch.save(module.state_dict(), path)` without torch.

Such a file is a zip archive: `data.pkl`, a pickle of names and shapes, beside one file
of raw numbers for every tensor. A pickle may call whatever it likes; this one may
build tensors and dictionaries, and nothing else.
"""

import collections
import pickle
import zipfile

import numpy as np

DTYPES = {
    "DoubleStorage": "<f8",
    "FloatStorage": "<f4",
    "HalfStorage": "<f2",
    "LongStorage": "<i8",
    "IntStorage": "<i4",
    "ShortStorage": "<i2",
    "CharStorage": "<i1",
    "ByteStorage": "<u1",
    "BoolStorage": "?",
}


def read_state_dict(path):
    """The tensors of a state dict, as NumPy arrays.

    Args:
        path: of a zip file that `torch.save` wrote (torch 1.6, 2020, and later).

    Returns:
        A dict from names to arrays.

    Raises:
        ValueError: if the file holds anything else. A broken file may raise whatever
            `zipfile` and `pickle` do.
    """
    with zipfile.ZipFile(path) as archive:
        pickles = [n for n in archive.namelist() if n.endswith("data.pkl")]
        if len(pickles) != 1:
            raise ValueError("no data.pkl inside")
        with archive.open(pickles[0]) as file:
            state = _Unpickler(file, archive, pickles[0].removesuffix(".pkl")).load()
    if not isinstance(state, dict) or not all(
        isinstance(tensor, np.ndarray) for tensor in state.values()
    ):
        raise ValueError("no dictionary of tensors")
    return dict(state)


class _Unpickler(pickle.Unpickler):
    def __init__(self, file, archive, folder):
        super().__init__(file)
        self._archive = archive
        self._folder = folder

    def find_class(self, module, name):
        if (module, name) == ("collections", "OrderedDict"):
            return collections.OrderedDict
        if (module, name) == ("torch._utils", "_rebuild_tensor_v2"):
            return _tensor
        if module == "torch" and name in DTYPES:
            return np.dtype(DTYPES[name])
        raise ValueError(f"it holds {module}.{name}")

    def persistent_load(self, reference):
        _, dtype, key, _, size = reference
        return np.frombuffer(self._archive.read(f"{self._folder}/{key}"), dtype, size)


def _tensor(storage, offset, shape, strides, *_):
    """A tensor is a view on a row of numbers; the array has its own copy."""
    steps = [step * storage.itemsize for step in strides]
    last = offset + sum((n - 1) * s for n, s in zip(shape, strides, strict=True))
    if 0 in shape:
        return np.zeros(shape, storage.dtype)
    if min(strides, default=0) < 0 or offset < 0 or last >= len(storage):
        raise ValueError("a tensor reaches beyond its numbers")
    return np.lib.stride_tricks.as_strided(storage[offset:], shape, steps).copy()
