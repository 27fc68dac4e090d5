"""Elements of strangers' XML, without what makes XML dangerous.

There is no DTD, no entity but the five that XML has itself, no attribute, no namespace: what is not a
plain tag is text. So nothing can be fetched and nothing grows, and reports that are not well-formed in
ways often seen (an address in angle brackets, stray ``<``, octets that are not UTF-8) can still be read.
Linear in the length of the text; depth and number of elements are bounded.
"""

import re
from collections.abc import Iterator

from postroad.trust.dmarc_report.report import ReportInvalid

MAX_DEPTH = 16
MAX_ELEMENTS = 500_000
MAX_TEXT = 1_000

_TOKEN = re.compile(
    r"<!--.*?(?:-->|\Z)|<!\[CDATA\[(?P<cdata>.*?)(?:\]\]>|\Z)|<\?.*?(?:\?>|\Z)|<![^>]*(?:>|\Z)"
    r"|<(?P<end>/)?(?:[A-Za-z_][\w.-]*:)?(?P<name>[A-Za-z_][\w.-]*)"
    r"""(?:\s[^<>"']*(?:"[^"<]*"[^<>"']*|'[^'<]*'[^<>"']*){0,50})?/?>""",
    re.DOTALL,
)
_REFERENCE = re.compile(r"&(?:(amp|lt|gt|quot|apos)|#([0-9]{1,7})|#x([0-9A-Fa-f]{1,6}));")
_NAMED = {"amp": "&", "lt": "<", "gt": ">", "quot": '"', "apos": "'"}


class Element:
    """An element: its name without a prefix, its children, and its text, stripped and cut."""

    __slots__ = ("_pieces", "children", "name")

    def __init__(self, name: str) -> None:
        self.name = name
        self.children: list[Element] = []
        self._pieces: list[str] = []

    @property
    def text(self) -> str:
        """The text directly in it."""
        return "".join(self._pieces).strip()[:MAX_TEXT]

    def add(self, text: str) -> None:
        """Add text."""
        if len(self._pieces) < MAX_TEXT:
            self._pieces.append(text[: 2 * MAX_TEXT])

    def get(self, name: str) -> str:
        """Return the text of the first child of that name, ``""`` where there is none."""
        found = self.child(name)
        return found.text if found is not None else ""

    def child(self, name: str) -> "Element | None":
        """Return the first child of that name."""
        return next(self.all(name), None)

    def all(self, name: str) -> "Iterator[Element]":
        """Yield the children of that name."""
        return (each for each in self.children if each.name == name)


def read_element(data: bytes, root: str) -> Element:
    """Return the first element called `root` in `data`, wherever it is. Raises `ReportInvalid`."""
    text = _decode(data)
    stack: list[Element] = []
    found: Element | None = None
    elements = at = 0
    for match in _TOKEN.finditer(text):
        if stack:
            if match.start() > at:
                stack[-1].add(_unescape(text[at : match.start()]))
            if match["cdata"] is not None:
                stack[-1].add(match["cdata"])
        at = match.end()
        name = match["name"]
        if name is None or (not stack and name != root):
            continue
        if match["end"]:
            _close(stack, name)
            if not stack:
                return _whole(found)
            continue
        elements += 1
        if elements > MAX_ELEMENTS or len(stack) >= MAX_DEPTH:
            raise ReportInvalid(f"more than {MAX_ELEMENTS} elements, or {MAX_DEPTH} in each other")
        element = Element(name)
        if stack:
            stack[-1].children.append(element)
        elif found is None:
            found = element
        if not match[0].endswith("/>"):
            stack.append(element)
        elif element is found:
            return element
    if found is None:
        raise ReportInvalid(f"there is no <{root}> in it")
    raise ReportInvalid(f"<{root}> does not end: it was cut short")


def _close(stack: list[Element], name: str) -> None:
    """End the innermost element of that name, and those in it that were not ended."""
    for depth in range(len(stack) - 1, -1, -1):
        if stack[depth].name == name:
            del stack[depth:]
            return


def _whole(found: Element | None) -> Element:
    assert found is not None, "what ends has begun"
    return found


def _decode(data: bytes) -> str:
    if data.startswith((b"\xff\xfe", b"\xfe\xff")):
        return data.decode("utf-16", "replace")
    return data.decode("utf-8-sig", "replace")


def _unescape(text: str) -> str:
    return _REFERENCE.sub(_character, text) if "&" in text else text


def _character(match: re.Match[str]) -> str:
    if match[1]:
        return _NAMED[match[1]]
    code = int(match[2]) if match[2] else int(match[3], 16)
    return chr(code) if code <= 0x10FFFF and not 0xD800 <= code <= 0xDFFF else "\ufffd"
