"""A message as readers want it: its parts, what its fields say, its bodies decoded.

Everything is read when it is asked for, and no more of it than was asked for. Nothing raises.
"""

import re

from postroad.message.header import MAX_FIELDS, Header
from postroad.message.mime.addresses import NamedAddress, addresses_of
from postroad.message.mime.charsets import decode as decode_charset
from postroad.message.mime.encodings import PLAIN
from postroad.message.mime.encodings import decode as decode_body
from postroad.message.mime.part import Part
from postroad.message.mime.structure import MAX_DEPTH, read_structure
from postroad.message.mime.words import text_of

MAX_INNER_OCTETS = 16 * 1_048_576
"""Of a message that is attached in base64 no more is read."""

_VALUE = re.compile(rb"[!-9;-~]+[ \t]*:")


class MimeMessage:
    """The bytes of a message (line ends CRLF or LF) and `root`, the part that it is."""

    def __init__(self, data: bytes, max_depth: int = MAX_DEPTH) -> None:
        self.data = data
        self.root: Part = read_structure(data, max_depth)
        self._max_depth = max_depth

    def header(self, part: Part | None = None) -> Header:
        """Return the header of a part, of the message where none is given."""
        part = part or self.root
        raw = self.data[part.header : part.body]
        if raw.endswith((b"\n\n", b"\n\r\n")) or raw in (b"\n", b"\r\n"):
            raw = raw[: -2 if raw.endswith(b"\r\n") else -1]  # the blank line is none of them
        return Header.parse(raw)

    def fields(self, part: Part | None = None) -> list[tuple[str, bytes]]:
        """Return names (lower case) and values as they stand there, at most `MAX_FIELDS`."""
        found = []
        for field in self.header(part).fields[:MAX_FIELDS]:
            match = _VALUE.match(field.raw)
            if match is not None:
                found.append((field.name.lower(), field.raw[match.end() :]))
        return found

    def text(self, name: str) -> str:
        """Return what the message's first field of that name (lower case) says, ``""`` if none."""
        return text_of(self._first(name))

    def addresses(self, name: str) -> list[NamedAddress]:
        """Return the addresses in the first field of that name (lower case)."""
        return addresses_of(self._first(name))

    def _first(self, name: str) -> bytes:
        return next((value for each, value in self.fields() if each == name), b"")

    def body(self, part: Part, max_octets: int) -> bytes:
        """Return at most `max_octets` of a part's body, its transfer encoding undone."""
        if part.encoding in PLAIN:
            return self.data[part.body : min(part.end, part.body + max_octets)]
        return decode_body(self.data[part.body : part.end], part.encoding, max_octets)

    def body_text(self, part: Part, max_octets: int) -> str:
        """Return the text of a part's body in its charset; line ends are LF."""
        text = decode_charset(self.body(part, max_octets), part.charset)
        return text.replace("\r\n", "\n")

    def inner(self, part: Part) -> "MimeMessage | None":
        """Return the message that is in a leaf which has one in an encoding, against RFC 2046 §5.2.1.

        None where there is none, and where it would lie too deep.
        """
        if part.children or not part.media_type.startswith("message/") or part.encoding in PLAIN:
            return None
        if self._max_depth <= 1 or part.opaque:
            return None
        return MimeMessage(self.body(part, MAX_INNER_OCTETS), self._max_depth // 2)
