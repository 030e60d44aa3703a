"""The mel spectrogram against librosa."""

import warnings

import keras
import librosa
import numpy as np
import pytest
from equivariance import noise
from hypothesis import given, settings
from hypothesis import strategies as st
from keras import ops

from zoo.layers.audio.mel_spectrogram import MelSpectrogram

TEMPO = {"sample_rate": 11025, "mel_bins": 40, "low": 20, "high": 5000}


def numpy(values):
    return ops.convert_to_numpy(values)


def by_librosa(waveform, layer):
    """(mel bins, frames) of one channel."""
    return librosa.feature.melspectrogram(
        y=waveform,
        sr=layer.sample_rate,
        n_fft=layer.fft_length,
        hop_length=layer.hop_length,
        n_mels=layer.mel_bins,
        fmin=layer.low,
        fmax=layer.high,
        power=layer.power,
        dtype=np.float64,  # of the filters
    )


@pytest.mark.parametrize("dtype, tolerance", [("float32", 1e-5), ("float64", 1e-10)])
@pytest.mark.parametrize(
    "arguments",
    [
        TEMPO,
        {**TEMPO, "power": 2.0},
        {**TEMPO, "power": 0.5},
        {"sample_rate": 22050, "fft_length": 2048, "mel_bins": 128},
        {"sample_rate": 16000, "fft_length": 400, "hop_length": 160, "mel_bins": 26},
        {"sample_rate": 8000, "fft_length": 256, "hop_length": 300, "mel_bins": 10},
    ],
)
def test_is_librosas(arguments, dtype, tolerance):
    waveform = noise(2, 6000, 2, dtype=dtype)
    layer = MelSpectrogram(**arguments, dtype=dtype)
    outputs = numpy(layer(waveform))
    assert outputs.dtype == dtype
    assert outputs.shape == layer.compute_output_shape(waveform.shape)
    for sound, channel in ((0, 0), (1, 1)):
        expected = by_librosa(waveform[sound, :, channel], layer)
        received = outputs[sound, :, :, channel]
        np.testing.assert_allclose(received, expected, rtol=tolerance)


@settings(max_examples=15, deadline=None)
@given(samples=st.integers(1, 900), hop=st.integers(1, 200))
def test_is_librosas_at_any_length(samples, hop):
    layer = MelSpectrogram(8000, 128, hop, 8, dtype="float64")
    waveform = noise(1, samples, 1, dtype="float64")
    with warnings.catch_warnings():  # librosa's, of a signal shorter than a frame
        warnings.simplefilter("ignore", UserWarning)
        expected = by_librosa(waveform[0, :, 0], layer)
    np.testing.assert_allclose(numpy(layer(waveform))[0, ..., 0], expected, rtol=1e-9)


def test_is_not_the_one_of_keras():
    waveform = noise(1, 3000, 1)
    other = keras.layers.MelSpectrogram(
        fft_length=1024,
        sequence_stride=512,
        sampling_rate=11025,
        num_mel_bins=40,
        min_freq=20,
        max_freq=5000,
        power_to_db=False,
        mag_exp=1.0,
    )(waveform[..., 0])
    ours = numpy(MelSpectrogram(**TEMPO)(waveform))[..., 0]
    ratio = numpy(other)[0] / ours[0]
    assert ratio.std() / ratio.mean() > 0.1


def test_a_tone_is_where_it_belongs():
    """Slaney's scale has 15 mels at 1,000 Hz, where its logarithmic part begins."""
    layer = MelSpectrogram(16000, 2048, 512, mel_bins=30, low=0, high=6400)
    # Up to 6,400 Hz, 42 mels: 31 steps, so bin m is in the middle of 42 (m + 1) / 31.
    for hertz, mel in ((1000, 15), (400, 6), (6400**0.5 * 1000**0.5, 28.5)):
        tone = np.sin(2 * np.pi * hertz * np.arange(16000) / 16000)[None, :, None]
        frame = numpy(layer(tone.astype("float32")))[0, :, 15, 0]
        # As strong on either side as the triangles, of equal area, say.
        assert abs(frame.argmax() - (mel * 31 / 42 - 1)) <= 0.75


