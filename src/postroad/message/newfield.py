"""Header fields that are put on top of a message, made of parts that cannot break out of them."""

import re

from msgspec import Struct

MAX_LINE_OCTETS = 998  # RFC 5322 §2.1.1

_NAME = re.compile(r"[A-Za-z][!-9;-~]{0,75}\Z")  # a dot in front would have to be stuffed
_SOUND_NAME = re.compile(r"[A-Za-z][!-9;-~]{0,75}\Z").match
_SOUND = re.compile(r"[ -~]{0,900}(?:\r\n[ \t]+[!-~][ -~]{0,900})*\Z").match
_CONTROL = re.compile(r"[\x00-\x08\x0a-\x1f\x7f]")


_FIELDS = re.compile(r"\r\n(?![ \t])")


class NewField(Struct, frozen=True):
    """A header field to add. `value` may be folded by CRLF and white space (RFC 5322 §2.2.3).

    Raises `ValueError` where name or value would make another field of it, or end the header: what a
    stranger wrote may be in a value.
    """

    name: str
    value: str

    def __post_init__(self) -> None:
        if _SOUND_NAME(self.name) and _SOUND(self.value):
            return  # as nearly all; what follows finds out what is wrong, or that it is rare
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
    pieces = _FIELDS.split(octets.decode("utf-8", "replace").removesuffix("\r\n"))
    found = []
    for piece in pieces:
        name, colon, value = piece.partition(":")
        if not colon:
            raise ValueError(f"{name[:80]!r} is no name of a header field")
        found.append(NewField(name, value.lstrip(" ")))
    return tuple(found)
