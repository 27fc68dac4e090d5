"""The links in an HTML document, told by the octets that their targets take.

Works on octets, for any charset that is a superset of ASCII where it matters. Not a parser of HTML: what
is in comments (those for Outlook too), scripts and styles is passed over. Never raises, linear in the
length.
"""

import html
import re

from msgspec import Struct

MAX_LINKS = 1_000
"""Behind so many links of a document no more are looked for."""

MAX_TARGET_OCTETS = 2_000
OPT_OUT = b"data-no-track"
"""A link with this attribute, whatever its value, is not to be tracked."""

_OPENING = re.compile(
    rb"<(?:(!--)|(area|a)(?=[\s/>])|(script|style|title|textarea|xmp|noscript)(?=[\s/>]))", re.I
)
_ATTRIBUTE = re.compile(
    rb"[\s/]*+(?:(>)|([^\s/>=]++)(?:\s*+=\s*+(?:\"([^\"]*+)\"|'([^']*+)'|([^\s>\"'][^\s>]*+)))?)"
)
_TARGET = re.compile(r"https?://[!-~]+", re.I)
_ENTITY = re.compile(r"&(?:#[0-9]{1,7}|#[xX][0-9a-fA-F]{1,6}|[a-zA-Z][a-zA-Z0-9]{1,31});")
_ENDS = {
    name: re.compile(rb"</" + name + rb"(?=[\s/>])", re.I)
    for name in (b"script", b"style", b"title", b"textarea", b"xmp", b"noscript")
}


class FoundLink(Struct, frozen=True):
    """A link to `target` (``http://`` or ``https://``, ASCII). The octets from `start` to `end`, quotes
    included, are its value. `spared`: it has the attribute `OPT_OUT`.
    """

    start: int
    end: int
    target: str
    spared: bool = False


def find_links(document: bytes) -> list[FoundLink]:
    """Return the links that may be replaced, in order; at most `MAX_LINKS`.

    These are the targets of ``<a>`` and ``<area>`` in the web, without those that are not plainly
    written.
    """
    found: list[FoundLink] = []
    position = 0
    while len(found) < MAX_LINKS:
        opening = _OPENING.search(document, position)
        if opening is None:
            break
        position = opening.end()
        if opening[1] is not None:
            end = document.find(b"-->", position)
            if end < 0:
                break
            position = end + 3
        elif opening[3] is not None:
            closing = _ENDS[opening[3].lower()].search(document, position)
            if closing is None:
                break
            position = closing.end()
        else:
            link, position = _link(document, position)
            if link is not None:
                found.append(link)
    return found


def place_of_picture(document: bytes) -> int:
    """Return where a picture can be put that is shown with the document: behind all it says."""
    lower = document.lower()
    at = lower.rfind(b"</body")
    if at < 0:
        at = lower.rfind(b"</html")
    return at if at >= 0 else len(document)


def _link(document: bytes, position: int) -> tuple[FoundLink | None, int]:
    """Read the attributes of a tag; return the link, if it is one to replace, and where the tag ends."""
    value: tuple[int, int, bytes] | None = None
    spared = False
    while (attribute := _ATTRIBUTE.match(document, position)) is not None:
        position = attribute.end()
        if attribute[1] is not None:
            break
        name = attribute[2].lower()
        if name == OPT_OUT:
            spared = True
        elif name == b"href" and value is None:
            group = attribute.lastindex or 2
            quote = 1 if group in (3, 4) else 0
            start, end = attribute.span(group)
            value = (start - quote, end + quote, attribute[group] if group > 2 else b"")
    target = _target(value[2]) if value is not None else None
    if value is None or target is None:
        return None, position
    return FoundLink(value[0], value[1], target, spared), position


def _target(value: bytes) -> str | None:
    """Return what a browser would make of a value; None where that is not sure, or no web address."""
    if len(value) > 2 * MAX_TARGET_OCTETS or not value.isascii():
        return None
    text = _ENTITY.sub(lambda match: html.unescape(match[0]), value.decode("ascii")).strip(
        " \t\r\n\f"
    )
    if "&#" in text or len(text) > MAX_TARGET_OCTETS or not _TARGET.fullmatch(text):
        return None
    return text
