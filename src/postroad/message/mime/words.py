"""Text in header fields: encoded words (RFC 2047) and octets that are no ASCII (RFC 6532).

Lenient: words inside quoted strings, with spaces in them, or glued to others are read as well.
Never raises, linear in the length.
"""

import re

from postroad.message.mime.charsets import decode
from postroad.message.mime.encodings import base64, quoted_printable

_WORD = re.compile(r"=\?([!-)+->@-~]{1,40})(?:\*[!->@-~]{0,40})?\?([bBqQ])\?([^?\r\n]*+)\?=")
_FOLD = re.compile(rb"\r?\n(?=[ \t])")


def unfold(raw: bytes) -> bytes:
    """Return a field's value in one line (RFC 5322 §2.2.3), without white space at its ends."""
    if b"\n" in raw:
        raw = _FOLD.sub(b"", raw).replace(b"\r\n", b" ").replace(b"\n", b" ")
    return raw.strip(b" \t\r")


def text_of(raw: bytes) -> str:
    """Return what a field's value says to people: unfolded, encoded words decoded."""
    return decode_words(decode(unfold(raw)))


def decode_words(value: str) -> str:
    """Return the text with its encoded words decoded.

    White space between two of them is none of the text; a letter that was cut in two between words of
    the same charset is put together again (RFC 2047 §6.2, RFC 2047 §5).
    """
    if "=?" not in value:
        return value
    out: list[str] = []
    octets: list[bytes] = []
    charset = ""
    position = 0
    for match in _WORD.finditer(value):
        between = value[position : match.start()]
        new_charset = match[1].lower()
        if octets and (between.strip(" \t") or new_charset != charset):
            out.append(decode(b"".join(octets), charset))
            octets.clear()
            if not between.strip(" \t"):
                between = ""
        elif octets:
            between = ""
        out.append(between)
        charset = new_charset
        octets.append(_octets(match[2], match[3]))
        position = match.end()
    if octets:
        out.append(decode(b"".join(octets), charset))
    out.append(value[position:])
    return "".join(out)


def _octets(encoding: str, text: str) -> bytes:
    data = text.encode("utf-8", "replace")
    if encoding in "bB":
        return base64(data)
    return quoted_printable(data.replace(b"_", b"=20"))
