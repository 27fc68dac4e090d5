"""HTML of strangers, written anew: each allowed tag with its allowed attributes, balanced, bounded.

Not a parser as browsers have one: it makes of any text one that all parsers read alike, so that the one
behind it (nh3) has no work to do that grows faster than the text. Elements are closed where browsers
close them, as far as mail needs it. Linear in the length, never raises.
"""

import html
import re

from msgspec import Struct

from postroad.message.display.allow import ALLOWED, BLOCKS, HIDING, TABLE, VOID, attributes_of
from postroad.message.display.css import MAX_RULES, stylesheet
from postroad.message.display.sources import Sources
from postroad.message.mime.html import unescape

MAX_DEPTH = 100
"""Elements that lie deeper are not written, what they contain is."""

MAX_ATTRIBUTES = 50
"""Of one element; further ones are left out."""

MAX_STYLE_OCTETS = 500_000
"""Of all style sheets together."""

_NAME = re.compile(r"[a-zA-Z][^\s/>\0]*+")
_GAP = re.compile(r"[\s/]*+")
_ATTRIBUTE = re.compile(r"=?[^\s/>=]*+")
_EQUALS = re.compile(r"\s*+=\s*+")
_BARE = re.compile(r"[^\s>]*+")
_CLEAN = re.compile(r"[\0-\x08\x0b\x0e-\x1f\x7f]")
_PLAIN_KEY = re.compile(r"[a-z]{1,20}")
_CELLS = ("td", "th", "caption")
_CLOSED_BY: dict[str, tuple[tuple[str, ...], tuple[str, ...]]] = {
    # What an opening tag closes, up to which elements.
    "li": (("li",), ("ul", "ol", "table")),
    "dt": (("dt", "dd"), ("dl", "table")),
    "dd": (("dt", "dd"), ("dl", "table")),
    "a": (("a",), _CELLS),
}
_VOID_HIDING = frozenset({"base", "frame", "head", "meta"})


class Tidied(Struct, frozen=True):
    """`body` is HTML, `styles` CSS; `cut`: tags were left out, for there were too many."""

    body: str
    styles: str
    cut: bool = False


def tidy(source: str, sources: Sources, max_tags: int) -> Tidied:
    """Write anew; behind `max_tags` tags only text is kept."""
    writer = _Writer(source, sources, max_tags)
    writer.run()
    return Tidied("".join(writer.out), "\n".join(writer.styles), writer.tags > max_tags)


