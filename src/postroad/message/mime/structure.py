"""The tree of a message's parts, found in one pass over its bytes (RFC 2046 §5.1).

Line ends may be CRLF or LF. Whatever the bytes are, there is a tree: a multipart that never ends, ends
where what it lies in does; one without a boundary is a leaf. No octet is looked at more than a few
times, however deep the parts are nested and however many there are: the delimiters of all open
multiparts are in one dictionary, so that a line is compared once and not with each.
"""

import re

from msgspec import Struct

from postroad.message.mime.fields import Parameters, parse
from postroad.message.mime.part import NOTHING, Part

MAX_DEPTH = 50
"""How deep parts may lie in each other; a multipart or message below that is one opaque leaf."""

MAX_PARTS = 1_000
"""How many parts of a message are told apart; the last one is opaque, and all the rest lies in it."""

MAX_BOUNDARY = 250
"""Octets of a boundary (RFC 2046 allows 70); with a longer one, a multipart is an opaque leaf."""

MAX_HEADER_OCTETS = 262_144
"""Of a part's header no more is searched for the fields that say what the part is."""

_FIELD = re.compile(
    rb"^content-(type|disposition|transfer-encoding|id)[ \t]*+:((?:[^\n]*+\n(?=[ \t]))*+[^\n]*+)",
    re.IGNORECASE | re.MULTILINE,
)
_MEDIA_TYPE = re.compile(r"[!#-'*+.0-9A-Z^-~-]+/[!#-'*+.0-9A-Z^-~-]+", re.IGNORECASE)
_MESSAGES = frozenset({"message/rfc822", "message/global", "message/news"})
_UNENCODED = frozenset({"", "7bit", "8bit", "binary"})


def read_structure(data: bytes, max_depth: int = MAX_DEPTH) -> Part:
    """Return the message itself as a part, with all parts below it. Never raises."""
    return _Reader(data, max_depth).read()


class _Open:
    """A part whose end is not found yet."""

    __slots__ = (
        "body",
        "boundary",
        "children",
        "fields",
        "header",
        "inner",
        "media_type",
        "opaque",
    )

    def __init__(self, header: int, body: int, fields: "_Fields", media_type: str) -> None:
        self.header = header
        self.body = body
        self.fields = fields
        self.media_type = media_type
        self.boundary: bytes | None = None  # of a multipart that may have more parts
        self.inner = "text/plain"  # what parts in it are that do not say
        self.children: list[Part] = []
        self.opaque = False

    def closed(self, end: int) -> Part:
        fields = self.fields
        # The header of one inside that lacks its blank line goes up to the delimiter itself.
        inside = self.children[-1].end if self.children else 0
        return Part(
            header=self.header,
            body=self.body,
            end=max(self.body, end, inside),
            media_type=self.media_type,
            parameters=fields.type,
            disposition=fields.disposition,
            encoding=fields.encoding,
            content_id=fields.content_id,
            children=tuple(self.children),
            opaque=self.opaque,
        )


class _Fields(Struct):
    type: Parameters = NOTHING
    disposition: Parameters = NOTHING
    encoding: str = ""
    content_id: str = ""


class _Delimiter(Struct):
    start: int
    next_line: int
    level: int
    last: bool


class _Next:
    """Where something is next, remembered, lest parts without it are all searched to the end."""

    __slots__ = ("_asked", "_data", "_found", "_what")

    def __init__(self, data: bytes, what: bytes) -> None:
        self._data = data
        self._what = what
        self._asked = self._found = -1

    def at(self, start: int) -> int:
        """Return the index at or behind `start`, the length of the data where there is none."""
        if not self._asked <= start <= self._found:
            found = self._data.find(self._what, start)
            self._asked, self._found = start, len(self._data) if found < 0 else found
        return self._found


