"""Lists of tags, as signatures and key records have them (RFC 6376 §3.2), and values in them.

Reading is strict and its cost is bounded: a list is at most `MAX_LIST_OCTETS` long and has at most
`MAX_TAGS` tags. Control characters make a list unreadable; nothing is cut off at them.
"""

import binascii
import re

from postroad.trust.dkim.result import Refused, Result

MAX_LIST_OCTETS = 16_384
MAX_TAGS = 64

_NAME = re.compile(rb"[A-Za-z][A-Za-z0-9_]*\Z")
_CONTROL = re.compile(rb"[\0-\x08\x0b\x0c\x0e-\x1f\x7f]|\r(?!\n[ \t])|(?<!\r)\n")
_LABEL = (
    r"[A-Za-z0-9_\x80-\U0010ffff](?:[A-Za-z0-9_\x80-\U0010ffff-]{0,61}[A-Za-z0-9_\x80-\U0010ffff])?"
)
_LABELS = re.compile(rf"{_LABEL}(?:\.{_LABEL})*\Z")
_SPACE = b" \t\r\n"


class TagList:
    """The tags of a list, by name; `places` says where in the list each value is, spaces included."""

    __slots__ = ("data", "places", "values")

    def __init__(
        self, data: bytes, values: dict[str, bytes], places: dict[str, tuple[int, int]]
    ) -> None:
        self.data = data
        self.values = values
        self.places = places

    @classmethod
    def parse(cls, data: bytes) -> "TagList":
        """Read a list. Raises `Refused` (permerror)."""
        if len(data) > MAX_LIST_OCTETS:
            raise Refused(Result.PERMERROR, f"more than {MAX_LIST_OCTETS} octets of tags")
        data = data.removesuffix(b"\r\n")
        if _CONTROL.search(data):
            raise Refused(Result.PERMERROR, "a control character between the tags")
        pieces = data.split(b";", MAX_TAGS + 1)
        if len(pieces) > 1 and not pieces[-1].strip(_SPACE):
            pieces.pop()
        if len(pieces) > MAX_TAGS:
            raise Refused(Result.PERMERROR, f"more than {MAX_TAGS} tags")
        values: dict[str, bytes] = {}
        places: dict[str, tuple[int, int]] = {}
        start = 0
        for piece in pieces:
            name, equals, value = piece.partition(b"=")
            name = name.strip(_SPACE)
            if not equals or not _NAME.match(name):
                raise Refused(Result.PERMERROR, "what is between two semicolons is no tag")
            key = name.decode("ascii")
            if key in values:
                raise Refused(Result.PERMERROR, f"two tags {key}=")
            values[key] = value.strip(_SPACE)
            end = start + len(piece)
            places[key] = (end - len(value), end)
            start = end + 1
        return cls(data, values, places)

    def need(self, name: str) -> bytes:
        """Return a value that has to be there and not be empty. Raises `Refused` (permerror)."""
        value = self.values.get(name)
        if not value:
            raise Refused(Result.PERMERROR, f"no {name}=")
        return value

    def without(self, name: str) -> bytes:
        """Return the list with the value of one tag removed, the spaces around it too."""
        start, end = self.places[name]
        return self.data[:start] + self.data[end:]


def number(tags: TagList, name: str, digits: int) -> int | None:
    """Return a number without sign, None where the tag is absent. Raises `Refused` (permerror)."""
    value = tags.values.get(name)
    if value is None:
        return None
    if not value.isdigit() or len(value) > digits:
        raise Refused(Result.PERMERROR, f"{name}= is no number of at most {digits} digits")
    return int(value)


def base64(tags: TagList, name: str) -> bytes:
    """Return the octets that a value stands for. Raises `Refused` (permerror)."""
    value = tags.need(name).translate(None, _SPACE)
    try:
        return binascii.a2b_base64(value, strict_mode=True)
    except binascii.Error:
        raise Refused(Result.PERMERROR, f"{name}= is not base64") from None


def domain(value: bytes, name: str, least_labels: int = 1) -> str:
    """Return a domain or selector, in lower case. Raises `Refused` (permerror).

    Letters beyond ASCII are allowed (RFC 8616 §4).
    """
    try:
        text = value.decode()
    except UnicodeDecodeError:
        text = ""
    if len(text) > 253 or not _LABELS.match(text) or text.count(".") + 1 < least_labels:
        raise Refused(Result.PERMERROR, f"{name}= is no domain name")
    return text.lower()


def words(value: bytes) -> tuple[str, ...]:
    """Return the words of a list with colons, in lower case."""
    return tuple(
        word.strip(_SPACE).decode("ascii", "replace").lower() for word in value.split(b":")
    )