def test_silence_is_zero_and_its_gradient_too():
    layer = MelSpectrogram(**TEMPO)
    silence = np.zeros((1, 3000, 1), "float32")
    np.testing.assert_array_equal(numpy(layer(silence)), 0)
    backend = keras.backend.backend()
    if backend == "jax":
        import jax

        gradient = jax.grad(lambda x: ops.sum(layer(x)))(silence)
    elif backend == "torch":
        x = ops.convert_to_tensor(silence).requires_grad_()
        ops.sum(layer(x)).backward()
        gradient = x.grad
    else:
        import tensorflow as tf

        x = tf.constant(silence)
        with tf.GradientTape() as tape:
            tape.watch(x)
            loss = ops.sum(layer(x))
        gradient = tape.gradient(loss, x)
    np.testing.assert_array_equal(numpy(gradient), 0)


def test_half_precision_outside_and_float32_inside():
    waveform = noise(1, 4000, 1).astype("float16")
    outputs = MelSpectrogram(**TEMPO, dtype="mixed_float16")(waveform)
    assert keras.backend.standardize_dtype(outputs.dtype) == "float16"
    expected = numpy(MelSpectrogram(**TEMPO)(waveform.astype("float32")))
    np.testing.assert_allclose(numpy(outputs), expected, rtol=2e-3)


def test_open_length_and_round_trip():
    waveform = keras.Input((None, 1))
    layer = MelSpectrogram(**TEMPO, power=2.0, name="mel")
    model = keras.Model(waveform, layer(waveform))
    assert model.output_shape == (None, 40, None, 1)
    config = keras.saving.serialize_keras_object(layer)
    assert config["registered_name"] == "convzoo>MelSpectrogram"
    restored = keras.saving.deserialize_keras_object(config)
    assert restored.get_config() == layer.get_config()
    for samples in (700, 2048):
        sound = noise(2, samples, 1)
        np.testing.assert_array_equal(numpy(restored(sound)), numpy(model(sound)))


@pytest.mark.skipif(keras.backend.backend() != "tensorflow", reason="a SavedModel")
def test_exported_without_xla(tmp_path):
    import tensorflow as tf

    waveform = keras.Input((None, 1), name="waveform")
    model = keras.Model(waveform, MelSpectrogram(**TEMPO)(waveform))
    model.export(tmp_path, verbose=False)
    assert b"_XlaMustCompile" not in (tmp_path / "saved_model.pb").read_bytes()
    sound = noise(2, 5000, 1)
    served = tf.saved_model.load(tmp_path).serve(sound)
    np.testing.assert_allclose(served, model(sound), rtol=1e-5)


@pytest.mark.parametrize(
    "arguments, message",
    [
        ({"fft_length": 0}, "`fft_length` must be a positive integer"),
        ({"fft_length": 1023}, "`fft_length` must be even"),
        ({"hop_length": 2.5}, "`hop_length` must be a positive integer"),
        ({"mel_bins": -1}, "`mel_bins` must be a positive integer"),
        ({"high": 6000}, "low < high <= sample_rate / 2.*high=6000"),
        ({"low": 5000}, "low < high"),
        ({"low": -1}, "0 <= low"),
        ({"sample_rate": 0}, "low < high"),
        ({"power": 0}, "`power` must be positive"),
        ({"mel_bins": 800}, "lies between two frequencies of the frame, 10.8 Hz"),
    ],
)
def test_arguments_that_are_refused(arguments, message):
    with pytest.raises(ValueError, match=message):
        MelSpectrogram(**{**TEMPO, **arguments})


@pytest.mark.parametrize("shape", [(None, 100), (None, 40, 100, 1)])
def test_shapes_that_are_refused(shape):
    with pytest.raises(ValueError, match="expects a waveform.*Received: input_shape"):
        MelSpectrogram(**TEMPO).build(shape)
