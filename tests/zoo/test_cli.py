import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import keras
import numpy as np
import pytest
import soundfile
import tiny_data
from typer.testing import CliRunner

import zoo
from zoo import cli

HELPERS = Path(tiny_data.__file__).parent


def call(*arguments):
    return CliRunner().invoke(cli.app, [str(argument) for argument in arguments])


def refused(*arguments):
    """The one line on standard error of a command that refuses its input."""
    result = call(*arguments)
    assert result.exit_code == 2, result.output
    assert result.stdout == ""
    (line,) = result.stderr.splitlines()
    assert line.startswith("zoo: ")
    return line


@pytest.fixture
def data(monkeypatch):
    return tiny_data.install(monkeypatch)


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    out = tmp_path_factory.mktemp("runs") / "run"
    with pytest.MonkeyPatch.context() as patch:
        tiny_data.install(patch)
        result = call(
            *("train", "tiny_net", "--data", "tiny", "--epochs", 2, "--out", out)
        )
    assert result.exit_code == 0, result.output
    return out, result


def test_help_answers_at_once():
    def seconds():
        start = time.perf_counter()
        command = [sys.executable, "-c", "from zoo.cli import main; main()", "--help"]
        done = subprocess.run(command, capture_output=True, text=True, check=True)
        assert "demo" in done.stdout
        return time.perf_counter() - start

    assert min(seconds() for _ in range(3)) < 1


def test_help_imports_no_tensorflow():
    code = (
        "import sys, zoo.cli\n"
        "assert not {'keras', 'tensorflow', 'numpy'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_no_log_lines_of_tensorflow():
    command = [sys.executable, "-c", "from zoo.cli import main; main()", "list"]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert done.stderr == ""
    assert "p4cnn" in done.stdout


def test_list():
    text = call("list").stdout
    for name in zoo.list_models():
        assert name in text
    text = call("list", "p4*").stdout
    assert "24,680" in text
    assert "z2cnn │" not in text
    assert "fits 'x9*'" in refused("list", "x9*")
    assert "Unknown task 'cooking'" in refused("list", "--task", "cooking")


def test_card():
    text = " ".join(call("card", "p4cnn").stdout.split())
    multiply_adds = zoo.count(zoo.p4cnn()).multiply_adds
    for fact in ("2016", "28 x 28 x 1", "24,680", f"{multiply_adds:,}", "C4", "2.28"):
        assert fact in text
    assert "Did you mean 'p4cnn'?" in refused("card", "p5cnn")


def test_datasets():
    text = call("datasets").stdout
    for name in zoo.datasets.list_datasets():
        assert name in text
    assert "train 4,000" in text


def test_train_prints_the_figures_and_leaves_the_run(run):
    out, result = run
    metrics = json.loads((out / "metrics.json").read_text())
    for name in metrics:
        assert name in result.stdout
    assert f"{metrics['test_error']:.4g}" in result.stdout
    assert str(out) in result.stdout
    assert "epoch 2/2" in result.stderr


def test_train_passes_every_option_on(monkeypatch):
    seen = {}

    def train(*args, **kwargs):
        seen.update(kwargs, positional=args)
        return {"test_error": 1.0}

    monkeypatch.setattr(zoo.training, "train", train)
    line = (
        "train p4cnn --data a/b --epochs 3 --batch-size 7 --recipe paper "
        "--learning-rate 0.5 --weight-decay 0.25 --seed 9 --data-dir . --download "
        "--validation 11 --image-shape 8 9 3 --skip-bad --weights w.keras --also b "
        "--sample-rate 8000 --seconds 0.5 --labels c.csv --split-by speaker "
        "--held-out x --held-out y --validate-on z --task tempo "
        "--strategy multi_worker --workers a:1,b:1 --rank 0 --scale-batch "
        "--checkpoint-minutes 2.5 --data-service grpc://c:1"
    )
    assert "test_error" in call(*line.split()).stdout
    assert seen == {
        "positional": ("p4cnn", "a/b", Path("runs/p4cnn-a-b")),
        "epochs": 3,
        "batch_size": 7,
        "recipe": "paper",
        "learning_rate": 0.5,
        "weight_decay": 0.25,
        "seed": 9,
        "data_dir": Path("."),
        "download": True,
        "validation": 11,
        "image_shape": (8, 9, 3),
        "skip_bad": True,
        "weights": "w.keras",
        "also": "b",
        "sample_rate": 8000,
        "seconds": 0.5,
        "labels": "c.csv",
        "split_by": "speaker",
        "held_out": ["x", "y"],
        "validate_on": ["z"],
        "task": "tempo",
        "strategy": "multi_worker",
        "workers": "a:1,b:1",
        "rank": 0,
        "scale_batch": True,
        "checkpoint_minutes": 2.5,
        "data_service": "grpc://c:1",
    }
    # Of several workers the chief alone shows what came of it.
    other = call(*line.replace("--rank 0", "--rank 1").split())
    assert (other.exit_code, other.stdout) == (0, "")


def test_train_again_shows_the_same(run, data):
    out, result = run
    again = call("train", "tiny_net", "--data", "tiny", "--epochs", 2, "--out", out)
    assert again.stdout == result.stdout
    assert "epoch" not in again.stderr


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ("p4cnn --data digits", "p4cnn can't be built for the images of digits"),
        ("p5cnn --data digits", "Unknown model 'p5cnn'"),
        ("p4cnn --data digit", "no data set 'digit'"),
        ("p4cnn --data rotated_digits --epochs 0", "`epochs` must be"),
        ("p4cnn --data rotated_digits --epochs -1", "`epochs` must be"),
        ("p4cnn --data rotated_digits --epochs many", "'--epochs'"),
        ("p4cnn --data rotated_digits --recipe x", "Unknown recipe 'x'"),
        ("p4cnn --data rotated_digits --strategy two", "`strategy` must be one of"),
        ("p4cnn --data rotated_digits --strategy multi_worker", "know its workers"),
        ("p4cnn --data rotated_digits --rank 1", "one of a list of workers"),
        ("p4cnn --data rotated_digits --workers a --rank 0", "must be host:port"),
        ("p4cnn --data rotated_digits --checkpoint-minutes 0", "a positive number"),
        ("p4cnn --data rotated_digits --data-service a:1", "must be grpc://"),
        ("p4cnn", "data"),
        ("", "model"),
    ],
)
def test_train_refuses_bad_input(tmp_path, monkeypatch, options, message):
    monkeypatch.chdir(tmp_path)
    assert message in refused("train", *options.split())
    assert os.listdir(tmp_path) == []


