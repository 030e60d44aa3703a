"""Image files of every kind, and damaged ones, made from a seed."""

import io
import struct
import zlib

import numpy as np
from PIL import Image, PngImagePlugin

SIZE = (37, 29)  # no multiple of a byte's bits, of 8 x 8 blocks, or of 4 bytes
EXTREMES = (0, 1, 2, 127, 128, 255, 2**15, 2**16 - 1, 2**31 - 1, 2**31, 2**32 - 1)


def noise(mode="RGB", size=SIZE, seed=0):
    random = np.random.default_rng(seed)
    pixels = random.integers(0, 256, (size[1], size[0], 3), dtype=np.uint8)
    return Image.fromarray(pixels).convert(mode)


def smooth(size=SIZE):
    return noise(size=(5, 4)).resize(size, Image.Resampling.BICUBIC)


def saved(image, kind, **options):
    content = io.BytesIO()
    image.save(content, kind, **options)
    return content.getvalue()


def exif(orientation, order="<", kind=3, count=1, tags=0, gap=0):
    """EXIF data with other tags and unused bytes before the orientation.

    Args:
        orientation: int.
        order: "<" of Intel, ">" of Motorola.
        kind: 3 for SHORT, 4 for LONG.
        count: of values, that the tag states.
        tags: other tags, sorted before it.
        gap: bytes between header and directory.
    """
    head = {"<": b"II*\x00", ">": b"MM\x00*"}[order]
    value = struct.pack(
        order + {3: "HH", 4: "I", 1: "BBH"}[kind], orientation, *FILL[kind]
    )
    entries = [struct.pack(order + "HHII", 0x100, 4, 1, n) for n in range(tags)]
    entries.append(struct.pack(order + "HHI", 0x0112, kind, count) + value)
    return (
        head
        + struct.pack(order + "I", 8 + gap)
        + bytes(gap)
        + struct.pack(order + "H", len(entries))
        + b"".join(entries)
        + bytes(4)
    )


FILL = {1: (0, 0), 3: (0,), 4: ()}


def png_chunk(name, content):
    check = struct.pack(">I", zlib.crc32(name + content))
    return struct.pack(">I", len(content)) + name + content + check


def with_png_chunk(png, name, content, before=b"IDAT"):
    at = png.index(before) - 4
    return png[:at] + png_chunk(name, content) + png[at:]


def raw_png(width, height, depth, colour, rows, interlace=0, extra=b""):
    """Of rows that already have their filter bytes."""
    return (
        b"\x89PNG\r\n\x1a\n"
        + png_chunk(
            b"IHDR",
            struct.pack(">IIBBBBB", width, height, depth, colour, 0, 0, interlace),
        )
        + extra
        + png_chunk(b"IDAT", zlib.compress(rows))
        + png_chunk(b"IEND", b"")
    )


def grey_png(depth):
    random = np.random.default_rng(depth)
    stride = (SIZE[0] * depth + 7) // 8
    rows = random.integers(0, 256, (SIZE[1], 1 + stride), dtype=np.uint8)
    rows[:, 0] = 0
    return raw_png(*SIZE, depth, 0, rows.tobytes())


def interlaced_png(channels=3):
    """By Adam7, which Pillow reads and does not write."""
    pixels = np.asarray(noise("RGB" if channels == 3 else "L")).reshape(
        SIZE[1], SIZE[0], -1
    )
    passes = ((0, 0, 8, 8), (4, 0, 8, 8), (0, 4, 4, 8), (2, 0, 4, 4), (0, 2, 2, 4))
    passes += ((1, 0, 2, 2), (0, 1, 1, 2))
    rows = b"".join(
        b"\0" + row.tobytes() for x, y, dx, dy in passes for row in pixels[y::dy, x::dx]
    )
    return raw_png(*SIZE, 8, 2 if channels == 3 else 0, rows, interlace=1)


