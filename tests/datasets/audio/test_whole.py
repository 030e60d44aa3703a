"""No recording is shortened in silence: whole, refused or remarked, whatever is cut."""

import io
import re

import hypothesis
import hypothesis.strategies as st
import numpy as np
import pytest
import soundfile

from zoo.datasets.audio.decode import BadSoundError, decode
from zoo.datasets.audio.mpeg import read_mpeg
from zoo.datasets.audio.ogg import read_ogg
from zoo.datasets.audio.recording import hash_and_size, make_sound, read_sound

RATE = 16000
# Below that much nobody misses anything, in seconds.
MISSED = 0.05
# What libsndfile writes, one file each; the second element is the subtype.
FORMATS = [
    ("AIFF", "PCM_16"),
    ("AIFF", "IMA_ADPCM"),
    ("AU", "PCM_24"),
    ("AU", "G721_32"),
    ("AVR", "PCM_16"),
    ("CAF", "PCM_16"),
    ("CAF", "ALAC_16"),
    ("FLAC", "PCM_16"),
    ("HTK", "PCM_16"),
    ("SVX", "PCM_16"),
    ("MAT4", "DOUBLE"),
    ("MAT5", "PCM_16"),
    ("MPC2K", "PCM_16"),
    ("MP3", "MPEG_LAYER_III"),
    ("OGG", "VORBIS"),
    ("OGG", "OPUS"),
    ("PAF", "PCM_24"),
    ("PVF", "PCM_16"),
    ("RF64", "PCM_16"),
    ("SDS", "PCM_16"),
    ("IRCAM", "FLOAT"),
    ("VOC", "PCM_16"),
    ("W64", "PCM_16"),
    ("W64", "MS_ADPCM"),
    ("WAV", "PCM_16"),
    ("WAV", "GSM610"),
    ("WAVEX", "FLOAT"),
    ("NIST", "PCM_16"),
    ("WVE", "ALAW"),
    ("XI", "DPCM_16"),
]
MONO = ("HTK", "SVX", "SDS", "WVE", "XI")
MONO_SUBTYPES = ("GSM610", "G721_32")


def noise(seconds=1.0, channels=1, rate=RATE, seed=0):
    random = np.random.default_rng(seed)
    return random.normal(0, 0.1, (round(seconds * rate), channels)).astype(np.float32)


def encoded(waveform, form, subtype=None, rate=RATE, **options):
    content = io.BytesIO()
    soundfile.write(content, waveform, rate, format=form, subtype=subtype, **options)
    return content.getvalue()


def mp3(seconds, rate=44100, channels=2, mode="CONSTANT", seed=0):
    """Pink noise would do as well: what matters is that quiet and loud take turns."""
    waveform = noise(seconds, channels, rate, seed)
    waveform *= np.linspace(1, 0.001, len(waveform))[:, np.newaxis] ** 2
    return encoded(waveform, "MP3", rate=rate, bitrate_mode=mode, compression_level=0.5)


def without_first_frame(content):
    """An MP3 without the Xing header, which fills the first frame."""
    mark = max(content.find(b"Xing"), content.find(b"Info"))
    assert 0 < mark < 50
    return content[content.index(content[:2], mark) :]


@pytest.fixture
def read(tmp_path):
    def read(content):
        path = tmp_path / "recording"
        path.write_bytes(content)
        with open(path, "rb", buffering=0) as file:
            waveform, rate, remarks = decode(file)
        # Refuses what holds nothing.
        make_sound(waveform, rate, rate, waveform.shape[1])
        return waveform, rate, remarks

    return read


def frames_of(content):
    """How many frames libsndfile reads from a file that is whole."""
    with soundfile.SoundFile(io.BytesIO(content)) as file:
        return file.frames


