"""`zoo serve`: MLServer answers over REST and gRPC what the models answer."""

import base64
import io
import json
import os
import signal
import socket
import subprocess
import sys
import time

import image_files
import numpy as np
import pytest
import requests
import soundfile
from PIL import Image
from small_models import build, draw_again, noise

import zoo
from zoo.serving._saved_model import write_saved_model

grpc = pytest.importorskip("grpc", reason="needs the extra serve")
pytest.importorskip("mlserver", reason="needs the extra serve, Python below 3.13")

NAMES = ("p4cnn", "m5")


def free_ports():
    """Three in a row: REST, gRPC, metrics."""
    for first in range(20_000 + os.getpid() % 20_000, 60_000, 3):
        with socket.socket() as one, socket.socket() as two, socket.socket() as three:
            try:
                for port, probe in enumerate((one, two, three), first):
                    probe.bind(("127.0.0.1", port))
                return first
            except OSError:
                continue
    raise AssertionError("no free ports")


@pytest.fixture(scope="module")
def models():
    models = {name: build(name) for name in NAMES}
    for model in models.values():
        draw_again(model)
    return models


def fitting_card(name):
    card = zoo.card(name)
    labels = tuple(f"class {index}" for index in range(card.classes))
    return card.__class__(**{**vars(card), "labels": labels})


