"""How many bytes of audio the header of a file announces, container by container.

libsndfile takes the length of many formats from the size of the file, so that it reads
what is left of a cut file without a word. Here the header alone is asked.

Sources: the specifications of RIFF/WAVE, RF64 (EBU Tech 3306), W64, AIFF, CAF, AU, VOC,
NIST SPHERE, IFF 8SVX, AVR, MAT-files of level 4 and 5, MPC 2000, WVE and XI.
"""

import dataclasses
import struct

# What programs put into 32 bits when they write into a pipe and can't know the length.
UNKNOWN_32 = (range(0, 1), range(0x7FFF0000, 0x80000001), range(0xFFFF0000, 2**32))
UNKNOWN_64 = 2**62
# Formats whose header has no length, or may have none.
WITHOUT_LENGTH = ("IRCAM", "PAF", "PVF", "XI")
# Kinds of VOC blocks go up to 9; two start with so many bytes about the coding.
_VOC_KINDS = 9
_VOC_FORMAT_SIZES = {1: 2, 9: 12}
W64_TAIL = bytes.fromhex("f3acd3118cd100c04f8edb8a")


@dataclasses.dataclass(frozen=True)
class Extent:
    """Where a header says that the audio is.

    Attributes:
        start: offset of its first byte.
        size: how many bytes, or None: until the end of the file.
    """

    start: int
    size: int | None


def announced_extent(file, container):
    """Where the header of an open file says that its audio is.

    Args:
        file: an open binary file. An ID3 tag may stand in front of the header.
        container: format in libsndfile's name, such as "WAV".

    Returns:
        An `Extent`, or None where the format has no length in its header, or where
        libsndfile itself checks it (HTK, SDS), or where there is no audio.
    """
    reader = _READERS.get(container)
    if reader is None:
        return None

    def read(start, size):
        file.seek(first + start)
        return file.read(size)

    first = 0
    first = id3_size(read(0, 10))
    try:
        extent = reader(read)
    except (struct.error, ValueError, KeyError, IndexError):
        return None  # Cut inside the header: it announces nothing.
    return extent and dataclasses.replace(extent, start=first + extent.start)


def id3_size(head):
    """Bytes of the ID3v2 tag that starts with these 10 bytes, or 0."""
    if head[:3] != b"ID3" or len(head) < 10:
        return 0
    size = 0
    for byte in head[6:10]:
        size = size << 7 | byte & 127
    return 10 + size + (10 if head[5] & 16 else 0)


def _number(read, start, form):
    return struct.unpack(form, read(start, struct.calcsize(form)))[0]


def _size_32(size):
    return None if any(size in unknown for unknown in UNKNOWN_32) else size


def _chunks(read, start, form, pad=2):
    """Yields (name, offset of the content, size) of each chunk of an IFF-like file."""
    head = struct.calcsize(form)
    while len(content := read(start, head)) == head:
        name, size = struct.unpack(form, content)
        yield name, start + head, size
        start += head + size + -size % pad


def _riff(read):
    order = ">" if read(0, 4) == b"RIFX" else "<"
    long_size = None
    for name, start, size in _chunks(read, 12, order + "4sI"):
        if name == b"ds64":
            long_size = _number(read, start + 8, "<Q")
        if name == b"data" and size == 0xFFFFFFFF and long_size:
            return Extent(start, long_size if long_size < UNKNOWN_64 else None)
        if name == b"data":
            return Extent(start, _size_32(size))
    return None


def _w64(read):
    start = 40
    while len(head := read(start, 24)) == 24:
        # The size counts the head.
        size = int.from_bytes(head[16:], "little")
        if head[:16] == b"data" + W64_TAIL:
            known = 24 < size < UNKNOWN_64
            return Extent(start + 24, size - 24 if known else None)
        start += max(24, size + -size % 8)
    return None


def _aiff(read):
    for name, start, size in _chunks(read, 12, ">4sI"):
        if name == b"SSND":
            offset = _number(read, start, ">I")
            known = _size_32(size) is not None and size > 8 + offset
            return Extent(start + 8 + offset, size - 8 - offset if known else None)
    return None


def _svx(read):
    for name, start, size in _chunks(read, 12, ">4sI"):
        if name == b"BODY":
            return Extent(start, _size_32(size))
    return None


def _caf(read):
    for name, start, size in _chunks(read, 8, ">4sq", pad=1):
        if name == b"data":
            # An edit count of 4 bytes stands in front of the audio.
            return Extent(start + 4, size - 4 if size >= 4 else None)
        if size < 0:
            return None
    return None


