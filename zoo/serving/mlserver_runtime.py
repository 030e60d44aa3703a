"""How MLServer serves a SavedModel. Copied beside every one that `zoo.export` writes.

It needs MLServer and TensorFlow, and nothing of the package that wrote it. A request
that is wrong is answered 400 (INVALID_ARGUMENT over gRPC) with a sentence, and none of
them reaches the model.
"""

import asyncio
import base64
import binascii

import numpy as np
import tensorflow as tf
from fastapi.exceptions import RequestValidationError
from mlserver import MLModel
from mlserver.codecs import NumpyCodec
from mlserver.errors import InferenceError
from mlserver.grpc.converters import ModelInferRequestConverter
from mlserver.types import InferenceResponse, ResponseOutput
from mlserver.utils import get_model_uri

SIGNATURES = ("serving_default", "serve_bytes")
DATATYPES = {
    tf.float16: "FP16",
    tf.float32: "FP32",
    tf.float64: "FP64",
    tf.int32: "INT32",
    tf.int64: "INT64",
    tf.uint8: "UINT8",
    tf.string: "BYTES",
}
# How lines of TensorFlow's messages start that say where, and not what.
NO_SENTENCE = ("Graph", "Detected", "(", "<", "[")
CONTENT_TYPES = (None, "np", "base64")


class SavedModelRuntime(MLModel):
    """Answers from the signature whose input the request names."""

    async def load(self):
        folder = await get_model_uri(self.settings)
        # The signatures live as long as the model that they belong to.
        self._saved_model = await asyncio.to_thread(tf.saved_model.load, folder)
        self._by_input = {}
        for name in SIGNATURES:
            signature = self._saved_model.signatures.get(name)
            if signature is not None:
                (key,) = signature.structured_input_signature[1]
                self._by_input[key] = signature
        return True

    async def predict(self, payload):
        given, signature, value = self._read(payload)
        try:
            # Beside the event loop, which takes the next request meanwhile.
            outputs = await asyncio.to_thread(signature, **{given.name: value})
        except tf.errors.InvalidArgumentError as error:
            raise InferenceError(f"{given.name}: {_first_line(error)}") from error
        except UnicodeDecodeError as error:  # a message that quotes the file's bytes
            raise InferenceError(f"{given.name}: the file can't be read") from error
        outputs = {name: output.numpy() for name, output in outputs.items()}
        return InferenceResponse(
            model_name=self.name,
            model_version=self.version,
            outputs=[
                _encode(name, outputs[name]) for name in self._asked(payload, outputs)
            ],
        )

    def _read(self, payload):
        """The one input of a request, its signature, and its value as a tensor."""
        names = " or ".join(self._by_input)
        if len(payload.inputs) != 1:
            raise InferenceError(
                f"expected one input, {names}; received {len(payload.inputs)}"
            )
        (given,) = payload.inputs
        if given.name not in self._by_input:
            raise InferenceError(f"expected the input {names}; received {given.name!r}")
        signature = self._by_input[given.name]
        expected = signature.structured_input_signature[1][given.name]
        datatype = DATATYPES[expected.dtype]
        received = getattr(given.datatype, "value", given.datatype)
        if received != datatype:
            raise InferenceError(
                f"{given.name}: expected datatype {datatype}; received {received}"
            )
        content_type = getattr(given.parameters, "content_type", None)
        if content_type not in CONTENT_TYPES:
            raise InferenceError(
                f"{given.name}: expected no content_type, or one of "
                f"{', '.join(CONTENT_TYPES[1:])}; received {content_type!r}"
            )
        data = getattr(given.data, "root", given.data)
        read = _read_files if expected.dtype == tf.string else _read_numbers
        value = read(given.name, data, given.shape, expected)
        return given, signature, tf.constant(value, expected.dtype)

    def _asked(self, payload, outputs):
        if not payload.outputs:
            return list(outputs)
        asked = [output.name for output in payload.outputs]
        for name in asked:
            if name not in outputs:
                raise InferenceError(
                    f"expected outputs of {', '.join(outputs)}; received {name!r}"
                )
        return asked


