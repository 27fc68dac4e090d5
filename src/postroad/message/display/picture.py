"""What a picture is, by its first octets: only what it is itself tells, no name and no header field.

Pictures are known that browsers draw without running anything: PNG, JPEG, GIF, WebP, AVIF, BMP and ICO.
SVG is none of them. The size tells bombs that are small in octets and huge in pixels.
"""

import re
import struct

from msgspec import Struct

_JPEG_SIZES = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}
_MAX_SEGMENTS = 200
_ISPE = re.compile(rb"ispe\0{4}(.{8})", re.DOTALL)


class Picture(Struct, frozen=True):
    """Media type, and the size in pixels."""

    media_type: str
    width: int
    height: int


def look_at(data: bytes) -> Picture | None:
    """Return what `data` is a picture of, None where it is none that is known."""
    if data.startswith(b"\x89PNG\r\n\x1a\n") and data[12:16] == b"IHDR" and len(data) >= 24:
        return Picture("image/png", *struct.unpack(">II", data[16:24]))
    if data.startswith((b"GIF87a", b"GIF89a")) and len(data) >= 10:
        return Picture("image/gif", *struct.unpack("<HH", data[6:10]))
    if data.startswith(b"\xff\xd8\xff"):
        return _jpeg(data)
    if data.startswith(b"RIFF") and data[8:12] == b"WEBP":
        return _webp(data)
    if data[4:8] == b"ftyp" and data[8:12] in (b"avif", b"avis"):
        return _avif(data)
    if data.startswith(b"BM") and len(data) >= 26:
        width, height = struct.unpack("<ii", data[18:26])
        return Picture("image/bmp", abs(width), abs(height))
    if data.startswith(b"\0\0\1\0") and len(data) >= 8:
        return Picture("image/x-icon", data[6] or 256, data[7] or 256)
    return None


def _jpeg(data: bytes) -> Picture | None:
    position = 2
    for _ in range(_MAX_SEGMENTS):
        if len(data) < position + 9 or data[position] != 0xFF:
            return None
        kind = data[position + 1]
        if kind in _JPEG_SIZES:
            height, width = struct.unpack(">HH", data[position + 5 : position + 9])
            return Picture("image/jpeg", width, height)
        if kind == 0xFF:
            position += 1
            continue
        position += 2 + int.from_bytes(data[position + 2 : position + 4], "big")
    return None


def _webp(data: bytes) -> Picture | None:
    kind = data[12:16]
    if len(data) < 30:
        return None
    if kind == b"VP8X":
        width = 1 + int.from_bytes(data[24:27], "little")
        return Picture("image/webp", width, 1 + int.from_bytes(data[27:30], "little"))
    if kind == b"VP8L":
        bits = int.from_bytes(data[21:25], "little")
        return Picture("image/webp", 1 + (bits & 0x3FFF), 1 + (bits >> 14 & 0x3FFF))
    if kind == b"VP8 ":
        width, height = struct.unpack("<HH", data[26:30])
        return Picture("image/webp", width & 0x3FFF, height & 0x3FFF)
    return None


def _avif(data: bytes) -> Picture | None:
    sizes = [struct.unpack(">II", each) for each in _ISPE.findall(data[:16_384])]
    if not sizes:
        return None
    return Picture("image/avif", max(w for w, _ in sizes), max(h for _, h in sizes))