class _Reader:
    def __init__(self, data: bytes, max_depth: int) -> None:
        self._data = data
        self._max_depth = max_depth
        self._stack: list[_Open] = []
        self._levels: dict[bytes, list[int]] = {}  # of each boundary, the innermost last
        self._blank_lf, self._blank_crlf = _Next(data, b"\n\n"), _Next(data, b"\n\r\n")
        self._count = 0

    def read(self) -> Part:
        root: Part | None = None
        position = self._open(0, "text/plain")
        while self._levels and not self._full:
            found = self._delimiter(position, len(self._data))
            if found is None:
                break
            self._close_above(found.level, self._line_end_before(found.start))
            position = found.next_line
            holder = self._stack[found.level]
            if found.last:
                self._forget(holder)
            else:
                position = self._open(position, holder.inner)
        while self._stack:
            root = self._close(len(self._data))
        assert root is not None, "the root was opened first"
        return root

    @property
    def _full(self) -> bool:
        return self._count >= MAX_PARTS

    # Opening

    def _open(self, start: int, default: str) -> int:
        """Open a part, and those that begin where its body does; return where to go on."""
        while True:
            self._count += 1
            body, whole = self._header(start)
            fields = _read_fields(self._data[start : min(body, start + MAX_HEADER_OCTETS)])
            media_type = fields.type.value
            if not _MEDIA_TYPE.fullmatch(media_type):
                media_type = default if not media_type else "text/plain"
            part = _Open(start, body, fields, media_type)
            self._stack.append(part)
            multipart = media_type.startswith("multipart/")
            message = media_type in _MESSAGES and fields.encoding in _UNENCODED and whole
            if self._full:
                part.opaque = True
            elif not (multipart or message):
                pass
            elif len(self._stack) > self._max_depth:
                part.opaque = True
            elif multipart:
                self._remember(part)
            elif message:
                start, default = body, "text/plain"
                continue
            return body

    def _header(self, start: int) -> tuple[int, bool]:
        """Return where the body begins, and whether there may be one.

        A header without a blank line ends at the next delimiter, or with the message.
        """
        data = self._data
        if data.startswith((b"\n", b"\r\n"), start):
            return start + (1 if data[start] == 10 else 2), True
        blank = min(self._blank_lf.at(start), self._blank_crlf.at(start)) + 1
        found = self._delimiter(start, blank) if self._levels else None
        if found is not None:
            return found.start, False
        if blank >= len(data):
            return len(data), False
        return blank + (1 if data[blank] == 10 else 2), True

    def _remember(self, part: _Open) -> None:
        boundary = part.fields.type.get("boundary").rstrip().encode("utf-8", "replace")
        if not boundary:
            return
        if len(boundary) > MAX_BOUNDARY:
            part.opaque = True
            return
        part.boundary = boundary
        part.inner = "message/rfc822" if part.media_type == "multipart/digest" else "text/plain"
        self._levels.setdefault(boundary, []).append(len(self._stack) - 1)

    # Finding

    def _delimiter(self, start: int, end: int) -> _Delimiter | None:
        """Return the first delimiter line of an open multipart that begins in a range of lines."""
        data = self._data
        position = start
        if not data.startswith(b"--", position):
            position = data.find(b"\n--", position, end + 2) + 1
            if not position:
                return None
        while position < end:
            line_end = data.find(b"\n", position)
            line_end = len(data) if line_end < 0 else line_end
            if line_end - position <= MAX_BOUNDARY * 2:
                found = self._matching(data[position + 2 : line_end].rstrip(b" \t\r"))
                if found is not None:
                    return _Delimiter(position, min(line_end + 1, len(data)), *found)
            position = data.find(b"\n--", line_end, end + 2) + 1
            if not position:
                return None
        return None

    def _matching(self, text: bytes) -> tuple[int, bool] | None:
        levels = self._levels.get(text)
        if levels:
            return levels[-1], False
        if text.endswith(b"--"):
            levels = self._levels.get(text[:-2])
            if levels:
                return levels[-1], True
        return None

    def _line_end_before(self, start: int) -> int:
        if start and self._data[start - 1] == 10:
            start -= 1
            if start and self._data[start - 1] == 13:
                start -= 1
        return start

    # Closing

    def _close_above(self, level: int, end: int) -> None:
        while len(self._stack) > level + 1:
            self._close(end)

    def _close(self, end: int) -> Part:
        part = self._stack.pop()
        self._forget(part)
        closed = part.closed(end)
        if self._stack:
            self._stack[-1].children.append(closed)
        return closed

    def _forget(self, part: _Open) -> None:
        if part.boundary is not None:
            levels = self._levels[part.boundary]
            levels.pop()
            if not levels:
                del self._levels[part.boundary]
            part.boundary = None


def _read_fields(header: bytes) -> _Fields:
    """The first field of each name counts."""
    fields = _Fields()
    seen: set[bytes] = set()
    for match in _FIELD.finditer(header):
        name, value = match[1].lower(), match[2]
        if name in seen:
            continue
        seen.add(name)
        if name == b"type":
            fields.type = parse(value)
        elif name == b"disposition":
            fields.disposition = parse(value)
        elif name == b"transfer-encoding":
            fields.encoding = parse(value).value
        else:
            fields.content_id = value.strip(b" \t\r\n<>").decode("utf-8", "replace")[:1000]
        if len(seen) == 4:
            break
    return fields