def _au(read):
    order = "<" if read(0, 4) == b"dns." else ">"
    start, size = struct.unpack(order + "II", read(4, 8))
    return Extent(start, _size_32(size))


def _avr(read):
    stereo, bits = struct.unpack(">HH", read(12, 4))
    frames = _number(read, 26, ">I")
    return Extent(128, frames * (2 if stereo else 1) * bits // 8)


def _mat4(read):
    """Two matrices: the sample rate, then the audio."""
    start = 0
    for _ in range(2):
        order = ">" if read(start, 2) == b"\0\0" and _number(read, start, ">I") else "<"
        kind, rows, columns, _, name = struct.unpack(order + "5I", read(start, 20))
        width = {0: 8, 1: 4, 2: 4, 3: 2, 4: 2, 5: 1}[kind // 10 % 10]
        extent = Extent(start + 20 + name, rows * columns * width)
        start = extent.start + extent.size
    return extent


def _mat5(read):
    """Two matrices, the sample rate and the audio, of which only the values count."""
    order = ">" if read(126, 2) == b"MI" else "<"
    start = 136 + _number(read, 132, order + "I") + 8
    # In front of the values stand flags, dimensions and name, each padded to 8 bytes.
    for _ in range(3):
        kind, size = struct.unpack(order + "II", read(start, 8))
        small = kind >> 16  # Up to 4 bytes stand in the head itself.
        start += 8 if small else 8 + size + -size % 8
    return Extent(start + 8, _number(read, start + 4, order + "I"))


def _mpc2k(read):
    return Extent(42, _number(read, 26, "<I") * 2 * (1 + read(21, 1)[0]))


def _nist(read):
    header = read(0, 1024).decode("latin1").splitlines()
    fields = dict(line.split(maxsplit=1) for line in header[2:] if " " in line.strip())
    count, channels, width = (
        int(fields[name].split()[-1])
        for name in ("sample_count", "channel_count", "sample_n_bytes")
    )
    return Extent(int(header[1]), count * channels * width)


def _voc(read):
    """Blocks of audio, whose heads and lengths all count, up to the terminator."""
    start = first = _number(read, 20, "<H")
    blocks = 0
    while (kind := read(start, 1)) and kind != b"\0":
        if kind[0] > _VOC_KINDS:
            return Extent(first, None)  # No block: the one before says too little.
        start += 4 + int.from_bytes(read(start + 1, 3), "little")
        blocks += 1
    # Between several blocks a cut shows by the terminator alone.
    return Extent(first, start - first + (blocks > 1))


def merged_voc(data):
    """A VOC file with its audio in one block: libsndfile plays the heads of others.

    Args:
        data: content of a VOC file.

    Returns:
        The content with one block of audio; or as it is, if there is one, or if the
        blocks differ in sample rate or coding.
    """
    start = first = int.from_bytes(data[20:22], "little")
    formats, extension, audio = [], b"", []
    while start < len(data) and data[start]:
        kind, end = (
            data[start],
            start + 4 + int.from_bytes(data[start + 1 : start + 4], "little"),
        )
        if kind > _VOC_KINDS:
            return data
        if kind in _VOC_FORMAT_SIZES:
            content = start + 4 + _VOC_FORMAT_SIZES[kind]
            formats.append(data[start : start + 1] + data[start + 4 : content])
            audio.append(data[content:end])
        elif kind == 2:
            audio.append(data[start + 4 : end])
        elif kind == 8:
            extension = data[start:end]
        start = end
    if len(audio) < 2 or len(set(formats)) != 1:
        return data
    kind, form = formats[0][:1], formats[0][1:]
    audio = b"".join(audio)
    # Libsndfile goes by the size of the file if that of the block is too small for it.
    size = (len(form) + len(audio)) % 2**24
    return b"".join(
        [data[:first], extension, kind, size.to_bytes(3, "little"), form, audio, b"\0"]
    )


def _wve(read):
    return Extent(32, _number(read, 18, ">I"))


def _xi(read):
    size = _number(read, 298, "<I")
    samples = _number(read, 296, "<H")
    return Extent(298 + 40 * samples, size) if size else None


_READERS = {
    "WAV": _riff,
    "WAVEX": _riff,
    "RF64": _riff,
    "W64": _w64,
    "AIFF": _aiff,
    "SVX": _svx,
    "CAF": _caf,
    "AU": _au,
    "AVR": _avr,
    "MAT4": _mat4,
    "MAT5": _mat5,
    "MPC2K": _mpc2k,
    "NIST": _nist,
    "VOC": _voc,
    "WVE": _wve,
    "XI": _xi,
}
