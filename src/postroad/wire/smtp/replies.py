"""Replies on the wire: written by the server within 512 octets a line, read by the client with limits.

A reply that breaks the grammar raises `RemoteProtocolError`; odd text is cleaned, never trusted.
"""

import re
from functools import lru_cache

from postroad.model import Reply
from postroad.wire.smtp.errors import RemoteProtocolError
from postroad.wire.smtp.framing import LineBuffer, LineEndless, LineTooLong

MAX_LINE_OCTETS = 512  # RFC 5321 §4.5.3.1.5, what we send
MAX_READ_LINE_OCTETS = 4096  # what we put up with
MAX_READ_LINES = 200

_LINE = re.compile(rb"([2-5][0-9]{2})(?:([ -])(.*))?\r\n", re.DOTALL)
_ENHANCED = re.compile(r"([245])\.\d{1,3}\.\d{1,3}(?= |$)")
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f]")


def encode_reply(reply: Reply, *, enhanced: bool = True, utf8: bool = False) -> bytes:
    """Return `reply` as sent; lines too long are cut in several (RFC 5321 §4.5.3.1.5).

    `enhanced=False` leaves the enhanced code out (RFC 2034 §4: greeting and answers to HELO and EHLO).
    Text beyond ASCII becomes ``?`` unless `utf8` (RFC 6531 §3.7.4.2).
    """
    text = reply.text
    if not (utf8 or text.isascii()):
        text = text.encode("ascii", "replace").decode()
    status = f"{reply.enhanced} " if enhanced and reply.enhanced else ""
    if len(text) < 120 and "\n" not in text:
        return f"{reply.code} {status}{text}\r\n".encode()
    room = MAX_LINE_OCTETS - 2 - 4 - len(status)
    lines = [piece for line in text.split("\n") for piece in _cut(line, room)]
    head = f"{reply.code}-{status}"
    last = f"{reply.code} {status}{lines.pop()}\r\n"
    return ("".join(f"{head}{line}\r\n" for line in lines) + last).encode()


def _cut(line: str, room: int) -> list[str]:
    """Cut `line` into pieces of at most `room` octets, at spaces where there are any."""
    pieces = []
    while len(line.encode()) > room:
        end = len(line.encode()[:room].decode(errors="ignore"))
        space = line.rfind(" ", 1, end + 1)
        end = space if space > 0 else end
        pieces.append(line[:end])
        line = line[end:].removeprefix(" ")
    pieces.append(line)
    return pieces


class ReplyReader:
    """Takes octets from a server and gives replies. RFC 5321 §4.2.1."""

    __slots__ = ("_buffer", "_lines")

    def __init__(self) -> None:
        self._buffer = LineBuffer(MAX_READ_LINE_OCTETS)
        self._lines: list[tuple[bytes, bytes]] = []  # code and text of an unfinished reply

    def __len__(self) -> int:
        """Octets received that are not yet part of a reply that was given out."""
        return len(self._buffer) + len(self._lines)

    def feed(self, data: bytes) -> None:
        """Add what was received."""
        self._buffer.append(data)

    def clear(self) -> None:
        """Forget everything."""
        self._buffer.clear()
        self._lines.clear()

    def next_reply(self, *, enhanced: bool = True) -> Reply | None:
        """Return the next reply, or None where none is complete yet.

        `enhanced=False` leaves enhanced codes in the text, as for the answer to EHLO.
        Raises `RemoteProtocolError`.
        """
        while True:
            try:
                line = self._buffer.take_line()
            except (LineTooLong, LineEndless):
                raise _too_long() from None
            if line is None:
                # Its end is not awaited: it might never come, and cost us as much as the link carries.
                if self._buffer.discarding:
                    raise _too_long()
                return None
            if line[3:4] == b" " and not self._lines:
                return _read_single(line, enhanced)
            code, separator, text = _read_line(line)
            if separator != b"-" and not self._lines:
                return _reply(int(code), _clean(text), enhanced)
            self._lines.append((code, text))
            if self._lines[0][0] != code:
                raise RemoteProtocolError(
                    f"the lines of a reply have different codes: {line[:80]!r}"
                )
            if len(self._lines) > MAX_READ_LINES:
                raise RemoteProtocolError(f"a reply has more than {MAX_READ_LINES} lines")
            if separator != b"-":
                texts = [_clean(text) for _, text in self._lines]
                self._lines.clear()
                return _reply(int(code), "\n".join(texts), enhanced)


def _too_long() -> RemoteProtocolError:
    return RemoteProtocolError(f"a line of a reply is longer than {MAX_READ_LINE_OCTETS} octets")


@lru_cache(maxsize=256)  # a server says the same few words to every MAIL, RCPT and DATA
def _read_single(line: bytes, enhanced: bool) -> Reply:
    """Read a reply of one line; both are at most `MAX_READ_LINE_OCTETS` long, so 2 MB are kept."""
    code, _, text = _read_line(line)
    return _reply(int(code), _clean(text), enhanced)


def _read_line(line: bytes) -> tuple[bytes, bytes, bytes]:
    """Return code, separator and text. Raises `RemoteProtocolError`."""
    match = _LINE.fullmatch(line)
    if match is None:
        raise RemoteProtocolError(f"this is not a line of a reply: {line[:80]!r}")
    code, separator, text = match.groups()
    return code, separator or b"", text or b""


def _clean(text: bytes) -> str:
    line = text.decode(errors="replace")
    return line if line.isprintable() else _CONTROL.sub("?", line)


def _reply(code: int, text: str, enhanced: bool) -> Reply:
    """Take the enhanced code out of `text`; one of another class than `code` stays mere text."""
    match = _ENHANCED.match(text) if enhanced else None
    if match is None or int(match[1]) != code // 100:
        return Reply(code, "", text)
    status = match.group()
    if "\n" in text:
        lines = [_without(line, status) for line in text.split("\n")]
        return Reply(code, status, "\n".join(lines))
    return Reply(code, status, text[len(status) + 1 :])


def _without(line: str, status: str) -> str:
    return line[len(status) + 1 :] if line == status or line.startswith(f"{status} ") else line
