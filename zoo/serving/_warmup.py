"""Requests that TensorFlow Serving answers to itself before the first client's.

The file is a TFRecord of `PredictionLog` messages. Their classes are in a package that
brings a second TensorFlow along, so the four fields that are used are declared here,
as in tensorflow_serving/apis/{prediction_log,predict,model}.proto.
"""

import tensorflow as tf
from google.protobuf import descriptor_pb2, descriptor_pool, message_factory

PACKAGE = "convzoo.warmup"


def write_warmup(path, model_name, signatures):
    """Writes one request for each signature.

    Args:
        path: of the file.
        model_name: as the server calls the model.
        signatures: {name of a signature: {name of an input: tensor}}.
    """
    messages = _message_classes()
    with tf.io.TFRecordWriter(str(path)) as writer:
        for signature, inputs in signatures.items():
            log = messages["PredictionLog"]()
            request = log.predict_log.request
            request.model_spec.name = model_name
            request.model_spec.signature_name = signature
            for name, value in inputs.items():
                request.inputs[name] = tf.make_tensor_proto(value).SerializeToString()
            writer.write(log.SerializeToString())


def _message_classes():
    """A message field is length-delimited as bytes are: a TensorProto goes in so."""
    kinds = descriptor_pb2.FieldDescriptorProto
    file = descriptor_pb2.FileDescriptorProto(
        name="convzoo_warmup.proto", package=PACKAGE, syntax="proto3"
    )

    def message(name, *fields):
        declared = file.message_type.add(name=name)
        for field, number, kind in fields:
            added = declared.field.add(name=field, number=number)
            added.label = kinds.LABEL_OPTIONAL
            if isinstance(kind, str):
                added.type, added.type_name = kinds.TYPE_MESSAGE, f".{PACKAGE}.{kind}"
            else:
                added.type = kind
        return declared

    message(
        "ModelSpec",
        ("name", 1, kinds.TYPE_STRING),
        ("signature_name", 3, kinds.TYPE_STRING),
    )
    request = message("PredictRequest", ("model_spec", 1, "ModelSpec"))
    # A map is a repeated message of key and value.
    entry = request.nested_type.add(name="InputsEntry")
    entry.options.map_entry = True
    for name, number, kind in (
        ("key", 1, kinds.TYPE_STRING),
        ("value", 2, kinds.TYPE_BYTES),
    ):
        entry.field.add(name=name, number=number, type=kind, label=kinds.LABEL_OPTIONAL)
    request.field.add(
        name="inputs",
        number=2,
        label=kinds.LABEL_REPEATED,
        type=kinds.TYPE_MESSAGE,
        type_name=f".{PACKAGE}.PredictRequest.InputsEntry",
    )
    message("PredictLog", ("request", 1, "PredictRequest"))
    message("PredictionLog", ("predict_log", 6, "PredictLog"))
    pool = descriptor_pool.DescriptorPool()
    pool.Add(file)
    return {
        declared.name: message_factory.GetMessageClass(
            pool.FindMessageTypeByName(f"{PACKAGE}.{declared.name}")
        )
        for declared in file.message_type
    }