def test_train_refuses_a_folder_that_is_not_free(run, data, tmp_path):
    arguments = ("train", "tiny_net", "--data", "tiny", "--epochs", 1, "--out")
    assert "another command (recipe:" in refused(*arguments, run[0])
    (tmp_path / "notes").touch()
    assert "something else" in refused(*arguments, tmp_path)
    assert "is a file" in refused(*arguments, tmp_path / "notes")


def test_evaluate(run, data, tmp_path):
    picture = tmp_path / "confusion.png"
    result = call("evaluate", run[0], "--data", "tiny", "--out", picture)
    assert result.exit_code == 0, result.output
    metrics = json.loads((run[0] / "metrics.json").read_text())
    error = re.search(r"error, % +│ +([\d.]+)", result.stdout).group(1)
    assert float(error) == pytest.approx(metrics["test_error"], rel=1e-3)
    assert picture.read_bytes().startswith(b"\x89PNG")
    assert "exists already" in refused(
        "evaluate", run[0], "--data", "tiny", "--out", picture
    )
    assert ".png file" in refused("evaluate", run[0], "--data", "tiny", "--out", "x.y")


def test_evaluate_refuses_what_is_no_model(data, tmp_path):
    file = tmp_path / "model.keras"
    assert "No model at" in refused("evaluate", file, "--data", "tiny")
    file.write_text("no model")
    assert "no Keras model, or cut off" in refused("evaluate", file, "--data", "tiny")
    zoo.z2cnn().save(file)
    assert "tiny has (8, 8, 1)" in refused("evaluate", file, "--data", "tiny")


def test_check_a_name():
    result = call("check", "p4cnn")
    assert result.exit_code == 0
    text = result.stdout
    assert "EXACT: under C4" in text and "NOT EXACT" not in text
    assert "28, 30, 32" in text
    assert re.search(r"conv_1 +│ GroupConv2D +│ 26 x 26 x 4 x 10 │ \d\.\de-0[67]", text)
    result = call("check", "z2cnn", "--group", "C4")
    assert result.exit_code == 0
    assert "NOT EXACT: under C4" in result.stdout
    assert "sizes that keep it exact: none" in result.stdout


