"""What an HTML text says, for people without a browser, for searching and for scoring.

Not a parser of HTML and no sanitiser: tags go, what they hide goes, letters stay. Never raises, linear
in the length.
"""

import html.entities
import re
from collections.abc import Iterator

_TAG = re.compile(r"<(/?)([a-zA-Z][a-zA-Z0-9:]{0,30})")
_ENTITY = re.compile(r"&(?:#([0-9]{1,7})|#[xX]([0-9a-fA-F]{1,6})|([a-zA-Z][a-zA-Z0-9]{1,31}));?")
_LINK = re.compile(r"\b(?:href|src|action)\s{0,9}=\s{0,9}[\"']?(https?://[^\s\"'<>]{1,2000})", re.I)
_SPACES = re.compile(r"[ \t\r\f\n\xa0]+")
_BLANK_LINES = re.compile(r"\n(?: ?\n)+")

_HIDDEN = frozenset({"script", "style", "head", "template", "noscript", "object", "svg", "math"})
_BREAK = re.compile(
    "address|article|aside|blockquote|br|center|d[dlt]|div|fieldset|footer|form|h[1-6r]|header|li|main"
    "|nav|ol|option|p|pre|section|table|tr|ul"
)
_CELLS = frozenset({"td", "th"})
MAX_LINKS = 1_000


def text_of_html(source: str) -> str:
    """Return the text of an HTML document; block elements begin lines of their own."""
    lines = "".join(_pieces(source)).split("\n")
    text = "\n".join(_SPACES.sub(" ", line).strip() for line in lines)
    return _BLANK_LINES.sub("\n\n", text).strip()


def links_of_html(source: str) -> list[str]:
    """Return the addresses of the web that it links to or loads, at most `MAX_LINKS`."""
    found = []
    for match in _LINK.finditer(source):
        found.append(unescape(match[1]))
        if len(found) >= MAX_LINKS:
            break
    return found


def _pieces(source: str) -> Iterator[str]:
    position = 0
    while True:
        opening = source.find("<", position)
        if opening < 0:
            yield _words(source[position:])
            return
        yield _words(source[position:opening])
        if source.startswith("<!--", opening):
            end = source.find("-->", opening + 4)
            if end < 0:
                return  # nothing behind a comment that never ends is shown
            position = end + 3
            continue
        tag = _TAG.match(source, opening)
        if tag is None and not source.startswith(("<!", "<?"), opening):
            yield "<"
            position = opening + 1
            continue
        end = source.find(">", opening)
        if end < 0:
            return
        position = end + 1
        name = tag[2].lower() if tag else ""
        if name in _HIDDEN and tag is not None and not tag[1]:
            position = _behind(source, position, name)
        elif _BREAK.fullmatch(name):
            yield "\n"
        elif name in _CELLS:
            yield " "


def _behind(source: str, position: int, name: str) -> int:
    """Return where the element that hides its content ends; the end of all where it does not."""
    closing = re.compile(f"</{name}\\b[^>]*+>?", re.IGNORECASE).search(source, position)
    if closing is not None:
        return closing.end()
    # A head that never ends still is followed by something; what else hides, hides all.
    return position if name == "head" else len(source)


def _words(text: str) -> str:
    return _SPACES.sub(" ", unescape(text)) if text else text


def unescape(text: str) -> str:
    """Return a text with its character references undone, as browsers do it."""
    return _ENTITY.sub(_letter, text) if "&" in text else text


def _letter(match: re.Match[str]) -> str:
    if match[3]:
        named = html.entities.html5.get(match[3] + ";")
        return match[0] if named is None else named
    number = int(match[1]) if match[1] else int(match[2], 16)
    if 0x80 <= number <= 0x9F:  # as browsers do, whatever the standard says
        return bytes([number]).decode("cp1252", "replace")
    if number == 0 or number > 0x10FFFF or 0xD800 <= number <= 0xDFFF:
        return "�"
    return chr(number)
