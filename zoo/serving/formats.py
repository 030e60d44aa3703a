"""The formats that `zoo.export` writes, and what each of them needs."""

import importlib.util
from dataclasses import dataclass


@dataclass(frozen=True)
class Format:
    """One format.

    Args:
        name: as `zoo.export` takes it.
        file: name of the file in a version's folder; None for a format that is one
            file, wherever the user says.
        suffix: of that one file.
        modules: packages that writing and running it take, beside TensorFlow.
        bound: how far the outputs may lie from the model's, as a part of the largest.
    """

    name: str
    modules: tuple
    bound: float
    file: str | None = None
    suffix: str | None = None

    @property
    def is_versioned(self):
        """Whether it is written as `path/1/`, `path/2/`, ... as servers want it."""
        return self.file is not None


FORMATS = {
    each.name: each
    for each in (
        Format("saved_model", (), 1e-5, file="saved_model.pb"),
        Format("openvino", ("openvino",), 1e-4, file="model.xml"),
        Format("onnx", ("onnx", "onnxruntime", "tf2onnx"), 1e-4, suffix=".onnx"),
        Format("litert", ("ai_edge_litert",), 1e-4, suffix=".tflite"),
        Format("keras", (), 1e-5, suffix=".keras"),
    )
}


def find_format(name):
    """The format of a name, if what it needs is installed.

    Raises:
        ValueError: for an unknown name, or naming the extra to install.
    """
    if name not in FORMATS:
        raise ValueError(
            f"`format` must be one of {', '.join(FORMATS)}. Received: format={name!r}"
        )
    missing = [m for m in FORMATS[name].modules if not importlib.util.find_spec(m)]
    if missing:
        raise ValueError(
            f"The format {name} needs {', '.join(missing)}, not installed here: "
            f'pip install "convzoo[{name}]"'
        )
    return FORMATS[name]
