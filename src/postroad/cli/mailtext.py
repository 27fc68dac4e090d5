"""A message as a program hands it to sendmail: any line ends, perhaps no blank line, perhaps Bcc."""

import re
from collections.abc import Iterator

from postroad.message.header import Field, Header

_FIELDS = re.compile(rb"(?:[!-9;-~]+[ \t]*:[^\n]*\n(?:[ \t][^\n]*\n)*)*")
_MBOX_FROM = re.compile(rb"From [^\n]*\n")
_TOKEN = re.compile(
    r'"(?:[^"\\]|\\.)*"?'  # a quoted string, perhaps not closed
    r"|<[^>]*>?"
    r"|[(),:;]"
    r"|\\.|[^\"<(),:;\\]+|\\",
    re.DOTALL,
)


class Letter:
    """Header fields and body; what was read has LF line ends, what is written has CRLF."""

    def __init__(self, fields: list[Field], body: bytes) -> None:
        self._fields = fields
        self._body = body

    def has(self, name: str) -> bool:
        """Whether there is a field of that name (lower case)."""
        return any(field.name.lower() == name for field in self._fields)

    def add(self, name: str, value: str) -> None:
        """Put a field in front."""
        self._fields.insert(0, Field(name, value, f"{name}: {value}\r\n".encode()))

    def remove(self, *names: str) -> None:
        """Remove all fields of these names (lower case)."""
        self._fields = [field for field in self._fields if field.name.lower() not in names]

    def recipients(self) -> list[str]:
        """Return the addresses in To, Cc and Bcc; in their Resent- kin where there are any
        (RFC 5322 §3.6.6).
        """
        prefix = "resent-" if any(self.has(f"resent-{name}") for name in _RECIPIENTS) else ""
        wanted = {prefix + name for name in _RECIPIENTS}
        return [
            address
            for field in self._fields
            if field.name.lower() in wanted
            for address in addresses(field.value)
        ]

    def to_bytes(self) -> bytes:
        """Return the message as SMTP wants it."""
        header = b"".join(field.raw for field in self._fields)
        return header + b"\r\n" + self._body


_RECIPIENTS = ("to", "cc", "bcc")


def read_letter(data: bytes) -> Letter:
    """Take a message apart. Text without a header is all body."""
    data = data.replace(b"\r\n", b"\n").replace(b"\r", b"\n")
    if data and not data.endswith(b"\n"):
        data += b"\n"
    envelope_line = _MBOX_FROM.match(data)
    if envelope_line:
        data = data[envelope_line.end() :]
    match = _FIELDS.match(data)
    assert match is not None, "the pattern fits even nothing"
    header, body = match.group(), data[match.end() :]
    body = body.removeprefix(b"\n")
    fields = list(Header.parse(header.replace(b"\n", b"\r\n")).fields)
    return Letter(fields, body.replace(b"\n", b"\r\n"))


def addresses(value: str) -> Iterator[str]:
    """Yield the addresses of an address list (RFC 5322 §3.4): ``a@b, "C, D" <c@d>, group: e@f;``.

    Names and comments are left out. Linear in the length of `value`.
    """
    text: list[str] = []
    angle: str | None = None
    depth = 0
    for token in _TOKEN.findall(value):
        if token in ("(", ")"):
            depth = max(0, depth + (1 if token == "(" else -1))
        elif depth:
            continue  # within a comment
        elif token in (",", ";"):
            yield from _one(text, angle)
            text, angle = [], None
        elif token == ":":
            text, angle = [], None  # what came before was the name of a group
        elif token.startswith("<"):
            angle = token[1:].removesuffix(">").strip()
        else:
            text.append(token)
    yield from _one(text, angle)


def _one(text: list[str], angle: str | None) -> Iterator[str]:
    found = angle if angle is not None else "".join(text).strip()
    if found:
        yield found
