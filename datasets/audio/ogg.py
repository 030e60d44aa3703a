"""Ogg, page by page, without decoding it: whether all of its pages are there.

An Ogg file may hold several recordings one behind the other, its "links"; libsndfile
reads the first. Each page carries a number, a checksum and the time at its end, and the
last page of a recording says that it is the last.

Sources: RFC 3533; RFC 7845 for Opus.
"""

import collections
import dataclasses
import itertools
import zlib

OPUS_TICKS = 48000  # per second, whatever the sample rate
CODECS = {
    b"\x01vorbis": "Vorbis",
    b"OpusHead": "Opus",
    b"\x7fFLAC": "FLAC",
    b"Speex   ": "Speex",
}
_HEAD = 27
_FIRST, _LAST = 2, 4
_REVERSED = bytes(int(f"{byte:08b}"[::-1], 2) for byte in range(256))

Page = collections.namedtuple("Page", "start end flags granule serial number")


@dataclasses.dataclass(frozen=True)
class OggLink:
    """One recording of an Ogg file.

    Attributes:
        content: the pages of its first audio stream, as far as they are whole; of FLAC
            what is on them, since libsndfile reads that without Ogg only.
        codec: "Vorbis", "Opus", "FLAC", "Speex", or None if that is unknown.
        ticks: time between the ends of its first and its last page with audio, in
            frames (Opus: in 1 / OPUS_TICKS s).
        cut_ticks: the same of a last page that is not all there.
        remarks: what is suspicious about it, a list of strings.
    """

    content: bytes
    codec: str | None
    ticks: int
    cut_ticks: int
    remarks: list[str]


def read_ogg(data):
    """Finds the links of an Ogg file.

    Args:
        data: the content of the file, bytes.

    Returns:
        A list of `OggLink`s.
    """
    links, end = [], 0
    for page in _pages(data):
        end = page.end
        if not links or (page.flags & _FIRST and not links[-1][-1].flags & _FIRST):
            links.append([])
        links[-1].append(page)
    links = [_link(data, pages) for pages in links]
    # A head of a page that is cut: of what it began, nothing is there.
    if links and end < len(data) and b"OggS".startswith(data[end : end + 4]):
        links[-1].remarks.append("cut: another page begins at its end")
    return links


def _link(data, pages):
    streams = {}
    for page in pages:
        streams.setdefault(page.serial, []).append(page)
    codecs = {serial: _codec(data, own[0]) for serial, own in streams.items()}
    audio = [serial for serial, codec in codecs.items() if codec] or list(streams)
    pages = streams[audio[0]]
    whole = [page for page in pages if page.end <= len(data)]
    # Pages on which no packet ends have the time -1, those of headers have 0.
    times = [page.granule for page in pages if page.granule > 0]
    whole_times = [page.granule for page in whole if page.granule > 0]
    ticks = whole_times[-1] - whole_times[0] if whole_times else 0
    remarks = []
    gaps = sum(
        after.number != (before.number + 1) % 2**32
        for before, after in itertools.pairwise(pages)
    )
    if gaps:
        remarks.append(f"damaged in the middle: {gaps} gaps between its pages")
    if not whole or not whole[-1].flags & _LAST:
        remarks.append("cut: its last page is missing")
    if len(audio) > 1:
        remarks.append(f"holds {len(audio)} audio streams, of which the first is used")
    content = b"".join(data[page.start : page.end] for page in whole)
    if codecs[audio[0]] == "FLAC":
        content = _flac(data, whole)
    return OggLink(
        content,
        codecs[audio[0]],
        ticks,
        times[-1] - whole_times[-1] if whole_times else 0,
        remarks,
    )


def _flac(data, pages):
    """What is on the pages of FLAC: a FLAC file, once "\\x7fFLAC" and so on are off."""
    bodies = [data[_body(data, page) : page.end] for page in pages]
    return b"".join(bodies)[9:]


def _body(data, page):
    return page.start + _HEAD + data[page.start + _HEAD - 1]


def _codec(data, page):
    for name, codec in CODECS.items():
        if page.flags & _FIRST and data.startswith(name, _body(data, page)):
            return codec
    return None


def _pages(data):
    """Yields each `Page` with a right checksum, and the last one if it is cut."""
    start = 0
    while (start := data.find(b"OggS\0", start)) >= 0:
        head = data[start : start + _HEAD]
        if len(head) < _HEAD:
            return
        table = data[start + _HEAD : start + _HEAD + head[26]]
        # At the end of the file the table itself may be cut.
        end = start + _HEAD + head[26] + max(sum(table), head[26] > len(table))
        page = Page(
            start,
            end,
            head[5],
            int.from_bytes(head[6:14], "little", signed=True),
            int.from_bytes(head[14:18], "little"),
            int.from_bytes(head[18:22], "little"),
        )
        if end > len(data):
            # Not one that the body of another page happens to look like.
            if data.find(b"OggS\0", start + 4) < 0:
                yield page
            start += 4
        elif _checksum(data[start:end]) == head[22:26]:
            yield page
            start = end
        else:
            start += 4


def _checksum(page):
    """CRC-32 as Ogg has it: zlib's with all bits in reverse, and no inversion."""
    page = page[:22] + bytes(4) + page[26:]
    value = zlib.crc32(page.translate(_REVERSED), 0xFFFFFFFF) ^ 0xFFFFFFFF
    return value.to_bytes(4, "big").translate(_REVERSED)
