"""Undoing the transfer encodings of bodies (RFC 2045 §6): base64, quoted-printable, uuencode.

Lenient: what does not belong is passed over, what is missing is missing. Never raises; time is linear in
what is read, and no more is read than the octets asked for need.
"""

import binascii
import re

_NOT_BASE64 = bytes(
    set(range(256)) - set(b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/=")
)
_STEP = 65_536
_JOINS_MAX = 100  # base64 that ends and begins again, as in texts put together by programs
_UUENCODED = frozenset({"x-uuencode", "uuencode", "x-uue", "uue"})
_BEGIN = re.compile(rb"^begin [0-7]{3,4} ", re.MULTILINE)
_TRAILING = re.compile(rb"(?<![ \t])[ \t]++(?=\r?\n|\Z)")
PLAIN = frozenset({"", "7bit", "8bit", "binary"})
"""Names of encodings that change nothing."""


def known(encoding: str) -> bool:
    """Whether `decode` knows an encoding (lower case); the body of others is what it is."""
    return encoding in PLAIN or encoding in _KNOWN or encoding in _UUENCODED


_KNOWN = frozenset({"base64", "quoted-printable"})


def decode(data: bytes, encoding: str, max_octets: int) -> bytes:
    """Return at most `max_octets` octets of a body; `encoding` is in lower case."""
    if encoding == "base64":
        return _base64(data, max_octets)
    if encoding == "quoted-printable":
        # Three octets of it are at most one, but for soft line breaks.
        return quoted_printable(data[: 4 * max_octets + 1024])[:max_octets]
    if encoding in _UUENCODED:
        return _uuencoded(data, max_octets)
    return data[:max_octets]


def quoted_printable(data: bytes) -> bytes:
    """RFC 2045 §6.7: white space at the end of a line was added on the way."""
    return binascii.a2b_qp(_TRAILING.sub(b"", data))


def base64(data: bytes) -> bytes:
    """Decode all of it."""
    pieces: list[bytes] = []
    letters = data.translate(None, _NOT_BASE64)
    for piece in letters.split(b"=", _JOINS_MAX):
        text = piece.replace(b"=", b"")
        text = text[: len(text) - (len(text) % 4 == 1)]
        pieces.append(binascii.a2b_base64(text + b"=" * (-len(text) % 4)))
    return b"".join(pieces)


def _base64(data: bytes, max_octets: int) -> bytes:
    wanted = max_octets * 4 // 3 + 8
    if len(data) <= 2 * wanted:
        return base64(data)[:max_octets]
    letters = bytearray()
    for start in range(0, len(data), _STEP):
        letters += data[start : start + _STEP].translate(None, _NOT_BASE64)
        if len(letters) >= wanted:
            break
    return base64(bytes(letters))[:max_octets]


def _uuencoded(data: bytes, max_octets: int) -> bytes:
    """The first file in it; lines that are none are passed over, as is what is behind ``end``."""
    begin = _BEGIN.search(data)
    position = begin.start() if begin else 0
    found = bytearray()
    while position < len(data) and len(found) < max_octets:
        end = data.find(b"\n", position)
        end = len(data) if end < 0 else end
        line = data[position:end].rstrip(b"\r")
        position = end + 1
        if line == b"end":
            break
        if line and not line.startswith(b"begin "):
            found += _uu_line(line)
    return bytes(found[:max_octets])


def _uu_line(line: bytes) -> bytes:
    # Some encoders write more or fewer characters than the line's length says.
    needed = (((line[0] - 32) & 63) * 4 + 5) // 3
    try:
        return binascii.a2b_uu(line[: needed + 1])
    except binascii.Error:
        return b""
