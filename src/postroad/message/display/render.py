"""A whole message as a safe page."""

import re
from collections.abc import Callable

import nh3
from msgspec import Struct

from postroad.message.display.allow import ALLOWED, NH3_ATTRIBUTES, NH3_SCHEMES
from postroad.message.display.page import SafePage, page_of
from postroad.message.display.plain import html_of_text
from postroad.message.display.sources import Sources
from postroad.message.display.tidy import tidy
from postroad.message.mime import MimeMessage, Part, layout_of

MAX_PARTS = 50
"""Texts and pictures of one message that are shown one below the other."""

_CUT = (
    '<p class="postroad-note">The message goes on. It is too long to be shown here as a whole.</p>'
)
_EMPTY = '<p class="postroad-note">This message has no text.</p>'
_COLOURS = re.compile(
    r"\bbgcolor=|\bcolor=|(?:[{;\"]|^)\s*(?:background|color)[a-z-]*:", re.MULTILINE
)
_cleaner = nh3.Cleaner(
    tags=set(ALLOWED),
    clean_content_tags={"script", "style"},
    attributes=NH3_ATTRIBUTES,
    url_schemes=NH3_SCHEMES,
    link_rel="noopener noreferrer",
)


class DisplayLimits(Struct, frozen=True):
    """`max_octets` of the texts of a message are shown; behind `max_tags` tags only text is."""

    max_octets: int = 2 * 2**20
    max_tags: int = 30_000


def render(
    message: MimeMessage,
    sources: Sources,
    limits: DisplayLimits,
    picture: Callable[[Part], str | None] = lambda _: None,
    *,
    light: bool = False,
) -> SafePage:
    """Return the page of a message. Any message gives one; linear in its size, never raises.

    `picture` returns the address that a part which is a picture is shown from, None where it is not.
    """
    bodies: list[str] = []
    styles: list[str] = []
    left, cut, made = limits.max_octets, False, False
    parts = layout_of(message.root).html
    for part in parts[:MAX_PARTS]:
        if part.media_type.startswith("image/"):
            shown = picture(part)
            if shown is not None:
                bodies.append(f'<img class="postroad-picture" alt="" src="{shown}">')
            continue
        if part.media_type not in ("text/html", "text/plain"):
            continue
        text = message.body_text(part, left)
        cut = cut or part.end - part.body > 2 * left
        left -= min(left, len(text))
        if part.media_type == "text/html":
            tidied = tidy(text, sources, limits.max_tags)
            bodies.append(_cleaner.clean(tidied.body))
            styles.append(tidied.styles)
            cut = cut or tidied.cut
            made = made or bool(_COLOURS.search(tidied.styles) or _COLOURS.search(bodies[-1]))
        else:
            flowed = part.parameters.get("format").lower() == "flowed"
            delsp = part.parameters.get("delsp").lower() == "yes"
            bodies.append(html_of_text(text, flowed=flowed, delsp=delsp))
        if left <= 0:
            cut = True
            break
    cut = cut or len(parts) > MAX_PARTS
    body = "".join(bodies) or _EMPTY
    html = page_of(body + (_CUT if cut else ""), "\n".join(styles), made=made, light=light)
    return SafePage(html, sources.remote_pictures, cut)
