"""The leaves of a MIME message, for reading attachments that programs sent (RFC 2046 §5.1).

Tolerant, linear in the message's length, and bounded: what lies deeper or comes later than the bounds is
left out. Nothing is raised for what is in a message.
"""

import binascii
import quopri
import re
from collections.abc import Iterator

from msgspec import Struct

from postroad.message.header import Header, header_end

MAX_PARTS = 100
MAX_DEPTH = 8

_PARAMETER = re.compile(
    r';[ \t]*([!-:<>-~]{1,60})[ \t]*=[ \t]*("(?:[^"\\]|\\.){0,900}"|[^; \t]{0,900})'
)
_NOT_BASE64 = re.compile(rb"[^A-Za-z0-9+/]+")


class Part(Struct, frozen=True):
    """One leaf. `media_type` is in lower case (``"text/plain"`` where none can be read), `filename` is
    as it was written, ``""`` where there is none; `body` is decoded.
    """

    media_type: str
    filename: str
    body: bytes


def parts_of(message: bytes) -> Iterator[Part]:
    """Yield the leaves of a message in order. Line ends may be CRLF or LF."""
    if message.count(b"\r\n") != message.count(b"\n"):
        message = message.replace(b"\r\n", b"\n").replace(b"\n", b"\r\n")
    left = [MAX_PARTS]
    yield from _leaves(message, 0, left)


def parameter(value: str, name: str) -> str:
    """Return a parameter of a header field like Content-Type (RFC 2045 §5.1), ``""`` where absent."""
    for match in _PARAMETER.finditer(value[:8192]):
        if match[1].lower() == name:
            text = match[2]
            return re.sub(r"\\(.)", r"\1", text[1:-1]) if text.startswith('"') else text
    return ""


def _leaves(entity: bytes, depth: int, left: list[int]) -> Iterator[Part]:
    if left[0] <= 0:
        return
    left[0] -= 1
    header = Header.parse(entity)
    end = header_end(entity)
    body = entity[end:] if end >= 0 else b""
    kind = header.get("content-type") or "text/plain"
    media_type = kind.partition(";")[0].strip().lower()
    boundary = parameter(kind, "boundary")
    if media_type.startswith("multipart/") and boundary:
        if depth < MAX_DEPTH:
            for piece in _split(body, boundary.encode("utf-8", "replace")):
                yield from _leaves(piece, depth + 1, left)
        return
    name = parameter(header.get("content-disposition") or "", "filename")
    encoding = (header.get("content-transfer-encoding") or "").strip().lower()
    yield Part(media_type, name or parameter(kind, "name"), _decode(body, encoding))


def _split(body: bytes, boundary: bytes) -> Iterator[bytes]:
    """RFC 2046 §5.1.1: what is before the first and behind the last delimiter is no part."""
    delimiter = re.compile(rb"(?:\A|\r\n)--" + re.escape(boundary) + rb"(--)?[ \t]*(?=\r\n|\Z)")
    start = -1
    for count, match in enumerate(delimiter.finditer(body)):
        if start >= 0:
            yield body[start : match.start()]
        if match[1] or count >= MAX_PARTS:
            return
        start = match.end() + 2
    if start >= 0:
        yield body[start:]  # the end is missing


def _decode(body: bytes, encoding: str) -> bytes:
    if encoding == "base64":
        text = _NOT_BASE64.sub(b"", body)
        text = text[: len(text) - (len(text) % 4 == 1)]
        try:
            return binascii.a2b_base64(text + b"=" * (-len(text) % 4))
        except binascii.Error:
            return b""
    if encoding == "quoted-printable":
        return quopri.decodestring(body)
    return body
