"""One sound file: what comes out of it, and every way in which it can be bad."""

import io
import os

import hypothesis
import hypothesis.extra.numpy
import librosa
import numpy as np
import pytest
import scipy.io.wavfile
import soundfile

from zoo.datasets.audio.recording import (
    BadSoundError,
    SoundChangedError,
    hash_and_size,
    read_sound,
    to_16_bit,
)

RATE = 16000


def noise(frames=RATE, channels=1, level=0.1, seed=0):
    random = np.random.default_rng(seed)
    return random.normal(0, level, (frames, channels)).astype(np.float32)


def encoded(waveform, form="WAV", subtype=None, rate=RATE):
    content = io.BytesIO()
    soundfile.write(content, waveform, rate, format=form, subtype=subtype)
    return content.getvalue()


@pytest.fixture
def read(tmp_path):
    def read(content, sample_rate=RATE, channels=1, name="sound.wav"):
        path = tmp_path / name
        path.write_bytes(content)
        digest, size = hash_and_size(path)
        assert size == len(content)
        return read_sound(path, digest, sample_rate, channels)

    return read


def waveform_of(sound):
    return sound.samples * np.float64(sound.scale)


def test_16_bits_stay_as_they_are(read, tmp_path):
    whole = np.random.default_rng(0).integers(-(2**15), 2**15, 5000).astype(np.int16)
    scipy.io.wavfile.write(tmp_path / "scipy.wav", RATE, whole)
    sound = read((tmp_path / "scipy.wav").read_bytes())
    np.testing.assert_array_equal(sound.samples[:, 0], whole)
    assert sound.scale == 2**-15


@pytest.mark.parametrize(
    ("form", "subtype", "tolerance"),
    [
        ("WAV", "PCM_U8", 1 / 127),
        ("WAV", "PCM_24", 2e-5),
        ("WAV", "FLOAT", 2e-5),
        ("FLAC", "PCM_24", 2e-5),
        ("AIFF", "PCM_16", 4e-5),
        ("OGG", "VORBIS", None),
        ("MP3", None, None),
    ],
)
def test_formats(read, form, subtype, tolerance):
    waveform = noise(level=0.2)
    sound = read(encoded(waveform, form, subtype), name="of_no_kind")
    if tolerance is None:  # lossy: what libsndfile gives, by its own door
        content = encoded(waveform, form, subtype)
        waveform = soundfile.read(io.BytesIO(content), always_2d=True)[0]
        tolerance = 4e-5
    np.testing.assert_allclose(waveform_of(sound), waveform, atol=tolerance)


def test_the_content_decides_not_the_name(read):
    whole = np.random.default_rng(0).integers(-(2**15), 2**15, (RATE, 1), np.int16)
    flac = read(encoded(whole, "FLAC"), name="sound.wav")
    wav = read(encoded(whole, "WAV"), name="sound.raw")
    np.testing.assert_array_equal(flac.samples, wav.samples)
    assert flac.content_hash() == wav.content_hash()


