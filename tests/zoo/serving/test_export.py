"""What `zoo.export` writes, where, and what it refuses."""

import importlib
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import time

import keras
import numpy as np
import pytest
import tensorflow as tf
from small_models import draw_again, noise

import zoo
from zoo.layers import GroupConv2D, GroupPooling
from zoo.serving import _places, formats, run_exported
from zoo.serving.plain import plain_model

export = zoo.export
# `zoo.serving.export` is the function.
export_module = importlib.import_module("zoo.serving.export")
LABELS = tuple("abcdefghij")


def labelled_card(name="p4cnn"):
    card = zoo.card(name)
    normalization = zoo.Normalization(mean=0.2, std=0.3)
    return card.__class__(
        **{**vars(card), "labels": LABELS, "normalization": normalization}
    )


@pytest.fixture(scope="module")
def model():
    model = zoo.p4cnn()
    draw_again(model)
    return model


@pytest.fixture(scope="module")
def served(model, tmp_path_factory):
    path = tmp_path_factory.mktemp("export") / "deep" / "digits"
    assert export(model, path, card=labelled_card()) == path / "1"
    return path


@pytest.fixture
def unchecked(monkeypatch):
    """Without the other process that runs what was written: it takes its time."""
    monkeypatch.setattr(export_module, "run_exported", lambda *args: [])
    monkeypatch.setattr(export_module, "_compare", lambda *args: None)


@pytest.fixture
def quick(monkeypatch, unchecked):
    """SavedModels are files with the name of their model."""

    def write(model, folder, *args):
        folder.mkdir()
        (folder / "saved_model.pb").write_text(model.name)

    monkeypatch.setattr(export_module, "write_saved_model", write)


def refuses(match, *args, **kwargs):
    with pytest.raises(ValueError, match=match):
        export(*args, **kwargs)


@pytest.mark.parametrize("count", [1, 5])
def test_the_signature_equals_predict_for_any_number(model, served, count):
    serve = tf.saved_model.load(served / "1").signatures["serving_default"]
    specification = serve.structured_input_signature[1]["image"]
    assert specification.shape.as_list() == [None, 28, 28, 1]
    assert specification.dtype == tf.float32
    images = noise(model, count)
    outputs = serve(image=tf.constant(images))
    assert list(outputs) == ["probabilities"]
    expected = model.predict(images, verbose=0)
    np.testing.assert_allclose(outputs["probabilities"], expected, atol=1e-6)


def test_it_runs_where_this_package_is_not_known(model, served):
    batches = [noise(model, 3), noise(model, 1, seed=1)]
    for path in (served, served / "1"):
        found = run_exported(path, batches)
        for batch, outputs in zip(batches, found, strict=True):
            assert list(outputs) == ["probabilities"]
            expected = model.predict(batch, verbose=0)
            np.testing.assert_allclose(outputs["probabilities"], expected, atol=1e-6)


def test_classes_are_named_only_by_a_card_that_was_given(tmp_path):
    """A net of the name and number of classes of a card may tell apart others."""
    zoo.export(zoo.lecun1989(), tmp_path / "own")
    extra = tmp_path / "own" / "1" / "assets.extra"
    assert (extra / "card.json").is_file() and not (extra / "labels.txt").exists()
    zoo.export(zoo.lecun1989(), tmp_path / "given", card=zoo.card("lecun1989"))
    labels = tmp_path / "given" / "1" / "assets.extra" / "labels.txt"
    assert labels.read_text().split() == list("0123456789")