def test_a_name_is_a_name_also_beside_a_folder_called_so(tmp_path, monkeypatch):
    (tmp_path / "p4cnn").mkdir()
    monkeypatch.chdir(tmp_path)
    assert "EXACT" in call("check", "p4cnn").stdout


def test_check_at_a_size():
    assert "28 x 28 x 4 x 10" in call("check", "p4cnn", "--size", 30).stdout
    assert "not exactly equivariant at height" in refused(
        "check", "p4cnn", "--size", 29
    )


def test_check_a_file(tmp_path):
    path = tmp_path / "net.keras"
    zoo.p4mcnn().save(path)
    assert "EXACT: under D4" in call("check", path).stdout
    assert "--size 30" in refused("check", path, "--size", 30)
    assert "Unknown symmetry group" in refused("check", path, "--group", "C5")
    assert "Unknown model 'nothing.keras'" in refused("check", "nothing.keras")


def test_check_draws_large_weights():
    """Glorot, not the small ones that hide a lack of symmetry; the same ones always."""
    first, second = (cli._untrained(zoo, "z2cnn", None) for _ in range(2))
    np.testing.assert_array_equal(first.get_weights()[0], second.get_weights()[0])
    kernel = first.get_layer("conv_2").kernel.numpy()
    assert np.abs(kernel).max() == pytest.approx(np.sqrt(6 / (9 * 40)), rel=0.01)
    assert first.output_names == ["logits"]


def test_export(run, tmp_path):
    out = tmp_path / "saved"
    result = call("export", run[0], "--out", out)
    assert result.exit_code == 0, result.output
    difference = float(re.search(r"after reload: (\S+)", result.stdout).group(1))
    assert difference < 1e-6
    text = (out / "1" / "assets.extra" / "card.json").read_text()
    card = zoo.ModelCard.from_json(text)
    assert card.normalization != zoo.Normalization()
    assert "positive" in refused("export", run[0], "--out", out, "--version", 0)
    assert "never replaced" in refused("export", run[0], "--out", out, "--version", 1)
    assert os.listdir(out) == ["1"]
    assert "No model at" in refused("export", tmp_path / "x", "--out", tmp_path / "y")


def test_export_as_one_file(run, tmp_path):
    out = tmp_path / "net.onnx"
    result = call("export", run[0], "--out", out, "--format", "onnx")
    assert result.exit_code == 0, result.output
    line = ("export", run[0], "--out", out, "--format", "onnx")
    assert "exists already" in refused(*line)
    assert call(*line, "--overwrite").exit_code == 0
    assert "ends in .tflite" in refused(*line[:-1], "litert")
    assert "must be one of" in refused(*line[:-1], "pickle")


def test_export_in_8_bits(tmp_path):
    """On a net that has learned something: then 8 bits cost little."""
    model = zoo.mlp(input_shape=(8, 8, 1), hidden=(64,), name="small_mlp")
    model.compile("adam", "sparse_categorical_crossentropy")
    train = zoo.datasets.load("digits", "train")
    model.fit(train, epochs=8, shuffle=False, verbose=0)
    model.save(tmp_path / "net.keras")
    out = tmp_path / "net.tflite"
    line = ("export", tmp_path / "net.keras", "--out", out, "--format", "litert")
    line += ("--int8", "--data", "digits")
    result = call(*line)
    assert result.exit_code == 0, result.output
    figures = {
        name: float(re.search(rf"\b{name} +│ +([\d.]+)", result.stdout).group(1))
        for name in ("examples", "accuracy", "accuracy_int8", "agreement")
    }
    assert figures["examples"] == zoo.datasets.info("digits").splits["test"]
    assert figures["accuracy"] > 0.8
    assert abs(figures["accuracy"] - figures["accuracy_int8"]) < 0.03
    assert figures["agreement"] > 0.95
    whole = tmp_path / "whole.tflite"
    zoo.export(model, whole, format="litert")
    assert out.stat().st_size < 0.5 * whole.stat().st_size
    assert "--data is for" in refused(*line[:-3], *line[-2:])
    assert "--int8 takes" in refused(*line[:-2])
    assert "exists already" in refused(*line)


