"""Which elements and attributes of HTML may be shown, and what their values may be.

No forms, frames, objects, media, drawings (SVG) or formulas (MathML): what is in these is left out with
them. Of all other elements that are not allowed only the tag goes.
"""

import re

from postroad.message.display.css import declarations
from postroad.message.display.sources import Sources

BLOCKS = frozenset(
    str.split(
        """
        address article aside blockquote center dd details div dl dt fieldset figcaption figure footer
        h1 h2 h3 h4 h5 h6 header hr li main nav ol p pre section summary table ul
        """
    )
)
INLINE = frozenset(
    str.split(
        """
        a abbr acronym b bdi bdo big cite code del dfn em font i img ins kbd mark q rp rt ruby s samp
        small span strike strong sub sup time tt u var wbr br
        """
    )
)
TABLE = frozenset(
    str.split(
        """
        caption col colgroup tbody td tfoot th thead tr
        """
    )
)
VOID = frozenset(["br", "col", "hr", "img", "wbr"])
ALLOWED = BLOCKS | INLINE | TABLE
HIDING = frozenset(
    str.split(
        """
        applet audio base canvas datalist dialog embed frame frameset head iframe math meta noembed
        noframes object option optgroup plaintext script select slot style svg template textarea title
        video xmp
        """
    )
)
"""What these contain is not shown. (`head`, `base`, `frame` and `meta` contain nothing for `tidy`.)"""

_ANYWHERE = frozenset(
    str.split(
        """
        align bgcolor class dir height id lang style title valign width
        """
    )
)
_OF: dict[str, frozenset[str]] = {
    "a": frozenset({"href", "name"}),
    "blockquote": frozenset({"type"}),
    "bdo": frozenset(),
    "col": frozenset({"span"}),
    "colgroup": frozenset({"span"}),
    "details": frozenset({"open"}),
    "div": frozenset({"background"}),
    "font": frozenset({"color", "face", "size"}),
    "hr": frozenset({"color", "noshade", "size"}),
    "img": frozenset({"alt", "border", "hspace", "src", "vspace"}),
    "li": frozenset({"type", "value"}),
    "ol": frozenset({"reversed", "start", "type"}),
    "table": frozenset(
        {"background", "border", "bordercolor", "cellpadding", "cellspacing", "role"}
    ),
    "tbody": frozenset({"background"}),
    "td": frozenset({"abbr", "background", "bordercolor", "colspan", "nowrap", "rowspan", "scope"}),
    "th": frozenset({"abbr", "background", "colspan", "nowrap", "rowspan", "scope"}),
    "time": frozenset({"datetime"}),
    "tr": frozenset({"background", "bordercolor"}),
    "ul": frozenset({"type"}),
}
_ADDRESS = re.compile(r"(?:https?://|mailto:|tel:)[^\s<>\"'`\\\0-\x20\x7f]{1,4000}", re.IGNORECASE)
_FRAGMENT = re.compile(r"#[A-Za-z0-9_.:\-]{1,200}")
_SMALL = re.compile(r"0*[0-2](?:px)?\Z", re.IGNORECASE)
_SMALL_STYLE = re.compile(r"(?:^|;)(?:max-)?(?:width|height):0*[0-2](?:px)?(?:;|$)", re.IGNORECASE)
_BLANKS = re.compile(r"[\t\r\n]")
_MAX_VALUE = 2_000
_MAX_SPAN = 1_000

NH3_ATTRIBUTES = {
    name: set((_ANYWHERE | _OF.get(name, frozenset())) - {"background"}) for name in ALLOWED
}
NH3_ATTRIBUTES["a"].add("target")
NH3_SCHEMES = {"http", "https", "mailto", "tel"}


def attributes_of(
    name: str, given: dict[str, str], sources: Sources
) -> list[tuple[str, str]] | None:
    """Return the attributes to write for an allowed element, or None where it is not shown at all."""
    allowed = _OF.get(name, frozenset())
    style = declarations(given["style"], sources) if given.get("style") else ""
    if name == "img" and _counts_readers(given, style):
        return None
    written: list[tuple[str, str]] = []
    for key, value in given.items():
        if key not in _ANYWHERE and key not in allowed:
            continue
        if key == "style" or (name == "a" and key == "title"):
            continue
        if len(value) > _MAX_VALUE and key not in ("href", "src"):
            continue
        if key == "background":
            shown = sources.of(value, decoration=True)
            if shown:
                style = f'{style}{";" if style else ""}background-image:url("{shown}")'
        elif key == "src":
            shown = sources.of(value)
            written.append(("src", shown) if shown else ("class", "postroad-hidden"))
        elif key == "href":
            written += _link(value)
        elif key in ("colspan", "rowspan", "span"):
            if value.isascii() and value.isdigit() and 0 < int(value[:5]) <= _MAX_SPAN:
                written.append((key, value))
        else:
            written.append((key, value))
    if name == "img" and "src" not in given:
        return None
    if style:
        written.append(("style", style))
    return _once(written)


def link_address(text: str) -> str | None:
    """Return the address that a link leads to, None where it is none that may be followed."""
    address = _BLANKS.sub("", text).strip(" \0\x0b\x0c")
    address = address.replace(" ", "%20").replace('"', "%22").replace("'", "%27")
    return address if _ADDRESS.fullmatch(address) else None


def _link(value: str) -> list[tuple[str, str]]:
    """A link shows where it leads, and opens elsewhere; or it leads to a place in the same message."""
    if _FRAGMENT.fullmatch(value):
        return [("href", value)]
    address = link_address(value)
    if address is None:
        return []
    return [("title", address[:300]), ("href", address), ("target", "_blank")]


def _counts_readers(given: dict[str, str], style: str) -> bool:
    """Pictures that nobody can see are there to tell who reads: they are never shown."""
    sizes = (given.get("width", ""), given.get("height", ""))
    return any(_SMALL.match(each.strip()) for each in sizes) or bool(_SMALL_STYLE.search(style))


def _once(written: list[tuple[str, str]]) -> list[tuple[str, str]]:
    """Each name once: of classes all, of all others the last one."""
    found: dict[str, str] = {}
    for key, value in written:
        found[key] = f"{found[key]} {value}" if key == "class" and key in found else value
    return list(found.items())
