"""Reading a message header: where it ends, and its fields (RFC 5322 §2.2).

Reading never fails: whatever is in a header ends up in one field or another, and the raw bytes of all
fields together are the header. Time is linear in its length, and the number of fields is bounded.
"""

import re

from msgspec import Struct

MAX_FIELDS = 10_000

_FIELD_START = re.compile(rb"(?<=\n)(?![ \t])")
_NAME = re.compile(rb"([!-9;-~]+)[ \t]*:")
_FOLD = re.compile(rb"\r?\n(?=[ \t])")


def header_end(data: bytes | bytearray) -> int:
    """Return the index just behind the blank line that ends the header, -1 where there is none yet.

    A message without a body may lack the blank line (RFC 5322 §3.5).
    """
    if data.startswith(b"\r\n"):
        return 2
    end = data.find(b"\r\n\r\n")
    return end if end < 0 else end + 4


def split_fields(data: bytes) -> list[bytes]:
    """Return the raw fields of the header at the start of `data`, which may go on with the body.

    Where there are more than `MAX_FIELDS`, the rest is one piece behind these.
    """
    end = header_end(data)
    if end >= 0:
        data = data[: end - 2]
    if not data:
        return []
    pieces = _FIELD_START.split(data, maxsplit=MAX_FIELDS)
    if not pieces[-1]:
        pieces.pop()
    return pieces


class Field(Struct, frozen=True):
    """One header field. `raw` is it as it came, folding and line end included.

    `name` is as written, ``""`` where the line is no field. `value` is unfolded (RFC 5322 §2.2.3) and
    without white space at its ends; octets that are not UTF-8 (RFC 6532) show as U+FFFD.
    """

    name: str
    value: str
    raw: bytes


class Header:
    """The fields of a message, in order.

    `complete` is False where there were more than `MAX_FIELDS` of them; the rest is then the raw bytes
    of one last field without a name.
    """

    __slots__ = ("_values", "complete", "fields")

    def __init__(self, fields: tuple[Field, ...], complete: bool = True) -> None:
        self.fields = fields
        self.complete = complete
        self._values: dict[str, list[str]] | None = None

    @classmethod
    def parse(cls, data: bytes) -> "Header":
        """Read the header at the start of `data`, which may go on with the body. Never raises."""
        pieces = split_fields(data)
        if len(pieces) <= MAX_FIELDS:
            return cls(tuple([_field(raw) for raw in pieces]))
        fields = [_field(raw) for raw in pieces[:MAX_FIELDS]]
        return cls((*fields, Field("", "", pieces[-1])), False)

    def get(self, name: str) -> str | None:
        """Return the value of the first field of that name, in whatever case."""
        values = self._by_name().get(name.lower())
        return values[0] if values else None

    def get_all(self, name: str) -> list[str]:
        """Return the values of all fields of that name, in order."""
        return list(self._by_name().get(name.lower(), ()))

    def count(self, name: str) -> int:
        """Return how many fields have that name."""
        return len(self._by_name().get(name.lower(), ()))

    def _by_name(self) -> dict[str, list[str]]:
        values = self._values
        if values is None:
            values = self._values = {}
            for field in self.fields:
                if field.name:
                    values.setdefault(field.name.lower(), []).append(field.value)
        return values


def _field(raw: bytes) -> Field:
    match = _NAME.match(raw)
    if match is None:
        return Field("", "", raw)
    value = raw[match.end() :]
    if b"\n" in value:
        value = _FOLD.sub(b"", value)
    return Field(match[1].decode("ascii"), value.strip(b" \t\r\n").decode("utf-8", "replace"), raw)
