"""10,000 requests from 8 clients to `zoo serve`, 1 in 100 of them bad.

    python benchmarks/serving.py > benchmarks/results/serving.txt

A p4cnn and an m5 are exported and served; half of the requests go over REST, half over
gRPC, arrays and encoded files, of 1 or 3 examples. Every answer is compared with
`model.predict`, every bad request must be answered with a 4xx (INVALID_ARGUMENT or
NOT_FOUND), and the server must be there at the end. Latency is what a client sees.
Beside it: the same SavedModels called in a bare loop, with no server.
"""

import base64
import contextlib
import io
import json
import os
import platform
import random
import signal
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

import grpc
import keras
import numpy as np
import requests
import soundfile
import tensorflow as tf
from mlserver.grpc import dataplane_pb2 as messages
from mlserver.grpc import dataplane_pb2_grpc
from PIL import Image

import zoo

REQUESTS, CLIENTS, BAD = 10_000, 8, 100
HTTP_PORT, GRPC_PORT = 18_080, 18_081
TOLERANCE = 1e-5
NAMES = ("p4cnn", "m5")


class Example:
    """One request that is right, in both protocols, and its answer."""

    def __init__(self, model, inputs, name, datatype, shape, data, raw):
        self.expected = model.predict(inputs, verbose=0)
        self.inputs = inputs
        self.model = model.name
        given = {"name": name, "datatype": datatype, "shape": shape, "data": data}
        self.json = json.dumps({"inputs": [given]})
        tensor = messages.ModelInferRequest.InferInputTensor(
            name=name, datatype=datatype, shape=shape
        )
        self.message = messages.ModelInferRequest(
            model_name=model.name, inputs=[tensor]
        )
        if raw is None:
            self.message.inputs[0].contents.fp32_contents.extend(data)
        else:
            self.message.inputs[0].contents.bytes_contents.extend(raw)


def array_example(model, rng, batch):
    inputs = rng.standard_normal((batch, *model.input_shape[1:])).astype("float32")
    name, shape = model.input.name, list(inputs.shape)
    return Example(model, inputs, name, "FP32", shape, inputs.ravel().tolist(), None)


def file_example(model, rng, batch):
    """PNG or WAV files, and what the model takes them for."""
    files, inputs = [], []
    for _ in range(batch):
        file = io.BytesIO()
        if len(model.input_shape) == 4:
            pixels = rng.integers(0, 256, model.input_shape[1:3], np.uint8)
            Image.fromarray(pixels).save(file, "PNG")
            inputs.append(pixels[..., np.newaxis] / np.float32(255))
        else:
            rate = zoo.card(model.name).sample_rate
            sound = rng.uniform(-0.5, 0.5, model.input_shape[1])
            soundfile.write(file, sound, rate, format="WAV", subtype="PCM_16")
            sound, _ = soundfile.read(io.BytesIO(file.getvalue()), dtype="float32")
            inputs.append(sound[:, np.newaxis])
        files.append(file.getvalue())
    inputs = zoo.preprocess_input(np.stack(inputs), zoo.card(model.name))
    name = f"{model.input.name}_bytes"
    text = [base64.b64encode(file).decode() for file in files]
    return Example(model, inputs, name, "BYTES", [batch], text, files)


def bad_requests(model):
    """(JSON or bytes, message) pairs, each wrong in one way."""
    name, shape = model.input.name, [1, *model.input_shape[1:]]
    zeros = [0.0] * int(np.prod(shape))

    def both(name=name, datatype="FP32", shape=shape, data=zeros, model=model.name):
        given = {"name": name, "datatype": datatype, "shape": shape, "data": data}
        message = messages.ModelInferRequest(model_name=model)
        tensor = message.inputs.add(name=name, datatype=datatype, shape=shape)
        if datatype == "BYTES":
            tensor.contents.bytes_contents.extend(data)
            given["data"] = [base64.b64encode(file).decode() for file in data]
        else:
            tensor.contents.fp32_contents.extend(data)
        return model, json.dumps({"inputs": [given]}), message

    file = f"{name}_bytes"
    empty = messages.ModelInferRequest(model_name=model.name)
    return [
        both(name="nothing_of_the_kind"),
        both(shape=[1, 3]),
        both(shape=[2, *shape[1:]]),
        both(datatype="INT64"),
        both(data=[float("nan"), *zeros[1:]]),
        both(data=zeros[1:]),
        both(name=file, datatype="BYTES", shape=[1], data=[b"\x89PNG RIFF broken"]),
        both(name=file, datatype="BYTES", shape=[1], data=[os.urandom(10_000_000)]),
        both(model="no_such_model"),
        (model.name, os.urandom(10_000_000), empty),
        (model.name, "{}", empty),
    ]


class Client(threading.local):
    """One connection of each kind for each thread."""

    def __init__(self):
        self.http = requests.Session()
        channel = grpc.insecure_channel(f"127.0.0.1:{GRPC_PORT}")
        self.grpc = dataplane_pb2_grpc.GRPCInferenceServiceStub(channel)

    def rest(self, model, body):
        url = f"http://127.0.0.1:{HTTP_PORT}/v2/models/{model}/infer"
        headers = {"Content-Type": "application/json"}
        return self.http.post(url, data=body, headers=headers, timeout=120)

    def is_answered(self, example, is_rest):
        """Whether the answer is that of the model."""
        if is_rest:
            response = self.rest(example.model, example.json)
            found = next(
                each["data"]
                for each in response.json()["outputs"]
                if each["name"] != "label"
            )
        else:
            response = self.grpc.ModelInfer(example.message)
            found = next(
                each.contents.fp32_contents
                for each in response.outputs
                if each.name != "label"
            )
        found = np.reshape(found, example.expected.shape)
        return np.abs(found - example.expected).max() < TOLERANCE

    def is_refused(self, model, body, message, is_rest):
        if is_rest:
            return 400 <= self.rest(model, body).status_code < 500
        try:
            self.grpc.ModelInfer(message)
        except grpc.RpcError as error:
            refusals = grpc.StatusCode.INVALID_ARGUMENT, grpc.StatusCode.NOT_FOUND
            return error.code() in refusals
        return False


