"""The text part of a message that was written in HTML: what it says, and where its links lead."""

import re
from collections.abc import Iterator

from postroad.message.mime.html import text_of_html

_HREF = re.compile(r"\bhref\s{0,9}=\s{0,9}(?:\"([^\"]{0,8000})\"|'([^']{0,8000})')", re.I)
_LINK = re.compile(r"<a(?=[\s>])", re.I)
_LINK_END = re.compile(r"</a(?=[\s>])", re.I)
_TAG = re.compile(r"<[a-z](?:[^<>\"']|\"[^\"]*\"|'[^']*')*+>", re.I)
_SHOWN = ("http://", "https://")
_MAX_SHOWN = 2_000


def derive_text(html: str) -> str:
    """Return the text of an HTML document; a link is followed by its address in brackets, unless it is
    what is shown anyhow. Never raises.
    """
    return text_of_html("".join(_with_addresses(_TAG.sub(_plain, html))))


def _plain(tag: re.Match[str]) -> str:
    """Return a tag in whose attributes no sign looks like the end of it."""
    inner = tag[0][1:-1]
    if "<" not in inner and ">" not in inner:
        return tag[0]
    return f"<{inner.replace('<', '&lt;').replace('>', '&gt;')}>"


def _with_addresses(html: str) -> Iterator[str]:
    position, address = 0, ""
    while (opening := _LINK.search(html, position)) is not None:
        end = html.find(">", opening.end())
        closing = _LINK_END.search(html, end) if end >= 0 else None
        if closing is None:
            break
        address = _address(html[opening.start() : end])
        yield html[position : closing.start()]
        shown = text_of_html(html[end + 1 : closing.start()][:_MAX_SHOWN])
        if address and shown and shown != text_of_html(address):
            yield f" ({address})"
        position = closing.start()
    yield html[position:]


def _address(tag: str) -> str:
    """Return the address, as it is escaped in the HTML, of a link into the web."""
    found = _HREF.search(tag)
    address = (found[1] or found[2] or "").strip() if found else ""
    plain = address.lower().startswith(_SHOWN) and "<" not in address
    return address if plain else ""