@pytest.mark.parametrize(
    ("own", "wanted"), [(96000, 16000), (44100, 22050), (8000, 16000)]
)
def test_resampling_is_librosas(read, own, wanted):
    waveform = noise(own // 2)
    sound = read(encoded(waveform, subtype="FLOAT", rate=own), wanted)
    expected = librosa.resample(
        waveform[:, 0], orig_sr=own, target_sr=wanted, res_type="soxr_hq"
    )
    assert abs(len(sound.samples) - wanted // 2) <= 1
    np.testing.assert_allclose(waveform_of(sound)[:, 0], expected, atol=2e-5)


def test_resampling_lets_nothing_alias(read):
    """10 kHz is beyond what 16 kHz can hold; taking each second sample folds it."""
    tone = np.sin(2 * np.pi * 10_000 * np.arange(32000) / 32000)[:, None]
    sound = waveform_of(read(encoded(tone, rate=32000), 16000))
    assert np.abs(sound[100:-100]).max() < 1e-3
    assert np.abs(tone[::2]).max() > 0.9


def test_overshoot_is_kept_not_clipped(read):
    """Jumps between two values ring over both when their edges are rounded off."""
    square = np.sign(np.repeat(noise(4800), 10, axis=0))
    sound = read(encoded(square * 0.99, subtype="FLOAT", rate=48000), 16000)
    assert 1.05 < np.abs(waveform_of(sound)).max() < 1.5
    assert np.abs(sound.samples).max() == 2**15 - 1
    assert (np.abs(sound.samples) == 2**15 - 1).sum() <= 2


def test_quiet_sound_is_not_silence(read):
    waveform = noise(level=1e-7)
    sound = read(encoded(waveform, subtype="FLOAT"))
    np.testing.assert_allclose(waveform_of(sound), waveform, atol=1e-11)


def test_channels(read):
    waveform = noise(channels=6)
    content = encoded(waveform, subtype="FLOAT")
    np.testing.assert_allclose(
        waveform_of(read(content)), waveform.mean(axis=1, keepdims=True), atol=1e-5
    )
    np.testing.assert_allclose(
        waveform_of(read(content, channels=6)), waveform, atol=2e-5
    )
    with pytest.raises(BadSoundError, match="has channels: 6, asked for: 2"):
        read(content, channels=2)


def bits_flipped(content):
    middle = len(content) // 2
    return content[:middle] + bytes(60) + content[middle + 60 :]


WITH_NAN, WITH_INF = noise(), noise()
WITH_NAN[5], WITH_INF[5] = np.nan, -np.inf
LONG = noise(4 * RATE)
BAD = {
    "empty": (b"", "empty, 0 bytes"),
    "text": (b"this is no sound\n" * 100, "can't be decoded: Format not recognised"),
    "zeros": (bytes(5000), "can't be decoded"),
    "noise": (np.random.default_rng(0).bytes(5000), "can't be decoded"),
    "no frames": (encoded(noise(0)), "holds no sound, 0 frames"),
    "one sample": (encoded(noise(1)), "too short: 1 of 16000 frames a second"),
    "nan": (encoded(WITH_NAN, subtype="FLOAT"), "holds NaN or infinite values"),
    "inf": (encoded(WITH_INF, subtype="FLOAT"), "holds NaN or infinite values"),
    "rate": (encoded(noise(), rate=3), "has a sample rate of 3 Hz"),
    "header of wav": (encoded(LONG)[:30], "can't be decoded"),
    "cut wav": (encoded(LONG)[:-64000], "cut or damaged: 32000 of 64000 frames"),
    "cut flac": (encoded(LONG, "FLAC")[:-20000], "can't be decoded"),
    "cut ogg": (encoded(LONG, "OGG")[:-6000], "cut or damaged"),
    "cut mp3": (encoded(LONG, "MP3")[:-10000], "cut or damaged"),
    "damaged flac": (bits_flipped(encoded(LONG, "FLAC")), "can't be decoded"),
    "damaged ogg": (bits_flipped(encoded(LONG, "OGG")), "cut or damaged"),
}


@pytest.mark.parametrize("name", BAD)
def test_bad_files_are_refused(read, name):
    content, reason = BAD[name]
    with pytest.raises(BadSoundError) as caught:
        read(content)
    assert reason in str(caught.value)
    assert "\n" not in str(caught.value)


ALTERNATING = np.tile([[1.0], [-1.0]], (4000, 1))
REMARKED = {
    "silent": (np.zeros((8000, 1)), "silent"),
    "DC only": (np.full((8000, 1), 0.3), "holds one value only, 0.3"),
    "DC offset": (noise() - 0.2, "DC offset of -0.2"),
    "clipped": (np.clip(noise(level=0.6), -1, 1), "clipped: "),
    "beyond": (ALTERNATING * 7, "beyond full scale, up to 7"),
    "opposite": (
        noise(channels=1) * np.array([[1, -1]], np.float32),
        "its channels cancel each other out",
    ),
}


@pytest.mark.parametrize("name", REMARKED)
def test_suspicious_files_are_kept_with_a_remark(read, name):
    waveform, remark = REMARKED[name]
    sound = read(encoded(waveform, subtype="FLOAT"))
    assert any(remark in each for each in sound.remarks), sound.remarks
    expected = waveform.mean(axis=1, keepdims=True)
    np.testing.assert_allclose(waveform_of(sound), expected, atol=2e-4)
    assert sound.quiet == (name in ("silent", "DC only"))


@pytest.mark.parametrize("subtype", ["PCM_16", "FLOAT", "PCM_24"])
def test_a_loud_tone_is_not_taken_for_clipped(read, subtype):
    tone = np.sin(2 * np.pi * 440 * np.arange(RATE) / RATE)[:, None]
    assert read(encoded(tone * 0.99999, subtype=subtype)).remarks == ()
    clipped = read(encoded(np.clip(tone * 1.01, -1, 1), subtype=subtype))
    assert "clipped" in clipped.remarks[0]


def test_a_little_missing_is_a_remark(read):
    sound = read(encoded(LONG)[:-100])
    assert sound.remarks == ("cut: 63950 of 64000 frames",)
    assert len(sound.samples) == 63950


def test_ogg_cut_between_pages(read):
    content = encoded(LONG, "OGG")
    sound = read(content[: content.rindex(b"OggS")])
    assert sound.remarks == ("cut: its last page is missing",)
    assert 32000 < len(sound.samples) < 64000
    assert read(content).remarks == ()


def test_length_unknown_when_it_was_written(read):
    """As programs leave it that write a WAV into a pipe."""
    content = bytearray(encoded(noise()))
    place = content.index(b"data") + 4
    content[place : place + 4] = b"\xff\xff\xff\xff"
    assert read(bytes(content)).remarks == ()


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_without_permission(tmp_path):
    path = tmp_path / "sound.wav"
    path.write_bytes(encoded(noise()))
    path.chmod(0)
    with pytest.raises(BadSoundError, match="cannot be read: Permission denied"):
        hash_and_size(path)


def test_a_refusal_of_the_system_is_a_reason(tmp_path, monkeypatch):
    def refuse(*arguments):
        raise PermissionError(13, "Permission denied")

    path = tmp_path / "sound.wav"
    path.write_bytes(encoded(noise()))
    monkeypatch.setattr("builtins.open", refuse)
    with pytest.raises(BadSoundError, match="cannot be read: Permission denied"):
        hash_and_size(path)


def test_what_is_not_the_listed_file(tmp_path):
    path = tmp_path / "sound.wav"
    path.write_bytes(encoded(noise()))
    digest, _ = hash_and_size(path)
    path.write_bytes(encoded(noise(seed=1)))
    with pytest.raises(SoundChangedError, match="changed"):
        read_sound(path, digest, RATE, 1)
    path.unlink()
    with pytest.raises(SoundChangedError, match="vanished"):
        read_sound(path, digest, RATE, 1)
    with pytest.raises(BadSoundError, match="is not there"):
        hash_and_size(path)
    with pytest.raises(BadSoundError, match="is no file"):
        hash_and_size(tmp_path)


FLOATS = hypothesis.extra.numpy.arrays(
    np.float32,
    hypothesis.extra.numpy.array_shapes(min_dims=2, max_dims=2, max_side=20),
    elements={"allow_nan": False, "allow_infinity": False},
)


@hypothesis.settings(deadline=None, max_examples=200)
@hypothesis.given(FLOATS)
def test_16_bits_and_a_scale_hold_any_waveform(waveform):
    samples, scale = to_16_bit(waveform)
    assert samples.dtype == np.int16
    assert np.isfinite(np.float32(scale))
    peak = np.abs(waveform).max()
    error = np.abs(samples * np.float64(np.float32(scale)) - waveform).max()
    assert error <= peak / 2**16 * 1.001 + 1e-30


@hypothesis.settings(deadline=None, max_examples=100)
@hypothesis.given(hypothesis.extra.numpy.arrays(np.int16, (7, 2)))
def test_16_bits_are_exact(whole):
    samples, scale = to_16_bit(whole.astype(np.float32) / 2**15)
    np.testing.assert_array_equal(samples, whole)
    assert scale == 2**-15
