"""Header fields: folded, in encoded words where they are not ASCII (RFC 2047), long and foreign names of
files in the manner of RFC 2231.
"""

import re
from binascii import b2a_base64
from collections.abc import Iterable, Sequence
from urllib.parse import quote

from msgspec import Struct

from postroad.model import Address

MAX_VALUE_OCTETS = 16_384
MAX_NAME_OCTETS = 76
_LINE = 76
_LONGEST_WORD = 900  # of a line of at most 998 octets (RFC 5322 §2.1.1)
_WORD_OCTETS = 42  # in base 64 within =?utf-8?b??= they are 56 + 12: RFC 2047 §2 lets it be 75
_NAME = re.compile(r"[!-9;-~]+")
_ATOMS = re.compile(r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~ -]*")  # RFC 5322 §3.2.3, and the space between
_MESSAGE_ID = re.compile(
    r"<[!-;=?A-~]+@[!-;=?A-~]+>"
)  # RFC 5322 §3.6.4, with what is in use beside
_TOKEN = re.compile(r"[A-Za-z0-9!#$&+^_`{}~.-]+")

OURS = frozenset(
    {
        "from",
        "sender",
        "to",
        "cc",
        "bcc",
        "subject",
        "reply-to",
        "date",
        "mime-version",
        "received",
        "return-path",
        "dkim-signature",
        "authentication-results",
        "arc-seal",
        "arc-message-signature",
        "arc-authentication-results",
        "resent-from",
        "resent-to",
        "resent-cc",
        "resent-bcc",
        "resent-sender",
        "resent-date",
        "resent-message-id",
    }
)
"""Fields that a caller does not write: they are made of other values, or of what happens on the way."""


class LetterInvalid(ValueError):
    """A value that cannot be in a message; `field` is which, as a path: ``to[0].name``."""

    def __init__(self, field: str, why: str) -> None:
        super().__init__(f"{field}: {why}")
        self.field = field
        self.why = why


class Person(Struct, frozen=True):
    """An address with the name to show before it."""

    address: Address
    name: str = ""


def sound(field: str, text: str, *, most: int = MAX_VALUE_OCTETS) -> str:
    """Return a text that stands on one line as it is. Raises `LetterInvalid`: nothing that ends a line
    or is a control character may come into a header.
    """
    if len(text) > most:
        raise LetterInvalid(field, f"is longer than {most} characters")
    if not text.isprintable():
        for letter in text:
            if letter < " " or letter == "\x7f" or letter in "\x85\u2028\u2029":
                raise LetterInvalid(field, f"holds the control character {letter!r}")
            if "\ud800" <= letter <= "\udfff":
                raise LetterInvalid(field, "is no text: it holds half of a character")
    return text


def field_name(field: str, name: str) -> str:
    """Return the name of a field that a caller may write. Raises `LetterInvalid`."""
    if not 0 < len(name) <= MAX_NAME_OCTETS or _NAME.fullmatch(name) is None:
        raise LetterInvalid(field, f"{name[:MAX_NAME_OCTETS]!r} is no name of a header field")
    lower = name.lower()
    if lower == "idempotency-key":
        raise LetterInvalid(field, f"{name} belongs to the request: recipients have no use for it")
    if lower in OURS or lower.startswith("content-"):
        raise LetterInvalid(field, f"{name} is not yours to write: it is made of other fields")
    return name


def field_value(field: str, name: str, value: str) -> None:
    """Raises `LetterInvalid` where a value will not do in the field of that name."""
    sound(field, value)
    if name.lower() == "message-id" and (
        len(value) > _LONGEST_WORD or _MESSAGE_ID.fullmatch(value.strip()) is None
    ):
        raise LetterInvalid(field, "is not of the form <left@right>")


def text_field(name: str, value: str) -> bytes:
    """Return an unstructured field (RFC 5322 §2.2.1) of a sound value, with its CRLF."""
    if value.isascii() and len(name) + len(value) + 2 <= _LINE and "=?" not in value:
        return f"{name}: {value.strip()}\r\n".encode()
    return _folded(name, _words(value)).encode()


