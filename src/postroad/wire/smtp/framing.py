"""Bytes in, lines and bodies out, and the other way: below the grammar, and bounded.

Nothing here loops over lines or octets of a body; everything is find, search, replace and slice.
`LineBuffer` holds no more than its driver puts in and refuses lines beyond a limit; `DotReader` and
`ChunkReader` hold back at most four octets; `DotWriter` holds back one.
"""

import re

_END = b"\r\n.\r\n"

# The engine leaps from one of the first octet to the next (memchr), which `bytes.count`, and `find` of
# several octets, do not: 1.3 to 1.8 µs for 4 KiB instead of 2.1 to 3.4 µs.
_DOT_AT_LINE_START = re.compile(rb"\n\.").search
_BARE_CR = re.compile(rb"\r(?!\n)").search
_BARE_LF = re.compile(rb"\n(?<!\r\n)").search


MAX_DISCARD_OCTETS = 64 * 1024
"""So much of a line that is too long is thrown away while its end is awaited."""


class LineTooLong(Exception):
    """A line is longer than the limit; it was thrown away up to its end."""


class LineEndless(Exception):
    """So much of a line was thrown away that the peer is not worth more."""


class LineBuffer:
    """Octets received, taken out by the line, by the number or all at once.

    A line has at most `limit` octets with its end, or `word_limit` if it begins with `word` (in any
    case, given in upper case).
    """

    __slots__ = ("_data", "_discarded", "_limit", "_position", "_searched", "_word", "_word_limit")

    def __init__(self, limit: int, *, word: bytes = b"", word_limit: int = 0) -> None:
        self._limit = limit
        self._word = word
        self._word_limit = word_limit
        self._data = b""
        self._position = 0
        self._searched = 0  # there is no LF between _position and here
        self._discarded = 0  # how much of a line that is too long was thrown away

    @property
    def discarding(self) -> bool:
        """Whether the line that is coming is too long already."""
        return self._discarded > 0

    def __len__(self) -> int:
        return len(self._data) - self._position

    def append(self, data: bytes) -> None:
        """Add what was received."""
        if self._position == len(self._data):
            self._data = data
            self._searched = 0
        else:
            self._data = self._data[self._position :] + data
            self._searched -= self._position
        self._position = 0

    def take_line(self, *, long: bool = False) -> bytes | None:
        """Return the next line with its LF (and CR), or None where none is complete yet.

        `long` says that the line may be as long as one that begins with the word.
        Raises `LineTooLong` once at the end of a line that is; until then its octets are dropped as
        they come, and `LineEndless` when they are more than `MAX_DISCARD_OCTETS`.
        """
        data, start = self._data, self._position
        if self._searched == len(data):
            return None
        end = data.find(b"\n", self._searched) + 1
        length = (end or len(data)) - start
        if self._discarded or (length > self._limit and length > self._limit_of_next(long)):
            self._discard(length, end)
            return None
        if not end:
            self._searched = len(data)
            return None
        self._position = self._searched = end
        return data[start:end]

    def _discard(self, length: int, end: int) -> None:
        """Throw away `length` octets of a line that is too long, which ends at `end` or not yet (0)."""
        self._discarded += length
        if self._discarded > MAX_DISCARD_OCTETS:
            self.clear()
            raise LineEndless
        if not end:
            self.clear()
            return
        self._position = self._searched = end
        self._discarded = 0
        raise LineTooLong

    def _limit_of_next(self, long: bool) -> int:
        at, word = self._position, self._word
        if long or (word and self._data[at : at + len(word)].upper() == word):
            return self._word_limit
        return self._limit

    def take(self, count: int) -> bytes:
        """Return the next `count` octets, or fewer if there are fewer."""
        start = self._position
        data = self._data[start : start + count]
        self._position = self._searched = start + len(data)
        return data

    def take_all(self) -> bytes:
        """Return everything."""
        data = self._data[self._position :] if self._position else self._data
        self.clear()
        return data

    def clear(self) -> None:
        """Forget everything."""
        self._data = b""
        self._position = self._searched = 0


def has_bare_line_break(data: bytes) -> bool:
    """Whether there is a CR without LF or an LF without CR (RFC 5321 §2.3.8).

    `data` must not begin or end within a CRLF.
    """
    return _BARE_CR(data) is not None or _BARE_LF(data) is not None


