"""MPEG audio (MP3, MP2, MP1), frame by frame, without decoding it.

libsndfile takes the length of a file without a Xing header from the size of its first
frame, and stops there; of two files that were joined it reads the first. Here the
frames are counted by their own headers.

Sources: ISO/IEC 11172-3 and 13818-3 for frames; the descriptions of Xing, VBRI, ID3v2,
APEv2 and Lyrics3 for what stands beside them.
"""

import collections
import dataclasses
import functools
import re

from zoo.datasets.audio.containers import id3_size

# Versions and layers as the bits of a frame's header number them.
MPEG_1, MPEG_2, MPEG_25 = 3, 2, 0
LAYER_1, LAYER_2, LAYER_3 = 3, 2, 1
SAMPLE_RATES = {
    MPEG_1: (44100, 48000, 32000),
    MPEG_2: (22050, 24000, 16000),
    MPEG_25: (11025, 12000, 8000),
}
# In kbit/s by their index; 0 is "free format", where all frames have one size.
_BIT_RATES = {
    (True, LAYER_1): tuple(range(0, 449, 32)),
    (True, LAYER_2): (
        0,
        32,
        48,
        56,
        *range(64, 129, 16),
        *range(160, 257, 32),
        320,
        384,
    ),
    (True, LAYER_3): (
        0,
        *range(32, 65, 8),
        *range(80, 129, 16),
        *range(160, 257, 32),
        320,
    ),
    (False, LAYER_1): (
        0,
        32,
        48,
        56,
        *range(64, 129, 16),
        *range(144, 193, 16),
        224,
        256,
    ),
    (False, LAYER_2): (0, *range(8, 65, 8), *range(80, 161, 16)),
}
_BIT_RATES[False, LAYER_3] = _BIT_RATES[False, LAYER_2]
# The longest frame in free format that is looked for, in bytes: our choice.
LONGEST_FRAME = 8192
_SYNC = re.compile(rb"\xff[\xe2-\xe7\xf2-\xff]", re.S)
_MARKS = re.compile(rb"Xing|Info|VBRI")
_TAG_NAMES = (b"APETAGEX", b"LYRICS", b"TAG", b"3DI")

# Of a frame: kind is what all frames of a stream have in common; size in bytes is 0
# in free format; samples per channel; mark is the offset of "Xing", 0 in layer I, II.
Header = collections.namedtuple("Header", "kind size padding samples mark")
# What a Xing or VBRI header says: its frame's size, how many frames and bytes follow
# (or None), and where it says how many frames (None in VBRI).
OwnHeader = collections.namedtuple("OwnHeader", "size frames bytes frames_at")


@dataclasses.dataclass(frozen=True)
class MpegStream:
    """The frames that one encoder wrote, one after the other.

    Attributes:
        content: the frames, without what stands between them. A Xing header in front
            announces the right number of frames.
        samples: in all of the frames, per channel.
        announced: how many its own header announces, or None.
        has_length: whether libsndfile can know its length, from a Xing header.
        silence: a frame of the same kind that holds silence.
        samples_per_frame: per channel.
    """

    content: bytes
    samples: int
    announced: int | None
    has_length: bool
    silence: bytes
    samples_per_frame: int


@dataclasses.dataclass(frozen=True)
class MpegFile:
    """What an MPEG audio file holds.

    Attributes:
        streams: list of `MpegStream`s, with a frame at least.
        cut: whether the last frame, or the tag in front of it, is not all there.
        between: bytes between frames that are neither frames nor tags.
        behind: such bytes behind the last frame.
    """

    streams: list[MpegStream]
    cut: bool
    between: int
    behind: int


