"""Plain text as HTML: links can be followed, quotes are set off by depth, lines flow (RFC 3676)."""

import html
import re
from collections.abc import Iterator

MAX_QUOTES = 8
"""Deeper quotes look like those of this depth."""

FOLD_LINES = 10
"""Quotes at the end of a text that are longer than this are folded."""

_QUOTE = re.compile(r"(?:> ?)+")
_LINK = re.compile(
    r"(?P<url>\bhttps?://[^\s<>\"'`\\\0-\x1f\x7f]{1,2000})"
    r"|(?P<mail>(?<![\w.+-])[\w.+-]{1,64}+@(?:[\w-]{1,63}\.){1,8}[\w-]{2,63}\b)",
    re.IGNORECASE,
)
_TRAILING = ".,;:!?…\"'*_"
_CLEAN = re.compile(r"[\0-\x08\x0b\x0e-\x1f\x7f]")


def html_of_text(text: str, *, flowed: bool = False, delsp: bool = False) -> str:
    """Return the HTML of a text with LF line ends. Linear in its length."""
    blocks = list(_blocks(_CLEAN.sub("\ufffd", text), flowed=flowed, delsp=delsp))
    written: list[str] = []
    for place, (depth, lines) in enumerate(blocks):
        body = _linked("\n".join(lines))
        if not depth:
            written.append(f'<div class="postroad-text">{body}</div>')
            continue
        quote = f'<div class="postroad-text">{body}</div>'
        for _ in range(depth):
            quote = f'<blockquote class="postroad-quote">{quote}</blockquote>'
        is_last = place == len(blocks) - 1
        if is_last and place and len(lines) > FOLD_LINES:
            quote = f"<details><summary>Quoted text</summary>{quote}</details>"
        written.append(quote)
    return "".join(written)


def _blocks(text: str, *, flowed: bool, delsp: bool) -> Iterator[tuple[int, list[str]]]:
    """Yield neighbouring lines of the same depth of quoting."""
    current, lines, flows = 0, [""], False
    first = True
    for line in text.rstrip("\n").split("\n"):
        match = _QUOTE.match(line)
        depth = 0 if match is None else min(match[0].count(">"), MAX_QUOTES)
        rest = line if match is None else line[match.end() :]
        if flowed and match is None and rest.startswith(" "):
            rest = rest[1:]  # RFC 3676 §4.4: stuffed
        if first or depth != current:
            if not first:
                yield current, lines
            current, lines, flows, first = depth, [], False, False
        if flows:
            lines[-1] += rest
        else:
            lines.append(rest)
        flows = flowed and rest.endswith(" ") and rest != "-- "
        if flows and delsp:
            lines[-1] = lines[-1][:-1]
    if not first and (lines != [""] or current):
        yield current, lines


def _linked(text: str) -> str:
    pieces, position = [], 0
    for match in _LINK.finditer(text):
        found = match[0]
        if match["url"]:
            found = found.rstrip(_TRAILING)
            if found.endswith(")") and "(" not in found:
                found = found[:-1].rstrip(_TRAILING)
        address = found if match["url"] else f"mailto:{found}"
        pieces.append(html.escape(text[position : match.start()], quote=False))
        position = match.start() + len(found)
        shown = html.escape(found)
        pieces.append(
            f'<a href="{html.escape(address)}" target="_blank" rel="noopener noreferrer">{shown}</a>'
        )
    pieces.append(html.escape(text[position:], quote=False))
    return "".join(pieces)
