"""Header fields that are put on top of a message, made of parts that cannot break out of them."""

import re

from msgspec import Struct

from postroad.message.header import Header

MAX_LINE_OCTETS = 998  # RFC 5322 §2.1.1

_NAME = re.compile(r"[A-Za-z][!-9;-~]{0,75}\Z")  # a dot in front would have to be stuffed
_CONTROL = re.compile(r"[\x00-\x08\x0a-\x1f\x7f]")


class NewField(Struct, frozen=True):
    """A header field to add. `value` may be folded by CRLF and white space (RFC 5322 §2.2.3).

    Raises `ValueError` where name or value would make another field of it, or end the header: what a
    stranger wrote may be in a value.
    """

    name: str
    value: str

    def __post_init__(self) -> None:
        if not _NAME.match(self.name):
            raise ValueError(f"{self.name[:80]!r} is no name of a header field")
        lines = self.value.split("\r\n")
        for number, line in enumerate(lines):
            if _CONTROL.search(line):
                raise ValueError(f"{self.name} has a control character in its value")
            if number and (not line.startswith((" ", "\t")) or not line.strip(" \t")):
                raise ValueError(f"{self.name} has a line that is no continuation of it")
            octets = len(line.encode("utf-8", "replace"))
            if octets + (0 if number else len(self.name) + 2) > MAX_LINE_OCTETS:
                raise ValueError(f"{self.name} has a line of more than {MAX_LINE_OCTETS} octets")

    def to_bytes(self) -> bytes:
        """Return the field with its line end, as UTF-8 where it is not ASCII (RFC 6532)."""
        return f"{self.name}: {self.value}\r\n".encode("utf-8", "replace")


def fields_of(octets: bytes) -> tuple[NewField, ...]:
    """Return the fields that `octets` is made of. Raises `ValueError` where it is not."""
    found = []
    for field in Header.parse(octets).fields:
        text = field.raw.decode("utf-8", "replace").removesuffix("\r\n")
        found.append(NewField(field.name, text.partition(":")[2].lstrip(" ")))
    return tuple(found)
