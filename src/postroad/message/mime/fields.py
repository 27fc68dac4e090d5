"""Values with parameters: Content-Type and Content-Disposition (RFC 2045 §5.1, RFC 2183, RFC 2231).

Lenient and bounded: parameters without values, doubled semicolons, comments, and quoted strings that
never end are got over. Never raises, linear in what is read.
"""

import re
from urllib.parse import unquote_to_bytes

from msgspec import Struct

from postroad.message.mime.charsets import decode
from postroad.message.mime.words import decode_words, unfold

MAX_FIELD_OCTETS = 65_536
"""Of a field with parameters no more is read."""

MAX_PARAMETERS = 200
"""Parameters of one field that are read, each part of one that was cut up (RFC 2231 §3) counted."""

_SKIP = re.compile(r"(?:[ \t;,]++|\((?:[^()\\]++|\\.)*+\)?)++")
_NAME = re.compile(r"([^\s=;\"(]++)[ \t]*+(=?)[ \t]*+")
_QUOTED = re.compile(r'"((?:[^"\\]++|\\.)*+)"?')
# Values with spaces that should be quoted, and a semicolon that is missing, are both seen.
_TOKEN = re.compile(r"(?:[^;\s]++|\s++(?![A-Za-z0-9*-]++=))*+")
_ESCAPED = re.compile(r"\\(.)")
_SECTION = re.compile(r"([^*]++)(?:\*([0-9]{1,4}))?(\*)?")


class Parameters(Struct, frozen=True):
    """`value` is what stands before the parameters, in lower case; `named` has names in lower case
    and values decoded.
    """

    value: str
    named: dict[str, str]

    def get(self, name: str) -> str:
        """Return a parameter, ``""`` where there is none."""
        return self.named.get(name, "")


def parse(raw: bytes) -> Parameters:
    """Read the value of a field as it stands in the header (behind the colon)."""
    text = decode(unfold(raw[:MAX_FIELD_OCTETS]))
    if ";" not in text:
        return Parameters(_bare(text), {})
    head, _, rest = text.partition(";")
    return Parameters(_bare(head), _parameters(rest))


def _bare(text: str) -> str:
    return text.partition("(")[0].strip().lower()


def _parameters(text: str) -> dict[str, str]:
    found: dict[str, str] = {}
    cut: dict[str, dict[int, tuple[bool, str]]] = {}
    position, count = 0, 0
    while position < len(text) and count < MAX_PARAMETERS:
        skipped = _SKIP.match(text, position)
        if skipped:
            position = skipped.end()
            continue
        match = _NAME.match(text, position)
        if match is None:
            position = _after_junk(text, position)
            continue
        count += 1
        name, position = match[1].lower(), match.end()
        if not match[2]:
            continue
        quoted = _QUOTED.match(text, position)
        if quoted:
            value, position = _ESCAPED.sub(r"\1", quoted[1]), quoted.end()
        else:
            token = _TOKEN.match(text, position)
            assert token is not None, "it fits even nothing"
            value, position = token[0].partition(" (")[0].strip(), token.end()
        section = _SECTION.fullmatch(name)
        if section is None or (section[2] is None and section[3] is None):
            found.setdefault(name, decode_words(value))
        else:
            parts = cut.setdefault(section[1], {})
            parts.setdefault(int(section[2] or 0), (section[3] is not None, value))
    for name, parts in cut.items():
        found[name] = _joined(parts)
    return found


def _after_junk(text: str, position: int) -> int:
    end = text.find(";", position + 1)
    return len(text) if end < 0 else end


def _joined(parts: dict[int, tuple[bool, str]]) -> str:
    """RFC 2231 §3 and §4: parts by their numbers, the first of which may name a charset."""
    octets: list[bytes] = []
    charset = ""
    for position, number in enumerate(sorted(parts)):
        encoded, value = parts[number]
        if encoded and position == 0 and value.count("'") >= 2:
            charset, _, value = value.split("'", 2)
        octets.append(unquote_to_bytes(value) if encoded else value.encode("utf-8", "replace"))
    return decode(b"".join(octets), charset)
