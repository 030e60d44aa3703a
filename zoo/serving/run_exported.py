import os
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np

from zoo.serving._places import newest_version
from zoo.serving.formats import find_format

# Each script defines `answer(inputs)`: a dictionary of arrays, by name of the output.
_RUNTIMES = {
    "saved_model": """
import tensorflow
serve = tensorflow.saved_model.load(path).signatures["serving_default"]
(name,) = serve.structured_input_signature[1]
def answer(inputs):
    found = serve(**{name: tensorflow.constant(inputs)})
    return {name: value.numpy() for name, value in found.items()}
""",
    "openvino": """
import openvino
# On some processors the plugin would pick bfloat16 by itself.
exact = {"INFERENCE_PRECISION_HINT": "f32"}
model = openvino.Core().compile_model(path + "/model.xml", "CPU", exact)
def answer(inputs):
    return {key.get_any_name(): value for key, value in model([inputs]).items()}
""",
    "onnx": """
import onnxruntime
session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
(asked,) = session.get_inputs()
names = [output.name for output in session.get_outputs()]
def answer(inputs):
    return dict(zip(names, session.run(names, {asked.name: inputs})))
""",
    "litert": """
from ai_edge_litert.interpreter import Interpreter
def answer(inputs):
    run = Interpreter(path).get_signature_runner("serving_default")
    (name,) = run.get_input_details()
    return run(**{name: inputs})
""",
    "keras": """
import keras
model = keras.saving.load_model(path, compile=False)
(name,) = model.output_names
def answer(inputs):
    return {name: model.predict_on_batch(inputs)}
""",
}
_RUN = """
import sys
import numpy
path, given, returned = sys.argv[1:]
{runtime}
with numpy.load(given) as batches:
    results = {{
        batch + "/" + name: value
        for batch in batches
        for name, value in answer(batches[batch]).items()
    }}
numpy.savez(returned, **results)
if "zoo" in sys.modules:
    sys.exit("this package was imported")
"""


def run_exported(path, batches, format="saved_model"):
    """Runs what `zoo.export` wrote in a process that never imports this package.

    It is the proof that an export stands by itself.

    Args:
        path: of the folder of versions (the newest is run), of one version, or of the
            file.
        batches: list of arrays of inputs, of the model's dtype.
        format: as `zoo.export` takes it.

    Returns:
        A list of dictionaries, one a batch: arrays by the names of the outputs.

    Raises:
        ValueError: if there is none, the other process fails, or had to import this
            package.

    Example:

    >>> import tempfile, zoo
    >>> model, path = zoo.p4cnn(), tempfile.mkdtemp() + "/p4cnn"
    >>> _ = zoo.export(model, path)
    >>> images = np.ones((2, 28, 28, 1), "float32")
    >>> (outputs,) = run_exported(path, [images])
    >>> expected = model.predict(images, verbose=0)
    >>> bool(np.allclose(outputs["probabilities"], expected, atol=1e-6))
    True
    """
    kind = find_format(format)
    path = newest_version(path, kind) if kind.is_versioned else Path(path)
    if not path.exists():
        raise ValueError(f"No {format} at {path}. Expected what `zoo.export` wrote.")
    script = _RUN.format(runtime=_RUNTIMES[format])
    with tempfile.TemporaryDirectory() as folder:
        given, returned = Path(folder, "inputs.npz"), Path(folder, "outputs.npz")
        np.savez(given, **{str(i): batch for i, batch in enumerate(batches)})
        done = subprocess.run(
            [sys.executable, "-I", "-c", script, str(path), str(given), str(returned)],
            env={**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3"},
            capture_output=True,
            text=True,
        )
        if done.returncode:
            lines = done.stderr.strip().splitlines() or [f"status {done.returncode}"]
            raise ValueError(
                f"{path} does not run as {format} in another process: {lines[-1]}. "
                f"Expected what `zoo.export` wrote."
            )
        results = [{} for _ in batches]
        with np.load(returned) as arrays:
            for key in arrays:
                index, name = key.split("/", 1)
                results[int(index)][name] = arrays[key]
    return results