@pytest.mark.parametrize("mode", ["CONSTANT", "VARIABLE", "AVERAGE"])
@pytest.mark.parametrize(("rate", "channels"), [(44100, 2), (22050, 1), (8000, 1)])
def test_mp3_without_xing_header(read, mode, rate, channels):
    content = mp3(10, rate, channels, mode)
    with_header, own_rate, _ = read(content)
    waveform, _, remarks = read(without_first_frame(content))
    assert remarks == []
    assert own_rate == rate
    # Encoder and decoder delay, which the header alone tells, are heard as well.
    frame = 1152 if rate > 24000 else 576
    assert len(waveform) % frame == 0
    delay = np.argmax(
        np.correlate(waveform[:4000, 0], with_header[:2000, 0], mode="valid")
    )
    assert delay == 1105
    np.testing.assert_allclose(
        waveform[delay : delay + len(with_header)], with_header, atol=1e-5
    )


def silent_layer_2(count):
    """MPEG-1 layer II, 44.1 kHz, mono, 384 kbit/s as in the false alarm, CRC off."""
    sizes = [144 * 192000 // 44100 + (number % 10 != 0) for number in range(count)]
    heads = [
        bytes([0xFF, 0xFD, 0xA0 | (number % 10 != 0) << 1, 0xC0])
        for number in range(count)
    ]
    return b"".join(
        head.ljust(size, b"\0") for head, size in zip(heads, sizes, strict=True)
    )


def test_mp2(read):
    content = silent_layer_2(300)
    # The estimate of libsndfile is not the number of frames.
    assert frames_of(content) != 300 * 1152
    waveform, rate, remarks = read(content)
    assert (len(waveform), rate, remarks) == (300 * 1152, 44100, [])
    waveform, _, remarks = read(content[:-100])
    assert len(waveform) == 299 * 1152
    assert remarks == ["cut: its last frame is not all there"]


@pytest.mark.parametrize(
    ("form", "subtype"),
    [("OGG", "OPUS"), ("RF64", None), ("AU", None), ("W64", None), ("XI", "DPCM_16")],
)
def test_cut_to_60_percent(read, form, subtype):
    content = encoded(noise(4), form, subtype)
    assert len(read(content)[0]) == 4 * RATE
    try:
        assert read(content[: len(content) * 6 // 10])[2] != []
    except BadSoundError as error:
        assert "cut or damaged" in str(error)


JOINABLE = {
    "mp3": (mp3(3, seed=1), mp3(2, seed=2)),
    "mp3 without Xing": (mp3(3, seed=1), without_first_frame(mp3(2, seed=2))),
    "vbr": (mp3(3, mode="VARIABLE"), mp3(2, mode="VARIABLE")),
    "mp3 and its tag": (mp3(3) + b"TAG".ljust(128, b"\0"), mp3(2)),
    "mp3 and id3v2": (
        mp3(3),
        b"ID3\4\0\0\0\0\x10\0" + bytes(2048) + mp3(2),
    ),
    "vorbis": tuple(encoded(noise(s, 2, seed=s), "OGG", "VORBIS") for s in (3, 2)),
    "opus": tuple(encoded(noise(s, 2, seed=s), "OGG", "OPUS") for s in (3, 2)),
    "flac": tuple(encoded(noise(s, 2, seed=s), "FLAC") for s in (3, 2)),
}


@pytest.mark.parametrize("name", JOINABLE)
def test_joined_files_are_read_whole(read, name):
    first, second = JOINABLE[name]
    expected = np.concatenate([read(first)[0], read(second)[0]])
    waveform, _, remarks = read(first + second)
    assert remarks == []
    np.testing.assert_array_equal(waveform, expected)
    for cut in (10, 300, len(second) // 2, len(second) - 10):
        try:
            assert any("cut" in each for each in read(first + second[:cut])[2])
        except BadSoundError as error:
            assert re.match("cut or damaged|can't be decoded", str(error))


@pytest.mark.parametrize("form", ["MP3", "OGG", "FLAC"])
@pytest.mark.parametrize("other", [(22050, 2), (44100, 1)])
def test_joined_files_that_differ(read, form, other):
    rate, channels = other
    content = encoded(noise(1, 2, 44100), form, rate=44100)
    content += encoded(noise(1, channels, rate), form, rate=rate)
    with pytest.raises(BadSoundError, match="44100 Hz with 2 channels, ") as caught:
        read(content)
    assert f"{rate} Hz with {channels} channels" in str(caught.value)


def whole_files():
    # RAW has no header; SD2 has its own beside it, in a file "._" in this folder.
    for form in sorted({*soundfile.available_formats()} - {"RAW", "SD2"}):
        for subtype in soundfile.available_subtypes(form):
            for seconds, rate, channels in (
                (0.0012, 44100, 1),
                (0.03, 8000, 1),
                (0.1, 22050, 2),
                (0.5, 48000, 2),
                (0.7, 16000, 1),
                (1.3, 16000, 3),
            ):
                yield form, subtype, seconds, rate, channels


def test_whole_files_are_read_whole(read):
    """All that soundfile writes: formats, codings, sample rates and channels."""
    forms, count = set(), 0
    for form, subtype, seconds, rate, channels in whole_files():
        waveform = noise(seconds, channels, rate)
        try:
            content = encoded(waveform, form, subtype, rate)
        except (soundfile.LibsndfileError, AssertionError):  # It can't write that one.
            continue
        try:
            result, own_rate, remarks = read(content)
        except BadSoundError as error:
            # libsndfile itself can't read those again.
            unread = subtype.startswith("DWVW") or (form == "SDS" and seconds < 0.01)
            assert unread, (form, subtype, seconds, rate, channels, error)
            continue
        what = (form, subtype, seconds, rate, channels, len(result), remarks)
        if form in ("PAF", "PVF", "IRCAM", "XI"):
            assert "do not say how long" in remarks.pop(), what
        assert remarks == [], what
        # WVE and XI have one sample rate each, HTK, SDS and VOC round it.
        assert own_rate == rate or form in ("WVE", "XI", "SDS", "HTK", "VOC"), what
        # Codings in blocks fill the last one, and libsndfile's PAF loses one.
        assert len(result) >= len(waveform) - 20 * (form == "PAF"), what
        forms.add(form)
        count += 1
    assert len(forms) >= 22
    assert count > 400


@pytest.mark.parametrize(("form", "subtype"), FORMATS)
def test_a_cut_is_never_silent(read, form, subtype):
    """Over 1000 cuts in 25 formats, those inside the header included."""
    mono = form in MONO or subtype in MONO_SUBTYPES
    content = encoded(noise(2.5, 1 if mono else 2), form, subtype)
    whole = len(read(content)[0])
    random = np.random.default_rng(len(content))
    cuts = {
        *random.integers(1, len(content), 20).tolist(),
        *random.integers(1, 200, 5).tolist(),
        *random.integers(len(content) * 95 // 100, len(content), 8).tolist(),
        *range(len(content) - 4, len(content)),
    }
    for cut in cuts:
        try:
            waveform, rate, remarks = read(content[:cut])
        except BadSoundError:
            continue
        assert whole - len(waveform) <= MISSED * rate or remarks, (cut, len(content))
        if form != "OGG" and "do not say" not in "".join(remarks):
            # Of those that know how long they are, what is left is most of it.
            assert len(waveform) >= 0.9 * whole, (cut, len(content))


def test_a_cut_inside_a_frame_of_mp3_without_xing_is_never_silent(read):
    content = without_first_frame(mp3(2, mode="VARIABLE"))
    starts = {0}
    while (last := max(starts)) < len(content):
        starts.add(last + read_first_frame(content[last:]))
    random = np.random.default_rng(0)
    for cut in set(random.integers(1000, len(content), 40).tolist()) - starts:
        _, _, remarks = read(content[:cut])
        assert remarks == ["cut: its last frame is not all there"], cut


def read_first_frame(content):
    from zoo.datasets.audio.mpeg import _header

    return _header(content[:4]).size


def test_damaged_in_the_middle(read):
    content = mp3(4)
    gone = content[: len(content) // 2] + content[len(content) // 2 + 3000 :]
    assert any("damaged" in each for each in read(gone)[2])
    zeroed = content[:20000] + bytes(3000) + content[23000:]
    assert any("damaged in the middle" in each for each in read(zeroed)[2])

    content = encoded(noise(4), "OGG", "OPUS")
    pages = [
        found for found in range(len(content)) if content[found:].startswith(b"OggS")
    ]
    gone = content[: pages[3]] + content[pages[4] :]
    try:
        assert any("damaged in the middle" in each for each in read(gone)[2])
    except BadSoundError as error:
        assert "cut or damaged" in str(error)


def test_what_stands_beside_the_frames_of_an_mp3(read):
    content = mp3(2)
    expected = read(content)[0]
    ape = b"APETAGEX" + (2000).to_bytes(4, "little") + (32).to_bytes(4, "little")
    size = ape.ljust(20, b"\0")
    header = size + (0xA0000000).to_bytes(4, "little") + bytes(8)
    for tagged in (
        b"ID3\3\0\0\0\0\x27\x10" + bytes(5008) + content,
        content + b"TAG".ljust(128, b" "),
        content + header + bytes(32) + b"TAG".ljust(128, b" "),
        content + b"LYRICSBEGIN" + b"la " * 50 + b"000161LYRICS200",
        content + bytes(417),
    ):
        waveform, _, remarks = read(tagged)
        assert remarks == []
        np.testing.assert_array_equal(waveform, expected)
    assert read(content + b"junk" * 500)[2] == [
        "damaged: its last 2000 bytes are no audio"
    ]


def test_voc_in_several_blocks(read):
    """libsndfile alone plays the heads of the blocks as audio."""
    waveform = noise(1, 2)
    content = encoded(waveform, "VOC", "PCM_16")
    audio = content[42:-1]
    assert content[26:30] == b"\x09" + (12 + len(audio)).to_bytes(3, "little")
    blocks = [
        b"\x02"
        + len(audio[place : place + 4000]).to_bytes(3, "little")
        + audio[place : place + 4000]
        for place in range(8000, len(audio), 4000)
    ]
    first = b"\x09" + (8012).to_bytes(3, "little") + content[30:42] + audio[:8000]
    several = content[:26] + first + b"".join(blocks) + b"\0"
    result, _, remarks = read(several)
    assert remarks == []
    np.testing.assert_array_equal(result, read(content)[0])
    # In the middle of a block, between two blocks, and in the middle of a head.
    for cut in (len(several) // 2, len(several) - 4005, 26 + 8016 + 4004 + 2):
        assert "cut: " in read(several[:cut])[2][0]


def without_length(flac):
    """As an encoder leaves it that writes into a pipe: 36 bits of zero."""
    place = flac.index(b"fLaC") + 21
    return flac[:place] + bytes([flac[place] & 0xF0]) + bytes(4) + flac[place + 5 :]


def test_flac_of_unknown_length(read):
    content = encoded(noise(4, 2), "FLAC")
    waveform, _, remarks = read(without_length(content))
    assert remarks == []
    np.testing.assert_array_equal(waveform, read(content)[0])


def in_ogg(flac):
    """FLAC on Ogg pages of up to 255 * 255 bytes, with the checksum bit by bit."""
    bodies = [b"\x7fFLAC\1\0\0\1" + flac[:42]]
    bodies += [flac[place : place + 60000] for place in range(42, len(flac), 60000)]
    pages = []
    for number, body in enumerate(bodies):
        sizes = bytes([255] * (len(body) // 255) + [len(body) % 255])
        flags = 2 * (number == 0) + 4 * (number == len(bodies) - 1)
        head = b"OggS\0" + bytes([flags]) + number.to_bytes(8, "little") + b"1234"
        head += number.to_bytes(4, "little")
        tail = bytes([len(sizes)]) + sizes + body
        crc = crc_of_ogg(head + bytes(4) + tail)
        pages.append(head + crc.to_bytes(4, "little") + tail)
    return b"".join(pages)


def crc_of_ogg(content):
    crc = 0
    for byte in content:
        crc ^= byte << 24
        for _ in range(8):
            crc = (crc << 1 ^ (0x04C11DB7 if crc >> 31 else 0)) & 0xFFFFFFFF
    return crc


def test_flac_in_ogg(read):
    content = encoded(noise(1.5, 2), "FLAC")
    waveform, _, remarks = read(in_ogg(content))
    assert remarks == []
    np.testing.assert_array_equal(waveform, read(content)[0])


def test_a_xing_header_that_announces_years(read):
    """Without a number of bytes beside it, it counts; no memory is taken for it."""
    content = bytearray(mp3(1))
    mark = max(content.find(b"Xing"), content.find(b"Info"))
    content[mark + 8 : mark + 12] = b"\xff\xff\xff\0"
    assert read(bytes(content))[2] == []
    content[mark + 7] &= ~2
    with pytest.raises(BadSoundError, match="cut or damaged: "):
        read(bytes(content))


def test_what_the_data_sets_get(tmp_path):
    """`read_sound` is the door that all of them use."""
    path = tmp_path / "recording.mp3"
    content = without_first_frame(mp3(5, mode="VARIABLE"))
    path.write_bytes(content)
    digest, _ = hash_and_size(path)
    sound = read_sound(path, digest, 22050, 1)
    assert abs(len(sound.samples) / 22050 - 5) < 0.06
    path.write_bytes(content[:-10])
    sound = read_sound(path, hash_and_size(path)[0], 22050, 1)
    assert sound.remarks == ("cut: its last frame is not all there",)


def test_trailing_chunks_are_no_cut(read):
    content = encoded(noise(1), "WAV")
    chunk = b"LIST" + (26).to_bytes(4, "little") + b"INFOISFT\x0e\0\0\0Lavf59.27.100\0"
    waveform, _, remarks = read(content + chunk)
    assert (len(waveform), remarks) == (RATE, [])
    assert read((content + chunk)[:-10])[2] == []


@pytest.mark.parametrize(
    ("form", "mark", "size"),
    [
        ("WAV", b"data", 0x7FFFF000),
        ("WAV", b"data", 0x80000000),
        ("WAV", b"data", 0xFFFFFFFF),
        ("AU", b".snd\0\0\0\x18", 0x7FFFF000),
        ("AU", b".snd\0\0\0\x18", 0xFFFFFFFF),
    ],
)
def test_streams_of_unknown_length_are_no_cut(read, form, mark, size):
    content = bytearray(encoded(noise(1), form))
    place = content.index(mark) + len(mark)
    content[place : place + 4] = size.to_bytes(4, "little" if form == "WAV" else "big")
    waveform, _, remarks = read(bytes(content))
    assert (len(waveform), remarks) == (RATE, [])


SHORT = {form: encoded(noise(0.3), form, subtype) for form, subtype in FORMATS}


@hypothesis.settings(deadline=None, max_examples=300, derandomize=True)
@hypothesis.given(
    st.sampled_from(sorted(SHORT)),
    st.lists(st.tuples(st.floats(0, 1), st.integers(0, 255)), min_size=1, max_size=8),
    st.floats(0, 1),
)
def test_damaged_files_raise_no_other_error(tmp_path_factory, form, changes, start):
    content = bytearray(SHORT[form])
    for place, value in changes:
        content[int(start * place * (len(content) - 1))] = value
    path = tmp_path_factory.getbasetemp() / "damaged"
    path.write_bytes(content)
    with open(path, "rb", buffering=0) as file:
        try:
            waveform, _, _ = decode(file)
        except BadSoundError as error:
            assert str(error)
        else:
            assert waveform.dtype == np.float32


@hypothesis.settings(deadline=None, max_examples=200)
@hypothesis.given(
    st.binary(max_size=3000), st.sampled_from([b"", b"\xff\xfb\x90\x64", b"OggS\0"])
)
def test_any_bytes_are_walked_to_their_end(content, start):
    mpeg = read_mpeg(start + content)
    assert mpeg.between + mpeg.behind <= len(start + content)
    read_ogg(start + content)