def _read_numbers(name, data, shape, expected):
    fits = len(shape) == len(expected.shape) and all(
        wanted in (None, size)
        for size, wanted in zip(shape, expected.shape.as_list(), strict=True)
    )
    if not fits or min(shape) < 1:
        wanted = [-1 if size is None else size for size in expected.shape.as_list()]
        raise InferenceError(
            f"{name}: expected shape {wanted}, -1 being any number from 1; "
            f"received {list(shape)}"
        )
    try:
        values = np.array(data)
    except ValueError:  # rows of different lengths
        values = np.array([], object)
    if values.dtype.kind not in "iuf":
        raise InferenceError(f"{name}: expected numbers only, and no null")
    if values.size != np.prod(shape, dtype=object):
        raise InferenceError(
            f"{name}: shape {list(shape)} takes {np.prod(shape, dtype=object)} "
            f"numbers; received {values.size}"
        )
    dtype = expected.dtype.as_numpy_dtype
    with np.errstate(over="ignore", invalid="ignore"):
        converted = values.astype(dtype).reshape(shape)
    if not np.isfinite(converted).all():
        raise InferenceError(f"{name}: a number is NaN, infinite or too large")
    if expected.dtype.is_integer and (converted.ravel() != values.ravel()).any():
        raise InferenceError(f"{name}: expected whole numbers in range")
    return converted


def _read_files(name, data, shape, expected):
    """Bytes over gRPC; over REST, which is text, base64."""
    files = data if isinstance(data, list) else [data]
    if len(shape) != 1 or shape[0] < 1 or len(files) != shape[0]:
        raise InferenceError(
            f"{name}: expected shape [n] with n encoded files; received shape "
            f"{list(shape)} with {len(files)}"
        )
    return [_bytes(name, file) for file in files]


def _bytes(name, file):
    if isinstance(file, bytes):
        return file
    try:
        return base64.b64decode(file, validate=True)
    except (TypeError, ValueError, binascii.Error) as error:
        raise InferenceError(f"{name}: expected files in base64; {error}") from error


def _encode(name, values):
    if values.dtype.kind in "OSU":
        return ResponseOutput(
            name=name, shape=values.shape, datatype="BYTES", data=values.tolist()
        )
    return NumpyCodec.encode_output(name, values)


def _first_line(error):
    """What a person can use of TensorFlow's message."""
    lines = [line.strip() for line in error.message.splitlines() if line.strip()]
    lines = [line for line in lines if not line.startswith(NO_SENTENCE)]
    text = lines[0] if lines else "not what the model takes"
    return text.split("[[")[0].split("\t")[0].strip()


def _refuse_what_cannot_be_read():
    """MLServer answers INTERNAL to gRPC messages that contradict themselves."""
    read = ModelInferRequestConverter.to_types
    if getattr(read, "refuses", False):
        return

    def to_types(request):
        try:
            return read(request)
        except Exception as error:
            raise InferenceError(f"the request can't be read: {error}") from error

    to_types.refuses = True
    ModelInferRequestConverter.to_types = staticmethod(to_types)


def _say_what_is_wrong_only():
    """FastAPI sends a body that is no request back, all of it."""
    errors = RequestValidationError.errors
    if getattr(errors, "is_short", False):
        return

    def short(self):
        said = [
            {key: error[key] for key in ("type", "loc", "msg") if key in error}
            for error in errors(self)[:3]
        ]
        if isinstance(self.body, bytes):  # it was not tried
            said[0]["msg"] += "; send it with Content-Type: application/json"
        return said

    short.is_short = True
    RequestValidationError.errors = short


_refuse_what_cannot_be_read()
_say_what_is_wrong_only()
