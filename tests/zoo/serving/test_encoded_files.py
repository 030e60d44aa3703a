"""Endpoints for PNG, JPEG and WAV read files as the data sets do."""

import io
import subprocess
import sys
from pathlib import Path

import image_files
import keras
import numpy as np
import pytest
import soundfile
import tensorflow as tf
from PIL import Image
from small_models import build, draw_again

import zoo
from zoo.datasets.image.files import FORMATS, BadImageError, read_image
from zoo.serving._encoded_files import encoded_files
from zoo.serving._saved_model import write_saved_model

LABELS = tuple("abcdefghij")


def served(model, folder, **facts):
    card = zoo.card(model.name)
    card = card.__class__(**{**vars(card), **facts})
    write_saved_model(model, folder, card)
    loaded = tf.saved_model.load(folder)
    serve = loaded.signatures["serve_bytes"]

    def call(*files, loaded=loaded):
        (name,) = serve.structured_input_signature[1]
        return {
            key: value.numpy()
            for key, value in serve(**{name: tf.constant(files)}).items()
        }

    return call, card


def png(pixels, kind="PNG", **options):
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, kind, **options)
    return file.getvalue()


def wav(sound, rate=8000, **options):
    file = io.BytesIO()
    soundfile.write(file, sound, rate, format="WAV", **options)
    return file.getvalue()


@pytest.fixture(scope="module")
def grey(tmp_path_factory):
    model = build("z2cnn")
    draw_again(model)
    normalization = zoo.Normalization(mean=0.2, std=0.3)
    call, card = served(
        model,
        tmp_path_factory.mktemp("grey") / "net",
        labels=LABELS,
        normalization=normalization,
    )
    return model, call, card


@pytest.fixture(scope="module")
def colour(tmp_path_factory):
    model = build("resnet")
    draw_again(model)
    normalization = zoo.Normalization(mean=(0.1, 0.2, 0.3), std=(1.0, 0.5, 0.3))
    folder = tmp_path_factory.mktemp("colour") / "net"
    call, card = served(model, folder, normalization=normalization)
    return model, call, card


def pixels(*shape):
    return np.random.default_rng(0).integers(0, 256, shape, np.uint8)


def expected_of(model, card, folder, file, monkeypatch):
    """By way of `zoo.datasets`, from a file on a disk."""
    monkeypatch.setenv("CONVZOO_CACHE", str(folder / "cache"))
    given = {"test/x/0": file}
    for shade, name in enumerate(("train/x/0", "train/y/0", "test/y/0")):
        given[name] = png(np.full((9, 9), shade, np.uint8))
    for name, file in given.items():
        path = folder / "images" / f"{name}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(file)
    test = zoo.datasets.load(
        "image_folder",
        "test",
        data_dir=folder / "images",
        image_shape=model.input_shape[1:],
    )
    images, labels = next(test.as_numpy_iterator())
    images = zoo.preprocess_input(images, card)[labels == 0]
    assert len(images) == 1
    return model.predict(images, verbose=0)[0]


@pytest.mark.parametrize("shape", [(28, 28), (28, 28, 3)])
def test_grey_images_as_the_data_set_reads_them(grey, shape, tmp_path, monkeypatch):
    model, call, card = grey
    files = [png(pixels(*shape)), png(255 - pixels(*shape))]
    outputs = call(*files)
    for number, file in enumerate(files):
        folder = tmp_path / str(number)
        expected = expected_of(model, card, folder, file, monkeypatch)
        np.testing.assert_allclose(
            outputs["probabilities"][number], expected, atol=1e-5
        )
        assert outputs["label"][number].decode() == LABELS[expected.argmax()]


def test_colour_images_of_any_size(colour, tmp_path, monkeypatch):
    model, call, card = colour
    smooth = np.linspace(0, 255, 64 * 40 * 3).reshape(64, 40, 3).astype(np.uint8)
    # Pillow and TensorFlow resize differently by a grey level.
    for file, tolerance in ((png(pixels(32, 32, 3)), 1e-5), (png(smooth), 0.02)):
        (outputs,) = call(file)["probabilities"]
        folder = tmp_path / str(tolerance)
        expected = expected_of(model, card, folder, file, monkeypatch)
        np.testing.assert_allclose(outputs, expected, atol=tolerance)


def test_jpeg_and_others(colour):
    _, call, _ = colour
    flat = np.full((32, 32, 3), (200, 90, 30), np.uint8)
    (reference,) = call(png(flat))["probabilities"]
    for file in (
        png(flat, "JPEG", quality=100),
        png(flat, "BMP"),
        png(flat, "GIF"),
    ):
        (outputs,) = call(file)["probabilities"]
        np.testing.assert_allclose(outputs, reference, atol=0.02)