def test_serve_refuses_what_can_not_be_served(tmp_path, monkeypatch):
    assert "No saved_model at" in refused("serve", tmp_path / "none")
    (tmp_path / "1").mkdir()
    (tmp_path / "1" / "saved_model.pb").write_text("half")
    assert "export the model anew" in refused("serve", tmp_path)
    (tmp_path / "1" / "model-settings.json").write_text("{}")
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        assert "can't be used" in refused("serve", tmp_path, "--http-port", port)
    assert "from 1 to 65535" in refused("serve", tmp_path, "--grpc-port", 0)
    line = refused("serve", tmp_path, "--http-port", 21_000, "--grpc-port", 21_001)
    assert "does not run as saved_model" in line
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    assert "convzoo[serve]" in refused("serve", tmp_path)


def test_demo_refuses_a_folder_with_something_else(tmp_path):
    (tmp_path / "thesis.txt").touch()
    assert "thesis.txt" in refused("demo", "--out", tmp_path)
    assert os.listdir(tmp_path) == ["thesis.txt"]


@pytest.mark.parametrize("name", ["turning.png", "saved_model", "p4cnn"])
def test_demo_refuses_files_of_others_that_are_called_as_its_own(name, tmp_path):
    (tmp_path / name).mkdir()
    assert name in refused("demo", "--out", tmp_path)
    assert os.listdir(tmp_path) == [name]


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("metrics.json", "[]", "metrics.json is damaged"),
        ("metrics.json", '{"a": null}', "metrics.json is damaged"),
        ("metrics.json", "not json", "metrics.json is damaged"),
        ("run.json", '{"command": [1]}', "something else than a training run"),
        ("run.json", '{"command": null}', "something else than a training run"),
        ("model.keras", None, "model.keras is missing"),
    ],
)
def test_train_refuses_a_damaged_run(name, text, message, run, data, tmp_path):
    out = tmp_path / "run"
    shutil.copytree(run[0], out)
    if text is None:
        (out / name).unlink()
    else:
        (out / name).write_text(text)
    line = refused("train", "tiny_net", "--data", "tiny", "--epochs", 2, "--out", out)
    assert message in line and str(out) in line


def test_models_that_do_not_fit_the_commands(tmp_path):
    unbuilt = tmp_path / "unbuilt.keras"
    with pytest.warns(UserWarning, match="not yet been built"):
        keras.Sequential([keras.layers.Dense(2)]).save(unbuilt)
    vector = tmp_path / "vector.keras"
    keras.Sequential([keras.Input((3,)), keras.layers.Dense(2)]).save(vector)
    open_size = tmp_path / "open.keras"
    image = keras.Input((None, None, 1))
    keras.Model(image, zoo.layers.GroupConv2D(2, 3)(image)).save(open_size)
    assert "open" in refused("check", unbuilt)
    assert "one input" in refused("check", vector)
    assert "as --size" in refused("check", open_size)
    assert "EXACT" in call("check", open_size, "--size", 9).stdout
    assert "not built" in refused("export", unbuilt, "--out", tmp_path / "a")
    line = ("export", vector, "--out", tmp_path / "b.keras", "--format", "keras")
    assert "has no name" in refused(*line)
    assert call(*line, "--input-name", "features").exit_code == 0
    assert refused("evaluate", unbuilt, "--data", "digits")
    assert not (tmp_path / "a").exists()


@pytest.fixture
def fake_demo(monkeypatch):
    """The demo's parts replaced by what they return, to see what it makes of them."""
    facts = {"z2cnn": 0.88, "p4cnn": 0.95, "error": 2e-6, "difference": 1e-7}

    def train(name, data, out, **arguments):
        assert (data, arguments["batch_size"]) == ("rotated_digits", 64)
        return {"test_accuracy": facts[name], "seconds": 1.0}

    def report(model, group):
        error = facts["error"] if model == "p4cnn" else 1.5
        return type("Report", (), {"output_error": error})

    monkeypatch.setattr(zoo.training, "train", train)
    monkeypatch.setattr(zoo, "load_model", lambda path: Path(path).name)
    monkeypatch.setattr(zoo, "equivariance_report", report)
    monkeypatch.setattr(cli, "_export", lambda *a, **k: (a[1], facts["difference"]))
    monkeypatch.setattr(cli, "_draw_turning_picture", lambda *a: None)
    return facts