def read_mpeg(data):
    """Finds the frames of an MPEG audio file.

    Args:
        data: the content of the file, bytes.

    Returns:
        An `MpegFile`.
    """
    marks = {found.start() for found in _MARKS.finditer(data)}
    streams, cut, between, behind = [], False, 0, 0
    for start, end, header in _pieces(data):
        if end > len(data):
            cut = True
        elif header is None:
            behind += end - start
        else:
            between, behind = between + (behind if streams else 0), 0
            own = _own_header(data, start, header, end - start, marks)
            if not streams or own or streams[-1].ends_before(header):
                streams.append(_Frames(header, own))
            streams[-1].add(start, end)
    if _is_padding(data, behind):
        behind = 0
    # Of a stream that has only its own header, all is missing.
    cut = cut or any(stream.count < 1 for stream in streams)
    streams = [stream.finished(data) for stream in streams if stream.count > 0]
    return MpegFile(streams, cut, between, behind)


class _Frames:
    """The frames of a stream, while they are found."""

    def __init__(self, header, own):
        self.header = header
        self.own = own
        self.runs = []  # [start, end] of frames without a gap
        self.bytes = 0
        self.count = -1 if own else 0  # The own header's frame holds no audio.

    def add(self, start, end):
        if self.runs and self.runs[-1][1] == start:
            self.runs[-1][1] = end
        else:
            self.runs.append([start, end])
        self.bytes += end - start
        self.count += 1
        if self.count == 1:
            self.first = start, end

    def ends_before(self, header):
        """Whether a frame with this header, the next one, is of another stream."""
        own = self.own
        if header.kind != self.header.kind:
            return True
        if own is None or own.frames is None or self.count < own.frames:
            return False
        # A count that is too low is no end: the bytes must agree.
        return own.bytes is None or self.bytes >= own.bytes

    def finished(self, data):
        """The `MpegStream`."""
        content = b"".join(data[start:end] for start, end in self.runs)
        frames, own = None, self.own
        if own and own.frames is not None:
            # Some encoders miscount by one frame; then the bytes are all there.
            whole = own.bytes is not None and self.bytes >= own.bytes
            frames = self.count if whole else max(own.frames, self.count)
        has_length = frames is not None and own.frames_at is not None
        if has_length:
            at = own.frames_at
            content = content[:at] + frames.to_bytes(4, "big") + content[at + 4 :]
        elif own:
            content = content[own.size :]
        start, end = self.first
        # Without a checksum, and without any bits for the audio.
        silence = bytes([0xFF, data[start + 1] | 1, *data[start + 2 : start + 4]])
        samples = self.header.samples
        return MpegStream(
            content,
            self.count * samples,
            None if frames is None else frames * samples,
            has_length,
            silence.ljust(end - start, b"\0"),
            samples,
        )


def _pieces(data):
    """Yields (start, end, header) of each frame; the end of one that is cut is behind
    the end of the data. The header is None for bytes that are neither frame nor tag.
    """
    position, kind, free_sizes = 0, None, {}
    while position < len(data):
        header = _header(data[position : position + 4])
        if header and (
            header.kind == kind or _is_followed(data, position, header, free_sizes)
        ):
            end = position + _size(data, position, header, free_sizes)
            yield position, end, header
            position, kind = end, header.kind
        elif tag := _tag_size(data, position):
            if position + tag > len(data) and data.startswith(b"ID3", position):
                yield position, position + tag, None  # Audio would follow.
            position += tag
        elif kind and len(data) - position < 4 and data[position] == 0xFF:
            yield position, position + 4, header  # A header that is cut.
            return
        else:
            following = _next_piece(data, position + 1, free_sizes)
            yield position, following, None
            position = following


@functools.lru_cache(4096)
def _header(content):
    """The `Header` in the first 4 bytes of a frame, or None."""
    if len(content) < 4 or content[0] != 0xFF or content[1] < 0xE0:
        return None
    version, layer = content[1] >> 3 & 3, content[1] >> 1 & 3
    bit_rate, rate, padding = content[2] >> 4, content[2] >> 2 & 3, content[2] >> 1 & 1
    if version == 1 or layer == 0 or bit_rate == 15 or rate == 3:
        return None
    mono = content[3] >> 6 == 3
    is_1 = version == MPEG_1
    hertz = SAMPLE_RATES[version][rate]
    bits = 1000 * _BIT_RATES[is_1, layer][bit_rate]
    if layer == LAYER_1:
        samples, padding = 384, 4 * padding
        size = 12 * bits // hertz * 4
    else:
        samples = 1152 if is_1 or layer == LAYER_2 else 576
        size = samples // 8 * bits // hertz
    mark = 0
    if layer == LAYER_3:
        mark = 4 + ((17 if mono else 32) if is_1 else (9 if mono else 17))
    kind = (version, layer, rate, mono, bit_rate == 0)
    return Header(kind, size + padding if bits else 0, padding, samples, mark)