@pytest.fixture(scope="module")
def port(models, tmp_path_factory):
    folder = tmp_path_factory.mktemp("served")
    for name, model in models.items():
        write_saved_model(model, folder / name / "1", fitting_card(name), name, 1)
    first = free_ports()
    program = "from zoo.cli import main; main()"
    process = subprocess.Popen(
        [sys.executable, "-c", program, "serve", str(folder)]
        + ["--http-port", str(first), "--grpc-port", str(first + 1)],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        wait_until_ready(process, first)
        yield first
        assert process.poll() is None, "the server has ended"
    finally:
        process.send_signal(signal.SIGTERM)
        process.communicate(timeout=60)


def wait_until_ready(process, port):
    deadline = time.monotonic() + 120
    while time.monotonic() < deadline:
        assert process.poll() is None, process.stderr.read()
        try:
            if all(
                requests.get(
                    f"http://127.0.0.1:{port}/v2/models/{name}/ready", timeout=5
                ).ok
                for name in NAMES
            ):
                return
        except requests.ConnectionError:
            pass
        time.sleep(0.2)
    raise AssertionError("the server does not get ready")


def post(port, name, content, version=""):
    url = f"http://127.0.0.1:{port}/v2/models/{name}{version}/infer"
    body = content if isinstance(content, bytes) else json.dumps(content).encode()
    headers = {"Content-Type": "application/json"}
    return requests.post(url, data=body, headers=headers, timeout=60)


def tensor(name, datatype, shape, data):
    return {"name": name, "datatype": datatype, "shape": list(shape), "data": data}


def outputs_of(response):
    assert response.status_code == 200, response.text
    return {
        output["name"]: np.reshape(output["data"], output["shape"])
        for output in response.json()["outputs"]
    }


@pytest.fixture(scope="module")
def stub(port):
    from mlserver.grpc import dataplane_pb2_grpc

    with grpc.insecure_channel(f"127.0.0.1:{port + 1}") as channel:
        yield dataplane_pb2_grpc.GRPCInferenceServiceStub(channel)


def grpc_request(name, input_name, datatype, shape, raw=None, **contents):
    from mlserver.grpc import dataplane_pb2 as messages

    given = messages.ModelInferRequest.InferInputTensor(
        name=input_name, datatype=datatype, shape=list(shape)
    )
    for field, values in contents.items():
        getattr(given.contents, field).extend(values)
    return messages.ModelInferRequest(
        model_name=name,
        inputs=[given],
        raw_input_contents=[] if raw is None else [raw],
    )


@pytest.mark.parametrize("batch", [1, 3])
@pytest.mark.parametrize("name", NAMES)
def test_answers_equal_predict(port, stub, models, name, batch):
    model = models[name]
    inputs = noise(model, batch, seed=batch)
    expected = model.predict(inputs, verbose=0)
    request = {
        "inputs": [
            tensor(model.input.name, "FP32", inputs.shape, inputs.ravel().tolist())
        ]
    }
    for version in ("", "/versions/1"):
        outputs = outputs_of(post(port, name, request, version))
        np.testing.assert_allclose(outputs["probabilities"], expected, atol=1e-6)
    nested = {
        "inputs": [tensor(model.input.name, "FP32", inputs.shape, inputs.tolist())]
    }
    outputs = outputs_of(post(port, name, nested))
    np.testing.assert_allclose(outputs["probabilities"], expected, atol=1e-6)
    given = name, model.input.name, "FP32", inputs.shape
    for request in (
        grpc_request(*given, fp32_contents=inputs.ravel().tolist()),
        grpc_request(*given, raw=inputs.tobytes()),
    ):
        response = stub.ModelInfer(request)
        (output,) = response.outputs
        assert (output.name, output.datatype) == ("probabilities", "FP32")
        found = output.contents.fp32_contents
        if response.raw_output_contents:  # as the request was
            found = np.frombuffer(response.raw_output_contents[0], "float32")
        found = np.reshape(found, output.shape)
        np.testing.assert_allclose(found, expected, atol=1e-6)


def encoded_example(name, model):
    """A file, and the model's answer to what is in it."""
    rng, file = np.random.default_rng(1), io.BytesIO()
    _, *shape = model.input_shape
    if name == "p4cnn":
        pixels = rng.integers(0, 256, shape[:2], np.uint8)
        Image.fromarray(pixels).save(file, "PNG")
        inputs = pixels[np.newaxis, ..., np.newaxis] / np.float32(255)
    else:
        sound = rng.uniform(-0.5, 0.5, shape[0])
        soundfile.write(file, sound, zoo.card(name).sample_rate, format="WAV")
        read, _ = soundfile.read(io.BytesIO(file.getvalue()), dtype="float32")
        inputs = read[np.newaxis, :, np.newaxis]
    inputs = zoo.preprocess_input(inputs, zoo.card(name))
    return file.getvalue(), model.predict(inputs, verbose=0)


@pytest.mark.parametrize("name", NAMES)
def test_encoded_files(port, stub, models, name):
    file, expected = encoded_example(name, models[name])
    input_name = f"{models[name].input.name}_bytes"
    text = base64.b64encode(file).decode()
    given = tensor(input_name, "BYTES", [2], [text, text])
    outputs = outputs_of(post(port, name, {"inputs": [given]}))
    for row in outputs["probabilities"]:
        np.testing.assert_allclose(row, expected[0], atol=1e-6)
    assert outputs["label"].tolist() == [f"class {expected.argmax()}"] * 2
    only = {"inputs": [given], "outputs": [{"name": "label"}]}
    assert list(outputs_of(post(port, name, only))) == ["label"]
    request = grpc_request(name, input_name, "BYTES", [1], bytes_contents=[file])
    outputs = {each.name: each for each in stub.ModelInfer(request).outputs}
    found = list(outputs["probabilities"].contents.fp32_contents)
    np.testing.assert_allclose(found, expected[0], atol=1e-6)


def test_metadata(port):
    url = f"http://127.0.0.1:{port}/v2/models/p4cnn"
    metadata = requests.get(url, timeout=10).json()
    assert metadata["platform"] == "tensorflow_savedmodel"
    assert [each["name"] for each in metadata["inputs"]] == ["image", "image_bytes"]
    assert metadata["outputs"][0]["shape"] == [-1, 10]


ZEROS = [0.0] * 784
IMAGE = (1, 28, 28, 1)
BAD = {
    "no_json": b"no json",
    "nonsense_of_10_MB": os.urandom(10_000_000),
    "text_of_10_MB": json.dumps("a" * 10_000_000).encode(),
    "nothing": {},
    "no_input": {"inputs": []},
    "two_inputs": {"inputs": 2 * [tensor("image", "FP32", IMAGE, ZEROS)]},
    "another_name": {"inputs": [tensor("picture", "FP32", IMAGE, ZEROS)]},
    "another_type": {"inputs": [tensor("image", "INT64", IMAGE, [0] * 784)]},
    "unknown_type": {"inputs": [tensor("image", "FLOAT", IMAGE, ZEROS)]},
    "another_size": {"inputs": [tensor("image", "FP32", (1, 27, 28, 1), ZEROS[:756])]},
    "another_rank": {"inputs": [tensor("image", "FP32", (28, 28, 1), ZEROS)]},
    "negative_shape": {"inputs": [tensor("image", "FP32", (-1, 28, 28, 1), ZEROS)]},
    "no_example": {"inputs": [tensor("image", "FP32", (0, 28, 28, 1), [])]},
    "too_few_numbers": {"inputs": [tensor("image", "FP32", IMAGE, ZEROS[1:])]},
    "huge_shape": {"inputs": [tensor("image", "FP32", (10**12, 28, 28, 1), ZEROS)]},
    "text": {"inputs": [tensor("image", "FP32", IMAGE, ["a"] * 784)]},
    "null": {"inputs": [tensor("image", "FP32", IMAGE, [None, *ZEROS[1:]])]},
    "not_a_number": {"inputs": [tensor("image", "FP32", IMAGE, [np.nan, *ZEROS[1:]])]},
    "infinite": {"inputs": [tensor("image", "FP32", IMAGE, [1e300, *ZEROS[1:]])]},
    "ragged": {"inputs": [tensor("image", "FP32", IMAGE, [ZEROS, [1.0]])]},
    "content_type": {
        "inputs": [
            {
                **tensor("image", "FP32", IMAGE, ZEROS),
                "parameters": {"content_type": "pd"},
            }
        ]
    },
    "unknown_output": {
        "inputs": [tensor("image", "FP32", IMAGE, ZEROS)],
        "outputs": [{"name": "logits"}],
    },
    "no_base64": {"inputs": [tensor("image_bytes", "BYTES", [1], ["§§"])]},
    "broken_png": {
        "inputs": [
            tensor(
                *("image_bytes", "BYTES", [1]),
                [base64.b64encode(b"\x89PNG\r\n\x1a\n broken").decode()],
            )
        ]
    },
    "nonsense_as_png": {
        "inputs": [
            tensor(
                *("image_bytes", "BYTES", [1]),
                [base64.b64encode(os.urandom(3_000_000)).decode()],
            )
        ]
    },
}


@pytest.mark.parametrize("fault", BAD)
def test_bad_requests_are_answered_with_a_sentence(port, fault):
    response = post(port, "p4cnn", BAD[fault])
    assert 400 <= response.status_code < 500, response.text
    answer = response.json()
    said = answer.get("error") or answer["detail"]
    assert said and "Traceback" not in str(said)
    assert len(str(said)) < 600
    # The server goes on.
    good = {"inputs": [tensor("image", "FP32", IMAGE, ZEROS)]}
    assert outputs_of(post(port, "p4cnn", good))["probabilities"].shape == (1, 10)


@pytest.mark.parametrize(
    ("name", "file", "sentence"),
    [
        ("p4cnn", b"", "empty"),
        ("p4cnn", b"\x89PNG\r\n\x1a\n broken", "PNG"),
        ("p4cnn", image_files.animated("WEBP"), "animated"),
        ("m5", b"", "too short"),
        ("m5", b"\x89 no sound at all, \xff but longer than a header is", "read"),
        ("m5", b"RIFF0000WAVEfmt no sound either \xff\xff\xff\xff\xff", ""),
        ("m5", os.urandom(10_000_000), ""),
    ],
)
def test_what_is_wrong_with_a_file(port, stub, models, name, file, sentence):
    input_name = f"{models[name].input.name}_bytes"
    given = tensor(input_name, "BYTES", [1], [base64.b64encode(file).decode()])
    response = post(port, name, {"inputs": [given]})
    assert response.status_code == 400, response.text
    said = response.json()["error"].removeprefix(f"{input_name}: ")
    assert sentence in said and len(said) > 10 and "<" not in said
    request = grpc_request(name, input_name, "BYTES", [1], bytes_contents=[file])
    with pytest.raises(grpc.RpcError) as caught:
        stub.ModelInfer(request)
    assert caught.value.code() == grpc.StatusCode.INVALID_ARGUMENT
    assert said in caught.value.details()


def test_json_that_is_not_called_so(port):
    url = f"http://127.0.0.1:{port}/v2/models/p4cnn/infer"
    good = {"inputs": [tensor("image", "FP32", IMAGE, ZEROS)]}
    headers = {"Content-Type": "application/x-www-form-urlencoded"}  # as curl says
    body = json.dumps(good).encode()
    response = requests.post(url, data=body, headers=headers, timeout=10)
    assert response.status_code == 422
    assert "Content-Type: application/json" in response.text


def test_an_unknown_model(port):
    good = {"inputs": [tensor("image", "FP32", IMAGE, ZEROS)]}
    assert post(port, "vgg16", good).status_code == 404
    assert post(port, "p4cnn", good, "/versions/2").status_code == 404


GRPC_BAD = {
    "another_name": ("picture", "FP32", IMAGE, {"fp32_contents": ZEROS}),
    "another_type": ("image", "INT64", IMAGE, {"int64_contents": [0] * 784}),
    "unknown_type": ("image", "FLOAT", IMAGE, {"fp32_contents": ZEROS}),
    "another_size": ("image", "FP32", (1, 28, 28, 3), {"fp32_contents": ZEROS}),
    "not_a_number": ("image", "FP32", IMAGE, {"fp32_contents": [np.nan, *ZEROS[1:]]}),
    "too_few_bytes": ("image", "FP32", IMAGE, {"raw": b"123"}),
    "broken_png": ("image_bytes", "BYTES", [1], {"bytes_contents": [b"\x89PNG"]}),
    "nonsense": ("image_bytes", "BYTES", [1], {"bytes_contents": [bytes(10_000_000)]}),
}


@pytest.mark.parametrize("fault", GRPC_BAD)
def test_bad_messages_are_answered_with_a_sentence(stub, fault):
    *arguments, contents = GRPC_BAD[fault]
    with pytest.raises(grpc.RpcError) as caught:
        stub.ModelInfer(grpc_request("p4cnn", *arguments, **contents))
    assert caught.value.code() == grpc.StatusCode.INVALID_ARGUMENT
    assert caught.value.details() and "Traceback" not in caught.value.details()
    good = grpc_request("p4cnn", "image", "FP32", IMAGE, fp32_contents=ZEROS)
    assert len(stub.ModelInfer(good).outputs) == 1
