"""Pictures, told by what they are."""

import struct

import pytest

from postroad.message.display import Picture, look_at

PNG = b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR" + struct.pack(">II", 60, 40) + b"\x08\2\0\0\0"
JPEG = b"\xff\xd8\xff\xe0\0\x04ab\xff\xff\xc0\0\x11\x08" + struct.pack(">HH", 40, 60) + b"\3" * 9
LOSSLESS = b"RIFF\0\0\0\0WEBPVP8L\0\0\0\0\x2f" + struct.pack("<I", 59 | 39 << 14) + b"\0" * 9
AVIF = b"\0\0\0\x20ftypavif\0\0\0\0" + b"\0\0\0\x14ispe\0\0\0\0" + struct.pack(">II", 60, 40)


@pytest.mark.parametrize(
    ("data", "media_type"),
    [
        (PNG, "image/png"),
        (b"GIF89a" + struct.pack("<HH", 60, 40), "image/gif"),
        (JPEG, "image/jpeg"),
        (b"RIFF\0\0\0\0WEBPVP8X" + b"\0" * 8 + b"\x3b\0\0\x27\0\0", "image/webp"),
        (LOSSLESS, "image/webp"),
        (b"RIFF\0\0\0\0WEBPVP8 " + b"\0" * 10 + struct.pack("<HH", 60, 40), "image/webp"),
        (AVIF, "image/avif"),
        (b"BM" + b"\0" * 16 + struct.pack("<ii", 60, -40), "image/bmp"),
        (b"\0\0\1\0\1\0\x3c\x28", "image/x-icon"),
    ],
)  # fmt: skip
def test_what_it_is(data: bytes, media_type: str) -> None:
    assert look_at(data) == Picture(media_type, 60, 40)


@pytest.mark.parametrize(
    "data",
    [b"", b"<svg xmlns='x'/>", b"<html>", PNG[:20], b"GIF89a\1", b"\xff\xd8\xff",
     b"RIFF\0\0\0\0WEBPVP8X", b"\xff\xd8\xff\xe0\0\0" * 400, b"\xff\xd8" + b"\xff" * 5_000, b"%PDF-1.7",
     b"\0\0\0\x20ftypavif"],
)  # fmt: skip
def test_what_is_none(data: bytes) -> None:
    assert look_at(data) is None