def test_what_lies_beside_the_graph(served):
    extra = served / "1" / "assets.extra"
    text = (extra / "card.json").read_text()
    assert zoo.ModelCard.from_json(text) == labelled_card()
    assert (extra / "labels.txt").read_text().split() == list(LABELS)
    settings = json.loads((served / "1" / "model-settings.json").read_text())
    assert settings["name"] == "digits"
    assert settings["parameters"] == {"uri": ".", "version": "1"}
    assert settings["inputs"] == [
        {"name": "image", "datatype": "FP32", "shape": [-1, 28, 28, 1]},
        {"name": "image_bytes", "datatype": "BYTES", "shape": [-1]},
    ]
    assert settings["outputs"] == [
        {"name": "probabilities", "datatype": "FP32", "shape": [-1, 10]}
    ]
    assert os.listdir(served) == ["1"]
    assert os.listdir(served.parent) == ["digits"]


def fields(message):
    """The length-delimited fields of a protocol buffer, by number."""
    found, at = {}, 0

    def varint():
        nonlocal at
        value, shift = 0, 0
        while True:
            byte = message[at]
            at += 1
            value |= (byte & 127) << shift
            shift += 7
            if byte < 128:
                return value

    while at < len(message):
        number, kind = divmod(varint(), 8)
        assert kind == 2
        length = varint()
        found.setdefault(number, []).append(message[at : at + length])
        at += length
    return found


def test_the_warm_up_requests_are_answered(served):
    """Numbers of the fields: the .proto files in tensorflow_serving/apis."""
    loaded = tf.saved_model.load(served / "1")
    path = served / "1" / "assets.extra" / "tf_serving_warmup_requests"
    asked = []
    for record in tf.data.TFRecordDataset(str(path)).as_numpy_iterator():
        (request,) = fields(fields(record)[6][0])[1]
        specification = fields(fields(request)[1][0])
        assert specification[1] == [b"digits"]
        signature = specification[3][0].decode()
        (entry,) = fields(request)[2]
        name, value = fields(entry)[1][0].decode(), fields(entry)[2][0]
        asked.append((signature, name, value))
    assert [(each[0], each[1]) for each in asked] == [
        ("serving_default", "image"),
        ("serve_bytes", "image_bytes"),
    ]
    for signature, name, value in asked:
        inputs = tf.io.parse_tensor(
            value, tf.string if name == "image_bytes" else tf.float32
        )
        outputs = loaded.signatures[signature](**{name: inputs})
        assert outputs["probabilities"].shape == (1, 10)


def test_logits_are_named_so(tmp_path, unchecked):
    model = zoo.z2cnn(classifier_activation=None, name="mine")
    export(model, tmp_path)
    loaded = tf.saved_model.load(tmp_path / "1")
    outputs = loaded.signatures["serving_default"].structured_outputs
    assert list(outputs) == ["logits"]
    # No card says how raw images are normalised.
    assert list(loaded.signatures) == ["serving_default"]
    assert os.listdir(tmp_path / "1" / "assets.extra") == ["tf_serving_warmup_requests"]


def test_half_precision_is_written_whole(tmp_path):
    keras.config.set_dtype_policy("mixed_bfloat16")
    try:
        model = zoo.z2cnn()
    finally:
        keras.config.set_dtype_policy("float32")
    path = export(model, tmp_path / "net.onnx", format="onnx")
    (outputs,) = run_exported(path, [noise(model, 2)], "onnx")
    assert outputs["probabilities"].dtype == np.float32


def test_versions_count_up(quick, tmp_path):
    assert export(zoo.z2cnn(), tmp_path / "net").name == "1"
    assert export(zoo.p4cnn(), tmp_path / "net").name == "2"
    assert export(zoo.p4cnn(), tmp_path / "net", version=10).name == "10"
    assert export(zoo.p4cnn(), tmp_path / "net").name == "11"
    assert (tmp_path / "net/1/saved_model.pb").read_text() == "z2cnn"
    refuses("never replaced", zoo.p4cnn(), tmp_path / "net", version=2)
    refuses("never replaced", zoo.p4cnn(), tmp_path / "net", version=2, overwrite=True)


@pytest.mark.parametrize("version", [0, -1, 1.0, "1", True])
def test_versions_that_are_none(quick, model, tmp_path, version):
    refuses("positive integer", model, tmp_path / "net", version=version)
    assert os.listdir(tmp_path) == []


