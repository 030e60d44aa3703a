"""From an audio file to its waveform, and how much of it is missing.

libsndfile decodes; what the file says about its own length is read independently of it,
since libsndfile takes many a cut file for a shorter one.
"""

import contextlib
import dataclasses
import io
import os
import re

import numpy as np
import soundfile

from zoo.datasets.audio.containers import (
    WITHOUT_LENGTH,
    announced_extent,
    merged_voc,
)
from zoo.datasets.audio.mpeg import read_mpeg
from zoo.datasets.audio.ogg import OPUS_TICKS, read_ogg

# Less than that is no recording any more, but a part of one: our choice.
WHOLE_SHARE = 0.95
# libsndfile's word for a length that it does not know is far above that.
MOST_FRAMES = 2**48
# More than three hours in stereo; longer files are read piece by piece.
VALUES_AT_ONCE = 2**30
BLOCK_FRAMES = 2**20
# The start of a FLAC file: its first block has 34 bytes, and may be its only one.
FLAC_START = re.compile(rb"fLaC[\0\x80]\0\0\x22", re.S)


class BadSoundError(ValueError):
    """Says what is wrong with a file, without its name."""


@dataclasses.dataclass(frozen=True)
class _Part:
    """One of the recordings that stand one behind the other in a file.

    Attributes:
        waveform: float32 array (frames, channels).
        rate: its sample rate in Hz.
        announced: how many frames it should have.
    """

    waveform: np.ndarray
    rate: int
    announced: int


def decode(file):
    """Decodes an open file, in any format that libsndfile reads; content decides which.

    Where recordings were joined one behind the other (MP3, Ogg, FLAC), it gives all.

    Args:
        file: an open binary file without a buffer, since libsndfile moves in it too.

    Returns:
        The waveform, float32 (frames, channels); its sample rate in Hz; and a list of
        remarks about what is missing or damaged.

    Raises:
        BadSoundError: it can't be decoded, a twentieth of it or more is missing, or its
            parts don't fit together.
    """
    container, subtype = _format(file)
    file.seek(0)
    if container == "OGG":
        parts, remarks = _ogg_parts(file)
    elif subtype.startswith("MPEG_LAYER"):
        parts, remarks = _mpeg_parts(file, container)
    elif container == "FLAC":
        parts, remarks = _flac_parts(file)
    else:
        parts, remarks = _plain_part(file, container)
    return _joined(parts, remarks)


def _format(file):
    """The container and the coding, in libsndfile's names."""
    file.seek(0)
    head = file.read(19)
    # Of several streams in Ogg, or blocks in VOC, libsndfile may find none.
    if head.startswith(b"OggS"):
        return "OGG", ""
    if head == b"Creative Voice File":
        return "VOC", ""
    with _open_file(file) as audio:
        return audio.format, audio.subtype


def _joined(parts, remarks):
    """Waveform, sample rate and remarks of the parts together."""
    kinds = dict.fromkeys((part.rate, part.waveform.shape[1]) for part in parts)
    if not kinds:
        raise BadSoundError("can't be decoded: no audio in it")
    if len(kinds) > 1:
        listed = ", ".join(f"{rate} Hz with {count} channels" for rate, count in kinds)
        raise BadSoundError(
            f"holds recordings that differ, one behind the other: {listed}; "
            f"split it into one file each"
        )
    waveform = parts[0].waveform
    if len(parts) > 1:
        waveform = np.concatenate([part.waveform for part in parts])
    announced = sum(part.announced for part in parts)
    if len(waveform) < announced:
        fault = f"{len(waveform)} of {announced} frames"
        if len(waveform) < WHOLE_SHARE * announced:
            raise BadSoundError(f"cut or damaged: {fault}")
        remarks = [*remarks, f"cut: {fault}"]
    return waveform, parts[0].rate, remarks


class _ForwardFile(soundfile.SoundFile):
    """soundfile moves to where it is after each read; not all codings can do that."""

    def seekable(self):
        return False


@contextlib.contextmanager
def _opened(source):
    """soundfile's open file, whose errors become `BadSoundError`s."""
    try:
        with _ForwardFile(source, closefd=False) as audio:
            yield audio
    # soundfile raises its own errors, and others on headers that make no sense.
    except (RuntimeError, TypeError, ValueError, MemoryError) as error:
        reason = str(error).split(": ", 1)[-1] or type(error).__name__
        raise BadSoundError(f"can't be decoded: {reason}") from error