@contextlib.contextmanager
def server(folder):
    program = "from zoo.cli import main; main()"
    process = subprocess.Popen(
        [sys.executable, "-c", program, "serve", str(folder)]
        + ["--http-port", str(HTTP_PORT), "--grpc-port", str(GRPC_PORT)],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        while not is_ready():
            if process.poll() is not None:
                raise SystemExit("The server ended before it was ready.")
            time.sleep(0.5)
        yield process
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait()


def is_ready():
    with contextlib.suppress(requests.ConnectionError):
        return all(
            requests.get(
                f"http://127.0.0.1:{HTTP_PORT}/v2/models/{name}/ready", timeout=5
            ).ok
            for name in NAMES
        )
    return False


def main():
    rng = np.random.default_rng(0)
    keras.utils.set_random_seed(0)
    models = {"p4cnn": zoo.p4cnn(), "m5": zoo.m5(input_shape=(8000, 1))}
    examples = {
        name: [
            make(model, rng, batch)
            for batch in (1, 1, 1, 3)
            for make in (array_example, file_example)
            for _ in range(5)
        ]
        for name, model in models.items()
    }
    print(
        f"{platform.machine()}, {os.cpu_count()} cores for clients and server, "
        f"TensorFlow {tf.__version__}, Keras {keras.__version__}\n"
    )
    with tempfile.TemporaryDirectory() as folder:
        for name, model in models.items():
            zoo.export(model, Path(folder, name))
        with server(folder) as process:
            failed = all_requests(models, examples)
            ended = process.poll() is not None
        print(f"server at the end: {'ended' if ended else 'running'}\n")
        for name in models:
            bare_loop(Path(folder, name, "1"), name, examples[name])
    if failed or ended:
        raise SystemExit("The server misses what it promises.")


def all_requests(models, examples):
    """Sends everything in random order; the number of those that went wrong."""
    draw = random.Random(0)
    tasks = []
    for index in range(REQUESTS):
        name, is_rest = NAMES[index % 2], index // 2 % 2 == 0
        if index < BAD:
            bad = bad_requests(models[name])
            tasks.append((name, is_rest, None, bad[index // 4 % len(bad)]))
        else:
            tasks.append((name, is_rest, draw.choice(examples[name]), None))
    draw.shuffle(tasks)
    client = Client()

    def run(task):
        name, is_rest, example, bad = task
        start = time.perf_counter()
        try:
            if bad is None:
                right = client.is_answered(example, is_rest)
            else:
                right = client.is_refused(*bad, is_rest)
        except Exception as error:
            kind = "good" if bad is None else "bad"
            print(f"{kind}, {name}, REST {is_rest}: {error!r}", file=sys.stderr)
            right = False
        return name, is_rest, bad is not None, right, time.perf_counter() - start

    start = time.perf_counter()
    with ThreadPoolExecutor(CLIENTS) as pool:
        results = list(pool.map(run, tasks))
    wall = time.perf_counter() - start
    good = [each for each in results if not each[2]]
    refused = [each for each in results if each[2]]
    wrong = sum(not each[3] for each in good)
    taken = sum(not each[3] for each in refused)
    rate = len(results) / wall
    print(f"{len(results)} requests, {CLIENTS} clients, {rate:.0f} a second")
    print(f"good: {len(good)}, wrong answers: {wrong}")
    print(f"bad: {len(refused)}, not answered with a 4xx: {taken}")
    print("\nlatency of good requests, ms       median    95 %    99 %")
    for name in NAMES:
        for is_rest, protocol in ((True, "REST"), (False, "gRPC")):
            times = [each[4] for each in good if each[:2] == (name, is_rest)]
            cuts = statistics.quantiles(times, n=100)
            row = "".join(f"{1e3 * cuts[at - 1]:8.1f}" for at in (50, 95, 99))
            print(f"{name:6} {protocol:4} {CLIENTS} clients             {row}")
    return wrong + taken


def bare_loop(path, name, examples):
    """One thread and the SavedModel, no server."""
    loaded = tf.saved_model.load(str(path))
    serve = loaded.signatures["serving_default"]
    (key,) = serve.structured_input_signature[1]
    inputs = [tf.constant(example.inputs) for example in examples]
    times = []
    for index in range(2000):
        start = time.perf_counter()
        next(iter(serve(**{key: inputs[index % len(inputs)]}).values())).numpy()
        times.append(time.perf_counter() - start)
    cuts = statistics.quantiles(times[100:], n=100)
    row = "".join(f"{1e3 * cuts[at - 1]:8.1f}" for at in (50, 95, 99))
    rate = 1 / statistics.mean(times[100:])
    print(f"{name:6} bare loop, one thread       {row}   {rate:.0f} a second")


if __name__ == "__main__":
    main()