def test_what_killed_exports_left_is_removed(quick, model, tmp_path):
    ended = subprocess.Popen([sys.executable, "-c", ""])
    ended.wait()
    for process in (ended.pid, os.getppid()):
        (tmp_path / f".partial-{process}").mkdir()
    export(model, tmp_path)
    assert sorted(os.listdir(tmp_path)) == [f".partial-{os.getppid()}", "1"]


def test_a_folder_with_something_else_is_refused(quick, model, tmp_path):
    (tmp_path / "thesis.txt").write_text("mine")
    refuses("something else .* thesis.txt", model, tmp_path, overwrite=True)
    assert os.listdir(tmp_path) == ["thesis.txt"]


def test_a_file_in_the_way_is_refused(quick, model, tmp_path):
    (tmp_path / "file").write_text("mine")
    refuses("is a file", model, tmp_path / "file")
    refuses("is a file", model, tmp_path / "file" / "net.onnx", format="onnx")
    assert (tmp_path / "file").read_text() == "mine"


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_no_right_to_write(quick, model, tmp_path):
    tmp_path.chmod(0o500)
    refuses("no permission", model, tmp_path / "net")


def test_a_file_is_replaced_only_when_asked(unchecked, model, tmp_path):
    path = tmp_path / "net.keras"
    assert export(model, path, format="keras") == path
    before = path.read_bytes()
    refuses("exists already", zoo.z2cnn(), path, format="keras")
    assert path.read_bytes() == before
    export(zoo.z2cnn(), path, format="keras", overwrite=True)
    assert zoo.load_model(path).name == "z2cnn"
    assert os.listdir(tmp_path) == ["net.keras"]


def test_a_file_must_have_its_suffix(model, tmp_path):
    refuses(r"ends in \.onnx", model, tmp_path / "net", format="onnx")
    refuses(r"ends in \.tflite", model, tmp_path / "net.onnx", format="litert")
    (tmp_path / "net.onnx").mkdir()
    refuses("exists", model, tmp_path / "net.onnx", format="onnx", overwrite=True)


@pytest.mark.parametrize("wrong", [0.01, np.nan])
def test_another_answer_leaves_the_old_version(
    model, tmp_path, quick, wrong, monkeypatch
):
    export(model, tmp_path / "net")
    monkeypatch.undo()

    def run(path, batches, format):
        assert (path / "saved_model.pb").exists()
        return [{"probabilities": model.predict(x, verbose=0) + wrong} for x in batches]

    monkeypatch.setattr(export_module, "run_exported", run)
    refuses("does not equal p4cnn", model, tmp_path / "net")
    refuses("does not equal p4cnn", model, tmp_path / "other")
    assert os.listdir(tmp_path) == ["net"]
    assert os.listdir(tmp_path / "net") == ["1"]


def test_another_name_of_the_output(model, tmp_path, monkeypatch):
    def run(path, batches, format):
        return [{"output_0": model.predict(x, verbose=0)} for x in batches]

    monkeypatch.setattr(export_module, "run_exported", run)
    refuses("returns output_0", model, tmp_path / "net")


@pytest.mark.parametrize(
    "error",
    [
        OSError(28, "No space left on device"),
        tf.errors.ResourceExhaustedError(None, None, "No space left on device"),
    ],
)
def test_no_space(quick, model, tmp_path, monkeypatch, error):
    export(model, tmp_path)

    def write(model, folder, *args):
        folder.mkdir()
        (folder / "saved_model.pb").write_text("half")
        raise error

    monkeypatch.setattr(export_module, "write_saved_model", write)
    with pytest.raises((OSError, ValueError), match="No space left"):
        export(model, tmp_path)
    assert os.listdir(tmp_path) == ["1"]


