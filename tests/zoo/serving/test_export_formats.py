"""Every registered model in every format, run where this package is not.

All files of a format are run in one process, by a script of this test's own. With
FULL_SIZES=1 the models have the sizes of their cards (`make test-export`).
"""

import os
import subprocess
import sys

import keras
import numpy as np
import pytest
from small_models import MODELS, build, draw_again
from tensorflow.core.protobuf import saved_model_pb2

import zoo
from zoo.serving import _writers
from zoo.serving._saved_model import write_saved_model
from zoo.serving.formats import FORMATS

FULL_SIZES = bool(os.environ.get("FULL_SIZES"))
BATCHES = (1, 3, 8)
# Largest difference, as a part of the spread of the logits.
BOUNDS = {"saved_model": 1e-5, "keras": 1e-5}
OTHERS = 1e-4

HEAD = """
import sys
sys.modules["zoo"] = None  # any import of it fails
import numpy
"""
TAIL = """
for line in sys.stdin:  # a path, and on how many batches to run what is there
    path, count = line.rstrip("\\n").split("\\t")
    run = load(path)
    for index in range(int(count)):
        outputs = run(numpy.load(f"{path}.{index}.npy"))
        numpy.save(f"{path}.{index}.out.npy", outputs)
    print("done", flush=True)
"""
LOADERS = {
    "saved_model": """
import tensorflow
def load(path):
    model = tensorflow.saved_model.load(path)
    serve = model.signatures["serving_default"]
    (key,) = serve.structured_input_signature[1]
    def run(inputs, model=model):
        (output,) = serve(**{key: tensorflow.constant(inputs)}).values()
        return output.numpy()
    return run
""",
    "keras": """
import keras
def load(path):
    model = keras.saving.load_model(path)
    return lambda inputs: model.predict_on_batch(inputs)
""",
    "onnx": """
import onnxruntime
def load(path):
    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    return lambda inputs: session.run(None, {session.get_inputs()[0].name: inputs})[0]
""",
    "openvino": """
import openvino
def load(path):
    settings = {"INFERENCE_PRECISION_HINT": "f32"}
    model = openvino.Core().compile_model(path + "/model.xml", "CPU", settings)
    return lambda inputs: model([inputs])[0]
""",
    "litert": """
from ai_edge_litert.interpreter import Interpreter
def load(path):
    run = Interpreter(path).get_signature_runner()
    (key,) = run.get_input_details()
    return lambda inputs: next(iter(run(**{key: inputs}).values()))
""",
}
WRITERS = {
    "saved_model": write_saved_model,
    "keras": _writers.write_keras,
    "onnx": _writers.write_onnx,
    "openvino": _writers.write_openvino,
    "litert": _writers.write_litert,
}


class Runtime:
    """A process that runs what was written in one format, and knows nothing of us."""

    def __init__(self, name):
        self._process = subprocess.Popen(
            [sys.executable, "-I", "-c", HEAD + LOADERS[name] + TAIL],
            env={**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3"},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def run(self, path, batches):
        for index, batch in enumerate(batches):
            np.save(f"{path}.{index}.npy", batch)
        self._process.stdin.write(f"{path}\t{len(batches)}\n")
        self._process.stdin.flush()
        assert self._process.stdout.readline() == "done\n"
        return [np.load(f"{path}.{index}.out.npy") for index in range(len(batches))]

    def end(self):
        self._process.stdin.close()
        self._process.wait()
        self._process.stdout.close()


@pytest.fixture(scope="module")
def runtimes():
    """One process a format, started when it is first asked for.

    TensorFlow gives little memory back: at full sizes each file gets its own process.
    """
    started = {}

    def runtime(name):
        while FULL_SIZES and started:
            started.popitem()[1].end()
        if name not in started:
            started[name] = Runtime(name)
        return started[name]

    yield runtime
    for each in started.values():
        each.end()


@pytest.fixture(scope="module")
def made():
    """The last model that was built, plain, with inputs and its answers to them."""
    return {}


def examples(name, made):
    if name not in made:
        made.clear()
        keras.backend.clear_session()
        create = zoo.create_model if FULL_SIZES else build
        model = create(name, classifier_activation=None)
        draw_again(model)
        rng = np.random.default_rng(0)
        shape = model.input_shape[1:]
        batches = [
            rng.standard_normal((size, *shape)).astype("float32") for size in BATCHES
        ]
        answers = [model.predict_on_batch(batch) for batch in batches]
        made[name] = zoo.to_plain(model), batches, answers
    return made[name]


@pytest.mark.parametrize("format", WRITERS)
@pytest.mark.parametrize("name", MODELS)
def test_it_equals_the_model(name, format, made, runtimes, tmp_path):
    model, batches, expected = examples(name, made)
    path = tmp_path / f"{name}{FORMATS[format].suffix or ''}"
    WRITERS[format](model, path)
    if format == "saved_model":
        assert not needs_xla(path)
    found = runtimes(format).run(path, batches)
    spread = np.concatenate(expected).std()
    for wanted, outputs in zip(expected, found, strict=True):
        assert outputs.shape == wanted.shape
        difference = np.abs(outputs - wanted).max() / spread
        assert difference < BOUNDS.get(format, OTHERS)


def needs_xla(path):
    saved = saved_model_pb2.SavedModel()
    saved.ParseFromString((path / "saved_model.pb").read_bytes())
    graph = saved.meta_graphs[0].graph_def
    nodes = [*graph.node]
    for function in graph.library.function:
        nodes += [function, *function.node_def]
    return any(
        node.attr["_XlaMustCompile"].b or getattr(node, "op", "").startswith("Xla")
        for node in nodes
    )


def test_convolutions_in_groups_need_no_xla(tmp_path):
    """The control: Keras's own export of such a net does."""
    image = keras.Input((9, 9, 4), name="image")
    model = keras.Model(image, keras.layers.Conv2D(6, 3, groups=2)(image))
    model.export(str(tmp_path / "keras"), verbose=False)
    write_saved_model(zoo.to_plain(model), tmp_path / "ours")
    assert needs_xla(tmp_path / "keras")
    assert not needs_xla(tmp_path / "ours")