def bmp(
    bits,
    palette=(),
    header=40,
    top_down=False,
    compression=0,
    masks=b"",
    colours=None,
    offset=None,
    size=SIZE,
):
    """A BMP of noise, with indices within the palette.

    Args:
        bits: per pixel.
        palette: of (blue, green, red).
        header: bytes of it.
        top_down: whether the first row is the upper one.
        compression: as it is stated.
        masks: behind the header.
        colours: as they are stated, if others than there are.
        offset: of the pixels, as it is stated.
        size: (width, height).
    """
    width, height = size
    random = np.random.default_rng(bits)
    stride = (width * bits + 31) // 32 * 4
    if bits <= 8:
        indices = random.integers(0, len(palette), (height, stride * 8 // bits))
        parts = np.unpackbits(indices.astype(np.uint8)[..., None], axis=-1)[
            ..., 8 - bits :
        ]
        rows = np.packbits(parts.reshape(height, -1), axis=-1)
    else:
        rows = random.integers(0, 256, (height, stride), dtype=np.uint8)
    entry = 3 if header == 12 else 4
    table = b"".join(bytes(colour) + bytes(entry - 3) for colour in palette)
    if colours is None:
        colours = 0 if len(palette) == 2**bits else len(palette)
    if header == 12:
        head = struct.pack("<IHHHH", 12, width, height, 1, bits)
    else:
        head = struct.pack(
            "<IiiHHIIiiII",
            header,
            width,
            -height if top_down else height,
            1,
            bits,
            compression,
            rows.size,
            2835,
            2835,
            colours,
            0,
        )
        head += (masks + bytes(header))[: header - 40] if header > 40 else masks
    begin = 14 + len(head) + len(table)
    start = begin if offset is None else offset
    return (
        b"BM"
        + struct.pack("<IHHI", begin + rows.size, 0, 0, start)
        + head
        + table
        + rows.tobytes()
    )


def webp_chunk(name, content):
    return name + struct.pack("<I", len(content)) + content + bytes(len(content) % 2)


def animated(kind, frames=2, size=(60, 40)):
    images = [Image.new("RGB", size, colour) for colour in ("red", "blue")[:frames]]
    return saved(images[0], kind, save_all=True, append_images=images[1:])


def with_segments(jpeg, *segments):
    """JPEG with segments, each (marker, content), behind its first two bytes."""
    joined = b"".join(
        b"\xff" + bytes([marker]) + struct.pack(">H", 2 + len(content)) + content
        for marker, content in segments
    )
    return jpeg[:2] + joined + jpeg[2:]


def png_text(**texts):
    info = PngImagePlugin.PngInfo()
    for key, text in texts.items():
        info.add_text(key, text)
    return info


def gif_frame(screen, left, top, size, interlace=False, local=False):
    """A GIF whose only frame has a place on a screen."""
    image = saved(noise("RGB", size).quantize(16), "GIF", interlace=interlace)
    table = 6 * 2 ** (image[10] % 8)
    at = image.index(b",", 13 + table)
    frame = image[at + 1 : -1]
    frame = struct.pack("<HH", left, top) + frame[4:]
    head = b"GIF89a" + struct.pack("<HH", *screen)
    colours = image[13 : 13 + table]
    if not local:
        return head + image[10:13] + colours + b"," + frame + b";"
    frame = frame[:8] + bytes([frame[8] | image[10] % 8 | 128]) + colours + frame[9:]
    other = bytes(range(6))
    return head + b"\x80\x00\x00" + other + b"," + frame + b";"


def good_files():
    """Name to content: every kind that is decoded, more than 50."""
    files = {}
    for mode in ("1", "L", "P", "RGB"):
        for kind in ("PNG", "BMP", "GIF"):
            files[f"{kind} of mode {mode}"] = saved(noise(mode), kind)
    for depth in (1, 2, 4, 8):
        files[f"PNG, grey of {depth} bits"] = grey_png(depth)
    for bits in (1, 2, 4):
        files[f"PNG, palette of {bits} bits"] = saved(
            noise().quantize(2**bits), "PNG", bits=bits
        )
    files["PNG, interlaced"] = interlaced_png()
    files["PNG, interlaced grey"] = interlaced_png(1)
    plain = saved(noise(), "PNG")
    files["PNG with gAMA"] = with_png_chunk(plain, b"gAMA", struct.pack(">I", 100_000))
    files["PNG with sRGB"] = with_png_chunk(plain, b"sRGB", b"\0")
    files["PNG with eXIf behind"] = with_png_chunk(plain, b"eXIf", exif(6), b"IEND")
    files["PNG with text"] = saved(
        noise(), "PNG", pnginfo=png_text(transparency="no", gamma="no")
    )
    files["PNG with bytes behind"] = plain + bytes(9)
    for subsampling in (0, 1, 2):
        for progressive in (False, True):
            files[f"JPEG {subsampling} {progressive}"] = saved(
                smooth(), "JPEG", subsampling=subsampling, progressive=progressive
            )
    jpeg = saved(noise(), "JPEG")
    files["JPEG with bytes between segments"] = jpeg[:20] + bytes(16_300) + jpeg[20:]
    files["JPEG of noise"] = saved(noise(), "JPEG", quality=95)
    files["JPEG, grey"] = saved(noise("L"), "JPEG")
    files["JPEG with restarts"] = saved(smooth(), "JPEG", restart_marker_blocks=2)
    files["JPEG of RGB"] = saved(noise(), "JPEG", keep_rgb=True)
    jpeg = saved(noise(), "JPEG")
    files["JPEG with bytes behind"] = jpeg + b"\xff\xd8more"
    files["JPEG with fill bytes"] = jpeg[:2] + b"\xff\xff" + jpeg[2:]
    files["JPEG, many segments"] = with_segments(jpeg, *[(0xE5, bytes(9))] * 50)
    thumbnail = b"Exif\0\0" + exif(6) + saved(noise(size=(8, 8)), "JPEG")
    files["JPEG with a thumbnail"] = with_segments(
        jpeg, (0xE0, b"JFXX"), (0xE1, thumbnail)
    )
    files["MPO"] = animated("MPO")
    files["GIF, interlaced"] = saved(noise().quantize(200), "GIF", interlace=True)
    for colours in (2, 3, 16, 100):
        files[f"GIF of {colours} colours"] = saved(noise().quantize(colours), "GIF")
    files["GIF with a comment"] = saved(noise("P"), "GIF", comment=b"x" * 999)
    files["GIF without its last byte"] = saved(noise("P"), "GIF")[:-1]
    files["GIF, small frame"] = gif_frame((40, 30), 5, 7, (20, 11))
    files["GIF, small frame, own colours"] = gif_frame(
        (40, 30), 5, 7, (20, 11), local=True
    )
    files["GIF, frame beyond its screen"] = gif_frame((10, 10), 5, 7, (20, 11))
    files["GIF, small interlaced frame"] = gif_frame((40, 30), 1, 0, (20, 11), True)
    colours = np.random.default_rng(1).integers(0, 256, (256, 3)).tolist()
    for bits in (1, 4, 8):
        files[f"BMP of {bits} bits"] = bmp(bits, colours[: 2**bits])
    files["BMP of few colours"] = bmp(8, colours[:77])
    files["BMP, top down"] = bmp(24, top_down=True)
    files["BMP of 8 bits, top down"] = bmp(8, colours, top_down=True)
    files["BMP of OS/2"] = bmp(8, colours, header=12)
    files["BMP of OS/2, 24 bits"] = bmp(24, header=12)
    files["BMP of 32 bits"] = bmp(32)
    masks = struct.pack("<III", 0xFF0000, 0xFF00, 0xFF)
    files["BMP with the usual masks"] = bmp(32, compression=3, masks=masks)
    files["BMP, fourth version"] = bmp(24, header=108)
    files["BMP, fifth version"] = bmp(8, colours, header=124)
    files["BMP that begins nowhere"] = bmp(8, colours, offset=0)
    files["WebP"] = saved(noise(), "WEBP")
    files["WebP, lossless"] = saved(noise(), "WEBP", lossless=True)
    files["WebP, smooth"] = saved(smooth(), "WEBP", quality=50)
    files["WebP with bytes behind"] = saved(noise(), "WEBP") + b"more"
    for orientation in range(10):
        kind = ("JPEG", "PNG", "WEBP")[orientation % 3]
        for kind in ("JPEG", "PNG", "WEBP"):
            files[f"{kind}, orientation {orientation}"] = saved(
                smooth(),
                kind,
                exif=b"Exif\0\0" * (kind == "JPEG") + exif(orientation),
                **LOSSLESS.get(kind, {}),
            )
    return files


LOSSLESS = {"WEBP": {"lossless": True}}


def files_with_notes():
    """Name to content: PNG with notes that Pillow refuses, and does not need."""
    plain = saved(noise(), "PNG")
    # Of texts it reads a megabyte at most.
    text = PngImagePlugin.PngInfo()
    text.add_text("prompt", "a" * 2**21, zip=True)
    note = png_chunk(b"tEXt", b"a\0b")[:-4] + bytes(4)
    return {
        "PNG with a long text": saved(noise(), "PNG", pnginfo=text),
        "PNG with a wrong checksum of a text": plain[:33] + note + plain[33:],
    }


def bad_files():
    """Name to (content, a part of the reason)."""
    plain, jpeg = saved(noise(), "PNG"), saved(noise(), "JPEG")
    webp = saved(noise(), "WEBP")
    deep = saved(noise("L").convert("I;16"), "PNG")
    frame = jpeg.index(b"\xff\xc0")
    arithmetic = jpeg[: frame + 1] + b"\xc9" + jpeg[frame + 2 :]
    lossless = jpeg[: frame + 1] + b"\xc3" + jpeg[frame + 2 :]
    twelve = jpeg[: frame + 4] + b"\x0c" + jpeg[frame + 5 :]
    palette = saved(noise("P"), "PNG")
    plte = palette.index(b"PLTE") - 4
    rest = plte + 12 + int.from_bytes(palette[plte : plte + 4])
    flat = saved(Image.new("RGB", (2048, 2048)), "JPEG", progressive=True)
    scan = flat[flat.rindex(b"\xff\xda") : -2]
    alpha_masks = struct.pack("<IIII", 0xFF0000, 0xFF00, 0xFF, 0xFF000000)
    return {
        "nothing": (b"", "empty"),
        "text": (b"not an image", "holds no image"),
        "TIFF": (saved(noise(), "TIFF"), "holds TIFF"),
        "AVIF": (saved(noise(), "AVIF"), "holds AVIF"),
        "HEIC": (b"\0\0\0\x18ftypheic" + bytes(20), "holds HEIC"),
        "JPEG 2000": (saved(noise(), "JPEG2000"), "holds JPEG 2000"),
        "PDF": (b"%PDF-1.7", "holds PDF"),
        "SVG": (b"<svg xmlns=''/>", "holds SVG"),
        "animated GIF": (animated("GIF"), "animated, 2 frames"),
        "animated PNG": (animated("PNG"), "animated, 2 frames"),
        "animated WebP": (animated("WEBP"), "animated"),
        "GIF of another version": (
            b"GIF88a" + saved(noise(), "GIF")[6:],
            "neither GIF87a nor GIF89a",
        ),
        "PNG without its palette": (palette[:plte] + palette[rest:], "palette"),
        "PNG of empty chunks": (
            plain[:33] + png_chunk(b"tEXt", b"") * 4000 + plain[33:],
            "too many chunks",
        ),
        "JPEG of many scans": (flat[:-2] + 300 * scan + flat[-2:], "scans, too many"),
        "PNG with alpha": (saved(noise("RGBA"), "PNG"), "transparent"),
        "PNG, grey with alpha": (saved(noise("LA"), "PNG"), "transparent"),
        "PNG, transparent colour": (
            saved(noise("P"), "PNG", transparency=3),
            "transparent",
        ),
        "GIF, transparent colour": (
            saved(noise().quantize(8), "GIF", transparency=3),
            "transparent",
        ),
        "WebP with alpha": (saved(Image.new("RGBA", SIZE), "WEBP"), "transparent"),
        "lossless WebP with alpha": (
            saved(Image.new("RGBA", SIZE), "WEBP", lossless=True),
            "transparent",
        ),
        "BMP with alpha": (
            bmp(32, header=108, compression=3, masks=alpha_masks),
            "transparent",
        ),
        "PNG of 16 bits": (deep, "more than 8 bits"),
        "JPEG of 12 bits": (twelve, "more than 8 bits"),
        "arithmetic JPEG": (arithmetic, "arithmetic JPEG"),
        "lossless JPEG": (lossless, "lossless"),
        "CMYK": (saved(noise("CMYK"), "JPEG"), "of mode CMYK, 4 channels"),
        "BMP of 16 bits": (bmp(16), "16 bits per pixel"),
        "BMP of run lengths": (
            bmp(8, [(0, 0, 0)] * 256, compression=1),
            "compressed BMP",
        ),
        "BMP with other masks": (
            bmp(32, compression=3, masks=struct.pack("<III", 0xFF, 0xFF00, 0xFF0000)),
            "bit fields",
        ),
        "cut PNG": (plain[:-30], "damaged"),
        "cut JPEG": (jpeg[:100], "damaged"),
        "cut GIF": (saved(noise("P"), "GIF")[:-40], "damaged"),
        "cut BMP": (saved(noise(), "BMP")[:-40], "damaged"),
        "cut WebP": (webp[:-40], "damaged"),
        "JPEG without an image": (b"\xff\xd8\xff\xd9" + bytes(8), "damaged"),
        "GIF without an image": (saved(noise("P"), "GIF")[:781] + b";", "damaged"),
        "empty PNG": (raw_png(0, 5, 8, 2, b""), "damaged"),
        "too wide": (raw_png(2**31 - 1, 2**31 - 1, 8, 0, b""), "too large"),
        "too high": (raw_png(1, 2**26 + 1, 8, 0, b""), "too large"),
        "too large": (raw_png(2**13, 2**13 + 1, 8, 0, b""), "too large: 8192 x 8193"),
        "too large a GIF": (gif_frame((65535, 65535), 0, 0, (5, 5)), "too large"),
        "too large a BMP": (
            bmp(24)[:18] + b"\xff\xff\xff\x7f" * 2 + bmp(24)[26:],
            "too large",
        ),
        "too large a JPEG": (
            jpeg[: frame + 5] + b"\xff\xff\xff\xff" + jpeg[frame + 9 :],
            "too large",
        ),
    }


def mutated(content, random):
    """A file with one to three faults: bits, cuts, insertions, extremes, copies."""
    for _ in range(random.integers(1, 4)):
        # Mostly in the header, where most of what matters is.
        end = len(content) if random.random() < 0.3 else min(len(content), 100)
        at = int(random.integers(0, max(end, 1)))
        length = int(random.integers(1, 40))
        fault = random.integers(0, 7)
        if fault == 0 and content:
            flipped = content[at] ^ (1 << random.integers(0, 8))
            content = content[:at] + bytes([flipped]) + content[at + 1 :]
        elif fault == 1:
            content = content[:at]
        elif fault == 2:
            content = content[:at] + random.bytes(length) + content[at:]
        elif fault == 3:
            content = content[:at] + content[at + length :]
        elif fault == 4:
            content = content[: at + length] + content[at:]
        else:
            size = int(random.choice((1, 2, 3, 4)))
            order = str(random.choice(("little", "big")))
            value = int(random.choice(EXTREMES)) % 256**size
            content = content[:at] + value.to_bytes(size, order) + content[at + size :]
    return content


def repaired(png):
    """A PNG with the check sums of its chunks put right, so that faults go deeper."""
    out, at = png[:8], 8
    while at + 12 <= len(png):
        length = int.from_bytes(png[at : at + 4])
        if at + 12 + length > len(png):
            break
        out += png_chunk(png[at + 4 : at + 8], png[at + 8 : at + 8 + length])
        at += 12 + length
    return out + png[at:]
