"""Messages on their way to the client: dot-stuffing, and cutting for TOP.

Nothing here loops over lines: everything is find, count, replace and slice, on pieces cut anywhere.
"""

_STEPWISE_LINES = 32
"""So few lines are found one by one; for more, halving a piece and counting is faster."""


class DotStuffer:
    """Doubles the dots that begin lines (RFC 1939 §3), holding nothing back."""

    __slots__ = ("_tail",)

    def __init__(self) -> None:
        self._tail = b"\r\n"  # the last two octets before what comes next: a line begins

    def feed(self, data: bytes) -> bytes:
        """Return what to send for the piece."""
        tail = self._tail
        stuffed = _double_dots(data)
        if tail == b"\r\n" and data.startswith(b"."):
            stuffed = b"." + stuffed
        elif tail.endswith(b"\r") and data.startswith(b"\n."):
            stuffed = b"\n." + stuffed[1:]
        self._tail = data[-2:] if len(data) > 1 else (tail + data)[-2:]
        return stuffed

    def finish(self) -> bytes:
        """Return the end: a CRLF if the message had none, and the dot."""
        return b".\r\n" if self._tail == b"\r\n" else b"\r\n.\r\n"


def stuff(message: bytes) -> bytes:
    """Return a whole message as it is sent, with the final dot."""
    stuffed = _double_dots(message)
    if stuffed.startswith(b"."):
        stuffed = b"." + stuffed
    if stuffed.endswith(b"\r\n") or not stuffed:
        return stuffed + b".\r\n"
    return stuffed + b"\r\n.\r\n"


def _double_dots(data: bytes) -> bytes:
    # The same as `replace`, in a third of the time: it searches once, and from the end, which costs half
    # as much (1.3 µs for 4 KiB with no such line, 1.8 with one; `replace` 2.7 and 7).
    return b"\r\n..".join(data.rsplit(b"\r\n."))


class TopCutter:
    """Lets the header, the blank line and the first lines of the body pass (RFC 1939 §7, TOP)."""

    __slots__ = ("_in_header", "_lines", "_tail", "finished")

    def __init__(self, lines: int) -> None:
        self._lines = lines
        self._in_header = True
        # A message that begins with an empty line has no header.
        self._tail = b"\r\n"
        self.finished = False
        """Whether everything that is wanted has passed."""

    def feed(self, data: bytes) -> bytes:
        """Return the part of the piece that is wanted."""
        start = 0
        if self._in_header:
            joined = self._tail + data
            end = joined.find(b"\r\n\r\n")
            if end < 0:
                self._tail = joined[-3:]
                return data
            self._in_header = False
            start = end + 4 - len(self._tail)
        found = data.count(b"\n", start)
        if found < self._lines:
            self._lines -= found
            return data
        self.finished = True
        return data[: _behind_lines(data, start, self._lines)]


def _behind_lines(data: bytes, low: int, lines: int) -> int:
    """Where the line ends whose LF is the `lines`-th from `low`; there are that many."""
    high = len(data)
    while lines > _STEPWISE_LINES:
        middle = (low + high) // 2
        found = data.count(b"\n", low, middle)
        if found < lines:
            low = middle
            lines -= found
        else:
            high = middle
    for _ in range(lines):
        low = data.find(b"\n", low) + 1
    return low