def test_what_has_no_name_or_several(tmp_path):
    image = keras.Input((4,))
    net = keras.Model(image, keras.layers.Dense(1, name="score")(image))
    refuses("has no name of its own", net, tmp_path / "net")
    image = keras.Input((4,), name="image")
    several = keras.Model(image, [image, keras.layers.Dense(1)(image)])
    refuses("one input and one output", several, tmp_path / "net")
    refuses("subclassed or not built", keras.Sequential([]), tmp_path / "net")
    assert os.listdir(tmp_path) == []


def test_an_input_is_given_a_name(tmp_path):
    image = keras.Input((4,))
    net = keras.Model(image, keras.layers.Dense(1, name="score")(image))
    path = export(net, tmp_path / "net.onnx", format="onnx", input_name="features")
    import onnxruntime

    session = onnxruntime.InferenceSession(path)
    assert [each.name for each in session.get_inputs()] == ["features"]
    assert [each.name for each in session.get_outputs()] == ["score"]


def test_unknown_formats_and_missing_packages(model, tmp_path, monkeypatch):
    refuses("must be one of saved_model, openvino", model, tmp_path, format="pickle")
    refuses("must be one of", model, tmp_path, format=None)
    refuses("is one file", model, tmp_path / "a.onnx", format="onnx", version=2)
    refuses("for format='litert'", model, tmp_path / "a", calibration=noise(model, 100))
    monkeypatch.setattr(formats.importlib.util, "find_spec", lambda name: None)
    refuses(
        r"onnx, onnxruntime, tf2onnx.*convzoo\[onnx\]", model, tmp_path, format="onnx"
    )


@pytest.mark.parametrize(
    ("calibration", "match"),
    [
        (np.zeros((99, 28, 28, 1)), "at least 100"),
        (np.zeros((100, 28, 28)), "shape"),
        (np.zeros((100, 29, 28, 1)), "shape"),
        (np.full((100, 28, 28, 1), np.nan), "NaN"),
    ],
)
def test_calibration_that_tells_nothing(model, tmp_path, calibration, match):
    path = tmp_path / "net.tflite"
    refuses(match, model, path, format="litert", calibration=calibration)
    assert not path.exists()


def test_a_process_that_fails_is_reported(served, tmp_path):
    with pytest.raises(ValueError, match="No saved_model at"):
        run_exported(tmp_path, [])
    with pytest.raises(ValueError, match="No onnx at"):
        run_exported(tmp_path / "no.onnx", [], "onnx")
    (tmp_path / "1").mkdir()
    whole = (served / "1" / "saved_model.pb").read_bytes()
    (tmp_path / "1" / "saved_model.pb").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(ValueError, match="does not run as saved_model") as caught:
        run_exported(tmp_path, [])
    assert "\n" not in str(caught.value)


def test_a_file_that_needs_this_package_is_reported(model, tmp_path):
    """A `.keras` of the model itself, not of its plain form."""
    model.save(tmp_path / "model.keras")
    with pytest.raises(ValueError, match="does not run as keras"):
        run_exported(tmp_path / "model.keras", [noise(model, 1)], "keras")


KILLED = """
import sys, time
from pathlib import Path
from zoo.serving._places import new_version
from zoo.serving.formats import FORMATS
def write(folder, version):
    folder.mkdir()
    for index in range(40):
        (folder / f"{index}").write_text(str(version))
        time.sleep(0.001)
        if index == 0:
            (folder / "saved_model.pb").write_text("graph")
            print("writing", flush=True)
kind = FORMATS["saved_model"]
new_version(Path(sys.argv[1]), None, kind, write, check=lambda folder: None)
"""


