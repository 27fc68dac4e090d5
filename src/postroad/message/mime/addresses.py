"""Address lists of header fields as people read them: From, To, Cc (RFC 5322 §3.4).

Lenient: for showing, searching and scoring. Who sent a message is decided elsewhere and strictly.
Never raises, linear in the length, and bounded.
"""

import re
from collections.abc import Iterator

from msgspec import Struct

from postroad.message.mime.charsets import decode
from postroad.message.mime.words import decode_words, unfold

MAX_ADDRESSES = 5_000
"""Addresses of one field that are read."""

_TOKEN = re.compile(
    r'"(?:[^"\\]++|\\.)*+"?'  # a quoted string, perhaps not closed
    r"|<[^>]*+>?"
    r"|[(),:;]"
    r"|\\.|[^\"<(),:;\\]++|\\",
    re.DOTALL,
)
_SPACES = re.compile(r"[ \t]+")
_ESCAPED = re.compile(r"\\(.)", re.DOTALL)


class NamedAddress(Struct, frozen=True):
    """One of a list. `name` is decoded, ``""`` where there is none; `address` is as written, without
    comments and angle brackets, and need not be one. `group` is the name of the group it is in.
    """

    name: str
    address: str
    group: str = ""


def addresses_of(raw: bytes) -> list[NamedAddress]:
    """Return the addresses of a field's value, at most `MAX_ADDRESSES`."""
    found: list[NamedAddress] = []
    for each in parse(decode(unfold(raw))):
        found.append(each)
        if len(found) >= MAX_ADDRESSES:
            break
    return found


def parse(value: str) -> Iterator[NamedAddress]:
    """Yield the addresses of an unfolded value."""
    words: list[str] = []
    comment: list[str] = []
    angle: str | None = None
    group, depth = "", 0
    for match in _TOKEN.finditer(value):
        token = match[0]
        if token in ("(", ")"):
            depth = max(0, depth + (1 if token == "(" else -1))
        elif depth:
            comment.append(token)
        elif token in (",", ";"):
            yield from _one(words, angle, comment, group)
            words, angle, comment = [], None, []
            group = "" if token == ";" else group
        elif token == ":" and angle is None:
            group = decode_words(_joined(words))
            words = []
        elif token.startswith("<"):
            angle = token[1:].removesuffix(">").strip()
        else:
            words.append(token)
    yield from _one(words, angle, comment, group)


def _one(
    words: list[str], angle: str | None, comment: list[str], group: str
) -> Iterator[NamedAddress]:
    text = _joined(words)
    if angle is not None:
        address = angle.rpartition(":")[2] if angle.startswith("@") else angle  # a source route
        yield NamedAddress(decode_words(text), address, group)
    elif "@" in text:
        plain = "".join(words).strip()
        yield NamedAddress(decode_words("".join(comment).strip()), plain, group)
    elif text:
        yield NamedAddress(decode_words(text), "", group)


def _joined(words: list[str]) -> str:
    parts = []
    for word in words:
        if word.startswith('"'):
            closed = len(word) > 1 and word.endswith('"')
            word = _ESCAPED.sub(r"\1", word[1:-1] if closed else word[1:])
        elif word.startswith("\\"):
            word = word[1:]
        parts.append(word)
    return _SPACES.sub(" ", "".join(parts)).strip()