@pytest.mark.parametrize(
    ("file", "match"),
    [
        (b"", "image"),
        (b"no image", "image"),
        (png(pixels(28, 28))[:200], "PNG|image"),
        (png(pixels(28, 28, 4)), "transparent"),
        (png(pixels(28, 28).astype(np.uint16)), "8 bits"),
    ],
)
def test_bad_images_are_refused(grey, file, match):
    with pytest.raises(tf.errors.InvalidArgumentError, match=match):
        grey[1](png(pixels(28, 28)), file)


def pixels_model(shape):
    """It answers the pixels that it is given."""
    image = keras.Input(shape, name="image")
    output = keras.layers.Flatten(name="pixels")(image)
    return keras.Model(image, output, name="pixels_model")


def pixels_card():
    card = zoo.card("resnet")
    facts = {"normalization": zoo.Normalization(), "labels": ()}
    return card.__class__(**{**vars(card), **facts})


@pytest.mark.parametrize("shape", [(20, 24, 3), (20, 24, 1), (45, 50, 3)])
def test_training_and_endpoint_read_the_same_pixels(shape, tmp_path):
    model, card = pixels_model(shape), pixels_card()
    serve = encoded_files(model, card).endpoint
    different = []
    files = {**image_files.good_files(), **image_files.files_with_notes()}
    for name, content in files.items():
        kind = name.split()[0].strip(",").upper().replace("MPO", "JPEG")
        (suffix, *_) = (suffix for suffix, form in FORMATS.items() if form == kind)
        path = tmp_path / f"file{suffix}"
        path.write_bytes(content)
        expected = read_image(path, shape).astype(int)
        found = 255 * serve(tf.constant([content]))["pixels"].numpy()
        if np.abs(found.reshape(shape).round() - expected).max() > 1:
            different.append(name)
    assert not different
    for name, (content, _) in image_files.bad_files().items():
        with pytest.raises(tf.errors.InvalidArgumentError):
            serve(tf.constant([content]))
        for suffix in FORMATS:
            path = tmp_path / f"{name}{suffix}"
            path.write_bytes(content)
            with pytest.raises(BadImageError):
                read_image(path, shape)


def test_two_thousand_mutated_files_and_an_animated_webp(tmp_path):
    write_saved_model(pixels_model((16, 16, 3)), tmp_path / "net", pixels_card())
    script = Path(image_files.__file__).with_name("serve_mutated.py")
    arguments = [tmp_path / "net", "image_bytes", "2000", "0"]
    done = subprocess.run(
        [sys.executable, script, *arguments], capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr[-2000:]
    answered, refused = map(int, done.stdout.split())
    assert answered + refused == 2000
    assert min(answered, refused) > 200


@pytest.fixture(scope="module")
def sound(tmp_path_factory):
    model = build("m5")
    draw_again(model)
    normalization = zoo.Normalization(level=0.1, pre_emphasis=0.9)
    folder = tmp_path_factory.mktemp("sound") / "net"
    call, card = served(model, folder, normalization=normalization)
    return model, call, card


# Whole clips, a last one that is half full, one that is not, and a short sound.
@pytest.mark.parametrize("clips", [1, 2, 2.5, 2.4, 0.3])
@pytest.mark.parametrize("channels", [1, 2])
def test_sounds_are_cut_into_clips(sound, clips, channels):
    model, call, card = sound
    samples = model.input_shape[1]
    rng = np.random.default_rng(0)
    heard = rng.uniform(-0.5, 0.5, (int(clips * samples), channels))
    file = wav(heard, card.sample_rate, subtype="PCM_16")
    heard = soundfile.read(io.BytesIO(file), always_2d=True)[0]
    whole = {2.5: 3, 0.3: 1}.get(clips, int(clips))
    cut = np.zeros((whole * samples, 1))
    mean = heard.mean(axis=1, keepdims=True)[: len(cut)]
    cut[: len(mean)] = mean
    cut = zoo.preprocess_input(cut.reshape(whole, samples, 1).astype("float32"), card)
    expected = model.predict(cut, verbose=0).mean(axis=0)
    (outputs,) = call(file)["probabilities"]
    np.testing.assert_allclose(outputs, expected, atol=1e-5)


def test_bad_sounds_are_refused(sound):
    _, call, card = sound
    tone = np.zeros(4000)
    for file, match in (
        (b"", "too short"),
        (b"RIFF nonsense", "WAV|RIFF|header|bytes"),
        (wav(tone, 44100), f"{card.sample_rate} samples a second"),
        (wav(np.zeros(0), card.sample_rate), "empty"),
        (wav(tone, card.sample_rate, subtype="DOUBLE"), "PCM"),
    ):
        with pytest.raises(tf.errors.InvalidArgumentError, match=match):
            call(file)


def test_where_no_kind_of_file_fits(tmp_path):
    model = build("features_mlp")
    write_saved_model(model, tmp_path / "net", zoo.card("features_mlp"))
    signatures = tf.saved_model.load(tmp_path / "net").signatures
    assert list(signatures) == ["serving_default"]