def test_killed_while_writing(tmp_path):
    """At any moment: every version that is to be seen is whole, and none is lost."""
    kind = formats.FORMATS["saved_model"]
    draw = random.Random(0)
    ends = set()
    for _ in range(20):
        before = set(_places._versions(tmp_path, kind))
        process = subprocess.Popen(
            [sys.executable, "-c", KILLED, str(tmp_path)],
            stdout=subprocess.PIPE,
            text=True,
        )
        assert process.stdout.readline() == "writing\n"
        time.sleep(draw.uniform(0, 0.08))
        process.send_signal(signal.SIGKILL)
        process.communicate()
        ends.add(process.returncode)
        after = set(_places._versions(tmp_path, kind))
        assert before <= after and len(after - before) <= 1
        for version in after:
            assert len(os.listdir(tmp_path / str(version))) == 41
        hidden = [name for name in os.listdir(tmp_path) if not name.isdigit()]
        assert all(name.startswith(".partial-") for name in hidden)
        assert len(hidden) <= 1
    assert -signal.SIGKILL in ends


@pytest.mark.skipif(not os.environ.get("FULL_SIZES"), reason="only in make test-export")
def test_killed_while_exporting(served, tmp_path):
    """The whole export, killed at 20 random moments."""
    program = (
        "import sys, zoo; print('ready', flush=True);"
        "print(zoo.export(zoo.z2cnn(), sys.argv[1]))"
    )
    path = tmp_path / "digits"
    shutil.copytree(served, path)
    draw = random.Random(0)
    for _ in range(20):
        process = subprocess.Popen(
            [sys.executable, "-c", program, str(path)],
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
            start_new_session=True,
        )
        assert process.stdout.readline() == "ready\n"
        time.sleep(draw.uniform(0, 25))
        os.killpg(process.pid, signal.SIGKILL)
        process.communicate()
        seen = sorted(int(name) for name in os.listdir(path) if name.isdigit())
        assert seen[0] == 1
        for version in {1, seen[-1]}:
            run_exported(path / str(version), [])


def test_wide_group_convolutions_stay_in_the_spectrum(tmp_path):
    """Where it is faster; `export` itself compares, where this package is not."""

    def net(filters):
        x = image = keras.Input((9, 9, 2), name="image")
        x = GroupConv2D(filters, 3, group="D4")(x)
        x = keras.layers.BatchNormalization()(x)
        x = GroupConv2D(
            filters, 3, "D4", padding="same", activation="relu", name="spatial"
        )(x)
        x = GroupConv2D(filters, 1, "D4", use_bias=False, activation="softplus")(x)
        x = GroupConv2D(filters, 3, "D4", strides=2)(x)
        x = GroupPooling("D4")(x)
        return keras.Model(image, keras.layers.GlobalAveragePooling2D()(x))

    def operations(path):
        served = tf.saved_model.load(path).signatures["serving_default"]
        graph = served.graph.as_graph_def()
        nodes = [*graph.node, *(n for f in graph.library.function for n in f.node_def)]
        return [node.op for node in nodes]

    wide = operations(export(net(32), tmp_path / "wide"))
    narrow = operations(export(net(4), tmp_path / "narrow"))
    assert {"While", "StatelessWhile"} & set(wide)
    assert wide.count("Conv2D") == 2  # the lifting and the one with a stride
    assert not {"While", "StatelessWhile"} & set(narrow)
    assert narrow.count("Conv2D") == 4


def test_a_wide_head_of_one_pixel_stays_in_the_spectrum():
    x = image = keras.Input((3, 3, 4, 2), name="maps")
    x = GroupConv2D(64, 3, "C4", activation="relu")(x)
    x = GroupConv2D(64, 1, "C4", name="head")(x)
    model = keras.Model(image, GroupPooling("C4")(x))
    plain = plain_model(model, "maps", with_spectra=True)
    blocks = [tuple(block.shape) for block in plain.get_layer("head").weights]
    assert blocks == 5 * [(1, 64, 64)] + [(64,)]
    maps = noise(model, batch=2)
    np.testing.assert_allclose(model(maps), plain(maps), atol=1e-5)
    assert plain_model(model, "maps").get_layer("head_dense").units == 64