def _size(data, start, header, free_sizes):
    """Bytes of the frame that starts there; 0 if that can't be known."""
    if header.size:
        return header.size
    if header.kind not in free_sizes:
        free_sizes[header.kind] = _free_size(data, start, header)
    size = free_sizes[header.kind]
    return size + header.padding if size else 0


def _free_size(data, start, header):
    """Bytes of a frame in free format, by where the next two of its kind are."""
    first = start
    limit = start + LONGEST_FRAME
    while (first := data.find(data[start : start + 2], first + 4, limit)) >= 0:
        following = _header(data[first : first + 4])
        if following and following.kind == header.kind:
            size = first - start - header.padding
            second = first + size + following.padding
            third = _header(data[second : second + 4])
            if second == len(data) or (third and third.kind == header.kind):
                return size
    return 0


def _is_followed(data, start, header, free_sizes):
    """Whether another frame, a tag or the end comes where the frame ends."""
    size = _size(data, start, header, free_sizes)
    end = start + size
    if size == 0 or end > len(data):
        return False
    following = _header(data[end : end + 4])
    if following:
        return following.kind == header.kind
    return end == len(data) or _tag_size(data, end) > 0


def _next_piece(data, position, free_sizes):
    """Where the next frame or tag starts, or the end of the data."""
    for found in _SYNC.finditer(data, position):
        start = found.start()
        header = _header(data[start : start + 4])
        if header and _is_followed(data, start, header, free_sizes):
            return start
    return len(data)


def _own_header(data, start, header, size, marks):
    """The `OwnHeader` in a frame, or None."""
    if header.mark == 0:
        return None
    # A checksum of 2 bytes may stand in front; VBRI has a place of its own.
    for mark in (header.mark, header.mark + 2, 36):
        if start + mark in marks:
            break
    else:
        return None
    name = data[start + mark : start + mark + 4]
    numbers = [
        int.from_bytes(data[start + place : start + place + 4], "big")
        for place in range(mark + 4, mark + 16, 4)
    ]
    if name == b"VBRI":
        frames = int.from_bytes(data[start + mark + 14 : start + mark + 18], "big")
        return OwnHeader(size, frames, None, None)
    flags = numbers[0]
    frames = numbers[1] if flags & 1 and numbers[1] else None
    size_at = 2 if flags & 1 else 1
    count = numbers[size_at] if flags & 2 and numbers[size_at] else None
    return OwnHeader(size, frames, count, mark + 8 if frames else None)


def _tag_size(data, start):
    """Bytes of a tag that starts there, or 0."""
    head = data[start : start + 32]
    if head[:3] == b"ID3":
        return id3_size(head[:10])
    if head[:4] == b"TAG+":
        return 227
    if head[:3] == b"TAG":
        return 128
    if head[:8] == b"APETAGEX" and len(head) == 32:
        # The size counts the footer; bit 29 tells a header from a footer.
        is_header = head[23] & 32
        return 32 + (int.from_bytes(head[12:16], "little") if is_header else 0)
    if head[:11] == b"LYRICSBEGIN":
        for name in (b"LYRICS200", b"LYRICSEND"):
            if (end := data.find(name, start)) >= 0:
                return end + 9 - start
    return 0


def _is_padding(data, size):
    """Whether the last bytes are nothing to miss: zeros, or a tag of another kind."""
    rest = data[len(data) - size :]
    is_tag = any(name in rest for name in _TAG_NAMES)
    return size <= len(data) // 20 and (is_tag or not rest.strip(b"\0"))
