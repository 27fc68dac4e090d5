"""Values of header fields, written from what people and programs mean (RFC 5322, RFC 2047).

Each returns a value that is folded by CRLF and a space, and raises `ValueError` for what cannot be in a
header: nothing that a stranger wrote can begin another field.
"""

import binascii
import re
from collections.abc import Iterable
from typing import Any
from urllib.parse import quote

_CONTROL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]")
_LINE = 76
_WORD_OCTETS = 42
_ADDRESS = re.compile(r"[^\s<>,;:\"()\[\]\\\x00-\x1f\x7f]+@[^\s<>,;:\"()\\\x00-\x1f\x7f]+")
_QUOTED_ADDRESS = re.compile(r'"(?:[^"\\\x00-\x1f\x7f]|\\[ -~])*"@[^\s<>,;:"()\\\x00-\x1f\x7f]+')
_ATOMS = re.compile(r"[A-Za-z0-9!#$%&'*+\-/=?^_`{|}~ ]+")
_ID = re.compile(r"[!-;=?-~]{1,900}")
_URL = re.compile(r"[!-;=?-~]{1,900}")
MAX_LIST = 5_000


def text_value(text: Any) -> str:
    """Return unstructured text; what is not ASCII becomes encoded words."""
    text = _clean(text)
    if text.isascii() and "=?" not in text and all(len(word) < 900 for word in text.split(" ")):
        return _fold(text.split(" "))
    return _fold(encoded_words(text))


def encoded_words(text: str) -> list[str]:
    """Return encoded words (RFC 2047 §2) that say the text, none with half a letter."""
    words: list[str] = []
    octets = b""
    for letter in text:
        more = letter.encode("utf-8", "replace")
        if len(octets) + len(more) > _WORD_OCTETS:
            words.append(_encoded(octets))
            octets = b""
        octets += more
    words.append(_encoded(octets))
    return words


def _encoded(octets: bytes) -> str:
    return f"=?utf-8?b?{binascii.b2a_base64(octets, newline=False).decode()}?="


def address_list(given: Any) -> str:
    """Return a list of EmailAddress objects (RFC 8621 §4.1.2.3)."""
    return _join(_mailboxes(given))


def groups(given: Any) -> str:
    """Return a list of EmailAddressGroup objects (RFC 8621 §4.1.2.4)."""
    found: list[str] = []
    for group in _list(given):
        name = group.get("name")
        inside = _mailboxes(group.get("addresses"))
        if name is None:
            found += inside
        else:
            found.append(f"{_phrase(str(name))}: {_join(inside)};")
    return _join(found)


def message_ids(given: Any) -> str:
    """Return message ids, which come without angle brackets."""
    found = []
    for each in _list(given):
        if not isinstance(each, str) or not _ID.fullmatch(each):
            raise ValueError("a message id has neither spaces nor angle brackets")
        found.append(f"<{each}>")
    if not found:
        raise ValueError("there is no message id in it")
    return _fold(found)


def urls(given: Any) -> str:
    """Return addresses of the web in angle brackets (RFC 2369)."""
    found = []
    for each in _list(given):
        if not isinstance(each, str) or not _URL.fullmatch(each):
            raise ValueError("it has to be a list of URLs")
        found.append(f"<{each}>")
    return _join(found)


def raw_value(value: Any) -> str:
    """Return a value as the client wrote it, if it can be one: each line but the first begins with a
    space.
    """
    if not isinstance(value, str):
        raise ValueError("it has to be a text")
    lines = value.replace("\r\n", "\n").split("\n")
    if (
        "\r" in "".join(lines)
        or _CONTROL.search(value)
        or any(not line.startswith((" ", "\t")) for line in lines[1:])
    ):
        raise ValueError("it has a line that would be another field, or control characters")
    if any(not line.strip() for line in lines[1:]) or any(len(line) > 900 for line in lines):
        raise ValueError("it has a line that is empty, or too long")
    if not value.isascii():
        return text_value(" ".join(line.strip() for line in lines))
    return "\r\n".join(lines).lstrip(" ")


def parameter(name: str, value: str) -> str:
    """Return a parameter of a field (RFC 2045 §5.1), in the form of RFC 2231 where it has to be."""
    value = _clean(value)
    if value.isascii() and len(value) < 60:
        escaped = value.replace("\\", "\\\\").replace('"', '\\"')
        return f'{name}="{escaped}"'
    encoded = quote(value.encode("utf-8", "replace"), safe="")
    pieces = [encoded[start : start + 54] for start in range(0, len(encoded), 54)]
    # No escape is cut in two.
    for index in range(len(pieces) - 1):
        cut = pieces[index].rfind("%", len(pieces[index]) - 2)
        if cut >= 0:
            pieces[index], pieces[index + 1] = (
                pieces[index][:cut],
                pieces[index][cut:] + pieces[index + 1],
            )
    if len(pieces) == 1:
        return f"{name}*=utf-8''{pieces[0]}"
    first = f"{name}*0*=utf-8''{pieces[0]}"
    rest = [f"{name}*{number}*={piece}" for number, piece in enumerate(pieces[1:], 1)]
    return ";\r\n ".join([first, *rest])


def _mailboxes(given: Any) -> list[str]:
    found = []
    for each in _list(given):
        name, email = each.get("name"), each.get("email")
        if not isinstance(email, str) or not (
            _ADDRESS.fullmatch(email) or _QUOTED_ADDRESS.fullmatch(email)
        ):
            raise ValueError(f"{str(email)[:80]!r} is no address")
        if len(email) > 320:
            raise ValueError("an address has at most 320 characters")
        found.append(f"{_phrase(str(name))} <{email}>" if name else email)
    return found


def _phrase(name: str) -> str:
    name = _clean(name)[:500]
    if _ATOMS.fullmatch(name) and "=?" not in name:
        return name
    if name.isascii() and "=?" not in name:
        return '"' + name.replace("\\", "\\\\").replace('"', '\\"') + '"'
    return "\r\n ".join(encoded_words(name))


def _list(given: Any) -> list[Any]:
    if not isinstance(given, list) or len(given) > MAX_LIST:
        raise ValueError(f"it has to be a list of at most {MAX_LIST}")
    return given


def _clean(text: Any) -> str:
    if not isinstance(text, str):
        raise ValueError("it has to be a text")
    if _CONTROL.search(text):
        raise ValueError("it has control characters")
    return " ".join(text.replace("\t", " ").splitlines())


def _join(items: list[str]) -> str:
    return ",\r\n ".join(items)


def _fold(words: Iterable[str]) -> str:
    lines: list[str] = [""]
    for number, word in enumerate(words):
        # The first line has the field's name in front.
        room = _LINE - 20 if len(lines) == 1 else _LINE
        if number and len(lines[-1]) + len(word) > room and word and lines[-1].strip():
            lines.append(word)
        else:
            lines[-1] += f" {word}" if number else word
    return "\r\n ".join(lines)