def plain_field(field: str, name: str, value: str) -> bytes:
    """Return a field whose value may have a structure, so that ASCII stays as it is. Raises
    `LetterInvalid` where it cannot be folded.
    """
    if not value.isascii():
        return text_field(name, value)
    words = value.split()
    if any(len(word) > _LONGEST_WORD for word in words):
        raise LetterInvalid(field, f"holds more than {_LONGEST_WORD} characters without a space")
    return _folded(name, words).encode()


def people_field(name: str, people: Sequence[Person]) -> bytes:
    """Return an address list (RFC 5322 §3.4); what is not ASCII in an address stays (RFC 6532 §3.2)."""
    parts: list[str] = []
    last = len(people) - 1
    for place, person in enumerate(people):
        comma = "," if place < last else ""
        if person.name:
            parts += _phrase(person.name)
            parts.append(f"<{person.address}>{comma}")
        else:
            parts.append(f"{person.address}{comma}")
    return _folded(name, parts).encode()


def parameter(name: str, value: str) -> str:
    """Return a parameter with what stands before it: quoted where it is ASCII and short, else encoded
    and in parts (RFC 2231 §3, RFC 2231 §4).
    """
    if value.isascii() and len(value) <= 60:
        if _TOKEN.fullmatch(value):
            return f";\r\n {name}={value}"
        escaped = value.replace("\\", "\\\\").replace('"', '\\"')
        return f';\r\n {name}="{escaped}"'
    encoded = quote(value, safe="!#$&+^_`{}~")
    if len(encoded) <= 50:
        return f";\r\n {name}*=utf-8''{encoded}"
    parts: list[str] = []
    first = "utf-8''"
    at = 0
    while at < len(encoded):
        end = min(at + 48, len(encoded))
        if end < len(encoded):  # an octet is not cut in two
            cut = encoded.rfind("%", end - 2, end)
            end = end if cut < 0 else cut
        parts.append(f";\r\n {name}*{len(parts)}*={first}{encoded[at:end]}")
        first, at = "", end
    return "".join(parts)


def _phrase(name: str) -> Iterable[str]:
    if name.isascii() and "=?" not in name and len(name) <= _LONGEST_WORD:
        if _ATOMS.fullmatch(name):
            return name.split()
        escaped = name.replace("\\", "\\\\").replace('"', '\\"')
        return [f'"{escaped}"']
    return _encoded(name)


def _words(value: str) -> list[str]:
    """ASCII words as they are where all are; else encoded words, all of it: between two of these the
    space is not shown (RFC 2047 §6.2).
    """
    if value.isascii() and "=?" not in value:
        words = value.split(" ")
        if all(len(word) <= _LONGEST_WORD for word in words):
            return [word for word in words if word]
    return _encoded(value)


def _encoded(value: str) -> list[str]:
    """No character is in two words (RFC 2047 §5)."""
    words: list[str] = []
    part: list[str] = []
    octets = 0
    for letter in value:
        size = len(letter.encode())
        if octets + size > _WORD_OCTETS:
            words.append(_encoded_word("".join(part)))
            part, octets = [], 0
        part.append(letter)
        octets += size
    if part:
        words.append(_encoded_word("".join(part)))
    return words


def _encoded_word(text: str) -> str:
    return f"=?utf-8?b?{b2a_base64(text.encode(), newline=False).decode()}?="


def _folded(name: str, words: Iterable[str]) -> str:
    """Fold between words; a line has 76 columns unless a word is longer."""
    lines, line = [], f"{name}:"
    begun = False
    for word in words:
        if begun and len(line) + 1 + len(word) > _LINE:
            lines.append(line)
            line = f" {word}"
        else:
            line = f"{line} {word}"
        begun = True
    lines.append(line)
    return "\r\n".join(lines) + "\r\n"