def _open_file(file):
    # By its number: libsndfile sees no name, so that no ending misleads it.
    file.seek(0)
    return _opened(file.fileno())


def _read(opened, frames=None):
    """The `_Part` of what `_opened` gives, of that many frames at most."""
    with opened as audio:
        announced = audio.frames
        wanted = announced if frames is None else frames
        if wanted * audio.channels <= VALUES_AT_ONCE:
            waveform = audio.read(wanted, dtype="float32", always_2d=True)
        else:
            # Perhaps a damaged header: no memory for what may not be there.
            waveform = np.concatenate(list(_blocks(audio)))[:wanted]
        if announced > MOST_FRAMES:
            announced = len(waveform)
        return _Part(waveform, audio.samplerate, announced)


def _blocks(audio):
    """Yields what is left of an open file."""
    block = [None]
    while len(block):
        block = audio.read(BLOCK_FRAMES, dtype="float32", always_2d=True)
        yield block


def _plain_part(file, container):
    """A file whose header alone says how long it is."""
    if container == "VOC":
        file.seek(0)
        part = _read(_opened(io.BytesIO(merged_voc(file.readall()))))
    else:
        part = _read(_open_file(file))
    remarks = []
    if container in WITHOUT_LENGTH and announced_extent(file, container) is None:
        remarks.append(
            f"{container} files do not say how long they are: if its end were "
            f"missing, that would not show"
        )
    return [_lengthened(part, _missing_ratio(file, container))], remarks


def _missing_ratio(file, container):
    """Bytes of audio that a header announces, and those that are there."""
    extent = announced_extent(file, container)
    held = os.fstat(file.fileno()).st_size - extent.start if extent else 0
    if held > 0 and extent.size and extent.size > held:
        return extent.size, held
    return 1, 1


def _lengthened(part, ratio):
    """The part, with as many frames announced as all of its bytes would give."""
    whole, held = ratio
    announced = -(-len(part.waveform) * whole // held)
    return dataclasses.replace(part, announced=max(part.announced, announced))


def _flac_parts(file):
    """The parts of a FLAC file, and no remarks: libsndfile checks each itself."""
    data = file.readall()
    starts = [found.start() for found in FLAC_START.finditer(data)]
    if len(starts) < 2:
        return [_read(_open_file(file))], []
    ends = [*starts[1:], len(data)]
    parts = [data[start:end] for start, end in zip(starts, ends, strict=True)]
    return [_read(_opened(io.BytesIO(part))) for part in parts], []


def _mpeg_parts(file, container):
    """The parts of MPEG audio in a file of its own or in a WAV, and remarks."""
    data = file.readall()
    ratio = 1, 1
    if container != "MP3" and (extent := announced_extent(file, container)):
        end = None if extent.size is None else extent.start + extent.size
        data = data[extent.start : end]
        ratio = _missing_ratio(file, container)
    mpeg = read_mpeg(data)
    parts = [_mpeg_part(stream) for stream in mpeg.streams]
    if parts:
        parts[-1] = _lengthened(parts[-1], ratio)
    remarks = []
    if mpeg.between:
        remarks.append(f"damaged in the middle: {mpeg.between} bytes are no audio")
    if mpeg.behind:
        remarks.append(f"damaged: its last {mpeg.behind} bytes are no audio")
    if mpeg.cut:
        remarks.append("cut: its last frame is not all there")
    return parts, remarks


def _mpeg_part(stream):
    if stream.has_length:
        return _read(_opened(io.BytesIO(stream.content)))
    # libsndfile stops at its estimate of the length, and opens no single frame:
    # silence behind the frames makes it go on to their end.
    content = stream.content + 2 * stream.silence
    with _opened(io.BytesIO(content)) as audio:
        missing = stream.samples - audio.frames
    if missing > 0:
        content += stream.silence * (missing // stream.samples_per_frame + 2)
    part = _read(_opened(io.BytesIO(content)), stream.samples)
    announced = stream.announced or len(part.waveform)
    return dataclasses.replace(part, announced=announced)


def _ogg_parts(file):
    parts, remarks = [], []
    for link in read_ogg(file.readall()):
        part = _read(_opened(io.BytesIO(link.content)))
        ticks = OPUS_TICKS if link.codec == "Opus" else part.rate
        announced = max(part.announced, link.ticks * part.rate // ticks)
        announced += link.cut_ticks * part.rate // ticks
        parts.append(dataclasses.replace(part, announced=announced))
        remarks += [remark for remark in link.remarks if remark not in remarks]
    return parts, remarks