class _Writer:
    def __init__(self, source: str, sources: Sources, max_tags: int) -> None:
        self.out: list[str] = []
        self.styles: list[str] = []
        self.tags = 0
        self._source = source
        self._sources = sources
        self._max_tags = max_tags
        self._stack: list[str] = []
        self._style_octets = MAX_STYLE_OCTETS
        self._rules = MAX_RULES

    def run(self) -> None:
        """From one ``<`` to the next."""
        source, position = self._source, 0
        while True:
            opening = source.find("<", position)
            self._text(source[position : opening if opening >= 0 else len(source)])
            if opening < 0:
                break
            position = self._markup(opening)
        while self._stack:
            self._pop()

    def _markup(self, at: int) -> int:
        """Take what begins with ``<`` and return where it ends; what never ends is dropped."""
        source = self._source
        if source.startswith("<!--", at):
            return _end(source.find("-->", at + 2), 3, source)
        is_closing = source.startswith("</", at)
        name = _NAME.match(source, at + 1 + is_closing)
        if name is None:
            if source[at + 1 : at + 2] in ("!", "?", "/"):
                return _end(source.find(">", at + 1), 1, source)
            self._text("&lt;")  # a lone one is a letter
            return at + 1
        tag = name[0].lower()
        found = self._attributes(name.end(), keep=not is_closing)
        if found is None:
            return len(source)
        position, attributes = found
        self.tags += 1
        if is_closing:
            self._close(tag)
            return position
        if tag in HIDING and tag not in _VOID_HIDING:
            return self._hidden(tag, position)
        if tag in ALLOWED and self.tags <= self._max_tags:
            self._open(tag, attributes)
        elif tag == "body":
            self._open("div", attributes)
        return position

    def _attributes(self, position: int, *, keep: bool) -> tuple[int, dict[str, str]] | None:
        """Read attributes up to behind the ``>``; None where there is none."""
        source = self._source
        found: dict[str, str] = {}
        while True:
            position = _GAP.match(source, position).end()  # type: ignore[union-attr]
            if position >= len(source):
                return None
            if source[position] == ">":
                return position + 1, found
            name = _ATTRIBUTE.match(source, position)
            assert name is not None
            position, value = name.end(), ""
            equals = _EQUALS.match(source, position)
            if equals is not None:
                position = equals.end()
                quote = source[position : position + 1]
                if quote in ('"', "'"):
                    end = source.find(quote, position + 1)
                    if end < 0:
                        return None
                    value, position = source[position + 1 : end], end + 1
                else:
                    bare = _BARE.match(source, position)
                    assert bare is not None
                    value, position = bare[0], bare.end()
            key = name[0].lower()
            if (
                keep
                and key not in found
                and len(found) < MAX_ATTRIBUTES
                and _PLAIN_KEY.fullmatch(key)
            ):
                found[key] = unescape(value)

    def _hidden(self, tag: str, position: int) -> int:
        """Pass over what an element hides; of style sheets, keep what may be kept."""
        if tag == "plaintext":
            return len(self._source)
        closing = _closing(tag).search(self._source, position)
        end = len(self._source) if closing is None else closing.start()
        if tag == "style" and self._rules > 0 and end - position <= self._style_octets:
            self._style_octets -= end - position
            written = stylesheet(self._source[position:end], self._sources, self._rules)
            self._rules -= written.count("{")
            self.styles.append(written)
        if closing is None:
            return end
        return _end(self._source.find(">", closing.end()), 1, self._source)

    def _text(self, text: str) -> None:
        if not text:
            return
        if self._in_table():
            if text.isspace():
                return
            self._cell()
        if "&" in text:  # what is no character reference must not look like one to the next parser
            text = html.escape(unescape(text), quote=False)
        self.out.append(_CLEAN.sub("\ufffd", text))

    def _open(self, tag: str, given: dict[str, str]) -> None:
        if tag in TABLE:
            if not self._table_part(tag):
                return
        elif self._in_table():
            self._cell()
        self._close_before(tag)
        if tag not in VOID and len(self._stack) >= MAX_DEPTH:
            return
        attributes = attributes_of(tag, given, self._sources)
        if attributes is None:
            return
        written = "".join(f' {key}="{html.escape(value)}"' for key, value in attributes)
        self.out.append(f"<{tag}{written}>")
        if tag not in VOID:
            self._stack.append(tag)

    def _close_before(self, tag: str) -> None:
        if tag in BLOCKS:
            self._close_up_to(("p",), (*_CELLS, "table"))
        rule = _CLOSED_BY.get(tag)
        if rule is not None:
            self._close_up_to(*rule)

    def _close(self, tag: str) -> None:
        if tag in ("html", "head"):
            return
        tag = "div" if tag == "body" else tag
        barrier = () if tag in TABLE or tag == "table" else _CELLS
        self._close_up_to((tag,), barrier if tag not in _CELLS else ("table",))

    def _close_up_to(self, wanted: tuple[str, ...], barrier: tuple[str, ...]) -> None:
        """Close the innermost of the wanted elements, and all in it, unless a barrier is in between."""
        for depth in range(len(self._stack) - 1, -1, -1):
            if self._stack[depth] in wanted:
                while len(self._stack) > depth:
                    self._pop()
                return
            if self._stack[depth] in barrier:
                return

    def _pop(self) -> None:
        self.out.append(f"</{self._stack.pop()}>")

    def _in_table(self) -> bool:
        """Whether we are in a table and in none of its cells, where only parts of tables may be."""
        return bool(self._stack) and self._stack[-1] in (
            "table",
            "tbody",
            "thead",
            "tfoot",
            "tr",
            "colgroup",
        )

    def _table_part(self, tag: str) -> bool:
        """Make room for a part of a table; False where there is no table to be a part of."""
        if "table" not in self._stack:
            return False
        base = len(self._stack) - 1 - self._stack[::-1].index("table")
        if base + 5 >= MAX_DEPTH:
            return False
        keep = {"td": 3, "th": 3, "tr": 2, "col": 2}.get(tag, 1)
        parts = ("table", "tr") if tag in ("td", "th") else ("table",)
        sections: tuple[str, ...] = ("colgroup",) if tag == "col" else ("tbody", "thead", "tfoot")
        if tag not in ("td", "th", "tr", "col"):
            sections = ()
        while len(self._stack) > base + keep or self._stack[-1] not in (*parts, *sections):
            self._pop()
        if tag in ("td", "th") and self._stack[-1] != "tr":
            self._begin("tr")
        if tag == "col" and self._stack[-1] != "colgroup":
            self._begin("colgroup")
        return True

    def _cell(self) -> None:
        """What is no part of a table gets a cell of its own."""
        self._table_part("td")
        self._begin("td")

    def _begin(self, tag: str) -> None:
        self.out.append(f"<{tag}>")
        self._stack.append(tag)


def _end(found: int, more: int, source: str) -> int:
    return len(source) if found < 0 else found + more


_CLOSINGS: dict[str, re.Pattern[str]] = {
    tag: re.compile(rf"</{tag}(?=[\s/>])", re.IGNORECASE | re.ASCII) for tag in HIDING
}


def _closing(tag: str) -> re.Pattern[str]:
    return _CLOSINGS[tag]