def test_demo_shows_the_comparison(fake_demo, tmp_path):
    result = call("demo", "--out", tmp_path)
    assert result.exit_code == 0, result.output
    for figure in ("88.0", "95.0", "+7.0", "1.5e+00", "2.0e-06", "1.0e-07"):
        assert figure in result.stdout
    assert str(tmp_path / "turning.png") in result.stdout.replace("\n", "")


@pytest.mark.parametrize(
    "broken",
    [{"z2cnn": 0.84}, {"p4cnn": 0.90}, {"error": 2e-5}, {"difference": 1e-4}],
)
def test_demo_fails_when_a_promise_does(fake_demo, tmp_path, broken):
    fake_demo.update(broken)
    result = call("demo", "--out", tmp_path)
    assert result.exit_code == 1
    assert "misses what it promises" in result.stderr
    # With other settings nothing is promised.
    assert call("demo", "--out", tmp_path, "--epochs", 3).exit_code == 0


def test_errors_inside_keras_are_one_line(monkeypatch):
    class Fussy(keras.layers.Layer):
        def call(self, inputs):
            raise ValueError("Too small: 3.\nUse 4.")

    monkeypatch.setattr(zoo, "count", lambda model: Fussy()(np.ones((2, 3))))
    assert refused("card", "p4cnn") == "zoo: Too small: 3. Use 4."


def test_a_fault_of_the_program_keeps_its_traceback(monkeypatch):
    monkeypatch.setattr(zoo, "list_models", lambda *args: 1 / 0)
    assert isinstance(call("list").exception, ZeroDivisionError)


def test_an_error_of_the_system_is_one_line(monkeypatch):
    def train(*args, **kwargs):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(zoo.training, "train", train)
    line = refused("train", "p4cnn", "--data", "digits")
    assert "No space left on device" in line


def test_ctrl_c_leaves_a_run_that_goes_on(tmp_path):
    out = tmp_path / "run"
    code = (
        "import signal, sys; sys.path.insert(0, sys.argv.pop(1))\n"
        # A shell has its background jobs ignore Ctrl-C, and what they start too.
        "signal.signal(signal.SIGINT, signal.default_int_handler)\n"
        "import pytest, tiny_data\n"
        "tiny_data.install(pytest.MonkeyPatch())\n"
        "from zoo.cli import main; main()\n"
    )
    arguments = ["train", "tiny_net", "--data", "tiny", "--epochs", "500"]
    process = subprocess.Popen(
        [sys.executable, "-c", code, str(HELPERS), *arguments, "--out", str(out)],
        stderr=subprocess.PIPE,
        text=True,
    )
    deadline = time.monotonic() + 60
    while not (out / "backup.weights.h5").exists():
        assert process.poll() is None and time.monotonic() < deadline
        time.sleep(0.02)
    process.send_signal(signal.SIGINT)
    stderr = process.communicate(timeout=60)[1]
    assert process.returncode == 130
    last = [line for line in stderr.splitlines() if not line.startswith("epoch ")][-1]
    assert last.startswith("zoo: interrupted")
    assert "Traceback" not in stderr
    assert (out / "backup.weights.h5").exists()
    assert not (out / "metrics.json").exists()


def test_a_baseline_of_sounds(tmp_path):
    folder = tmp_path / "tones"
    for name, pitch in (("low", 200), ("high", 900)):
        (folder / name).mkdir(parents=True)
        for number in range(10):
            phase = 2 * np.pi * (pitch + 5 * number) * np.arange(4000) / 8000
            soundfile.write(folder / name / f"{number}.wav", 0.5 * np.sin(phase), 8000)
    line = "baseline --data audio_folder --sample-rate 8000 --seconds 0.5 --data-dir"
    line = [*line.split(), folder]
    result = call(*line)
    assert result.exit_code == 0, result.stderr
    assert re.search(r"accuracy\D+1\b", result.stdout)
    refused = call(*line, "--features", "smell")
    assert refused.exit_code == 2
    assert "`features` must be one of" in refused.stderr


def test_a_baseline_is_for_sounds():
    result = call("baseline", "--data", "digits")
    assert result.exit_code == 2
    assert "data set of sounds with classes" in result.stderr