class DotReader:
    """The body after DATA, without dot-stuffing (RFC 5321 §4.5.2); only CRLF.CRLF ends it.

    Each piece returned begins and ends outside a CRLF.
    """

    __slots__ = ("_first", "_held", "dotless", "rest")

    def __init__(self) -> None:
        # The line that said DATA ended with CRLF, so a dot at once is at the start of a line.
        self._held = b"\r\n"
        self._first = True
        self.dotless = True
        """False where a line of the body may begin with a dot."""
        self.rest: bytes | None = None
        """What came behind the end of the body, or None while that has not come."""

    def feed(self, data: bytes) -> bytes:
        """Take received octets, return the next piece of the body."""
        data = self._held + data
        # Most bodies have no line that begins with a dot but the end, so one search does.
        match = _DOT_AT_LINE_START(data)
        dot = data.find(b"\r\n.", max(match.start() - 1, 0)) if match is not None else -1
        end = data.find(_END, dot) if dot >= 0 else -1
        if end >= 0:
            self.rest = data[end + 5 :]
            piece = data[: end + 2]
        else:
            cut = len(data) - _part_of_end(data)
            piece, self._held = data[:cut], data[cut:]
        if dot != end and dot < len(piece):
            self.dotless = False
            piece = piece.replace(b"\r\n.", b"\r\n")
        if self._first and piece:
            self._first = False
            return piece[2:]
        return piece


def _part_of_end(data: bytes) -> int:
    """How many of the last octets may be the beginning of CRLF.CRLF."""
    if not data.endswith((b"\r", b"\n", b".")):
        return 0
    return next((length for length in (4, 3, 2, 1) if data.endswith(_END[:length])), 0)


class ChunkReader:
    """The octets of one transaction's BDAT commands (RFC 3030 §2).

    Each piece returned begins and ends outside a CRLF, across chunks too.
    """

    __slots__ = ("_held", "remaining")

    def __init__(self) -> None:
        self._held = b""
        self.remaining = 0
        """How much of the present chunk is still to come, in octets."""

    def begin(self, octets: int) -> None:
        """A chunk of `octets` follows."""
        self.remaining = octets

    def feed(self, data: bytes) -> bytes:
        """Take at most `remaining` octets, return the next piece of the body."""
        self.remaining -= len(data)
        data = self._held + data
        if data.endswith(b"\r"):
            self._held = b"\r"
            return data[:-1]
        self._held = b""
        return data

    def finish(self) -> bytes:
        """The last chunk is complete: return what was held back (a bare CR, or nothing)."""
        held, self._held = self._held, b""
        return held


class BareLineBreak(ValueError):
    """A body to be sent holds a CR without LF or an LF without CR (RFC 5321 §2.3.8)."""


class LineBreakGuard:
    """Lets a body that comes in pieces cut anywhere pass if it has neither bare CR nor bare LF.

    Each piece returned begins and ends outside a CRLF.
    """

    __slots__ = ("_held", "at_line_start")

    def __init__(self) -> None:
        self._held = b""
        self.at_line_start = True
        """Whether what was let pass is empty or ends with CRLF."""

    def feed(self, data: bytes) -> bytes:
        """Return what may go. Raises `BareLineBreak`."""
        if self._held:
            data = self._held + data
            self._held = b""
        if data.endswith(b"\r"):
            self._held = b"\r"
            data = data[:-1]
        if has_bare_line_break(data):
            raise BareLineBreak("the message holds a bare CR or LF, which SMTP cannot carry")
        if data:
            self.at_line_start = data.endswith(b"\n")
        return data

    def finish(self) -> None:
        """The body is complete. Raises `BareLineBreak`."""
        if self._held:
            raise BareLineBreak("the message ends with a bare CR, which SMTP cannot carry")


class DotWriter:
    """Dot-stuffs a body that comes in pieces cut anywhere (RFC 5321 §4.5.2)."""

    __slots__ = ("_guard",)

    def __init__(self) -> None:
        self._guard = LineBreakGuard()

    def feed(self, data: bytes) -> bytes:
        """Return what to send for the piece. Raises `BareLineBreak`."""
        at_line_start = self._guard.at_line_start
        data = self._guard.feed(data)
        # Most bodies have none, and to look for it costs half of what replacing it does.
        if _DOT_AT_LINE_START(data):
            data = data.replace(b"\r\n.", b"\r\n..")
        return b"." + data if at_line_start and data.startswith(b".") else data

    def finish(self) -> bytes:
        """Return the end: a CRLF if the body had none, and the dot. Raises `BareLineBreak`."""
        self._guard.finish()
        return b".\r\n" if self._guard.at_line_start else _END


class PlainWriter:
    """In place of `DotWriter` for a body that is known to need nothing: without bare CR or LF and
    without a line that begins with a dot.
    """

    __slots__ = ("_at_line_start",)

    def __init__(self) -> None:
        self._at_line_start = True

    def feed(self, data: bytes) -> bytes:
        """Return the piece."""
        if data:
            self._at_line_start = data.endswith(b"\n")
        return data

    def finish(self) -> bytes:
        """Return the end: a CRLF if the body had none, and the dot."""
        return b".\r\n" if self._at_line_start else _END
