"""Just enough of HTTP/1.1 to answer one question: a request without a body, a small answer, the end.

For `/.well-known/` paths that other machines fetch. There are no kept connections, no bodies of requests
and no ranges: every answer says ``Connection: close`` (RFC 9112 §9.6). What is no such request gets a
status and the end.
"""

import re
from enum import Enum

from msgspec import Struct

MAX_HEAD_OCTETS = 8 * 1024
HEAD_SECONDS = 10.0

# RFC 9112 §3: method SP request-target SP HTTP-version; the target in origin form, or absolute.
_REQUEST_LINE = re.compile(rb"([A-Z]{1,16}) (?:http://[^/ ]{1,255})?(/[!-~]{0,2048}) HTTP/1\.[01]")
_END = re.compile(rb"\r?\n\r?\n")


class Status(Enum):
    """The statuses that we answer with."""

    OK = "200 OK"
    BAD_REQUEST = "400 Bad Request"
    NOT_FOUND = "404 Not Found"
    METHOD_NOT_ALLOWED = "405 Method Not Allowed"
    TIMEOUT = "408 Request Timeout"
    TOO_LARGE = "431 Request Header Fields Too Large"
    FAILED = "500 Internal Server Error"
    UNAVAILABLE = "503 Service Unavailable"


class Request(Struct, frozen=True):
    """A GET (or a HEAD, which `answer` sees to) for `path`, without its query."""

    path: str


class HttpServer:
    """The server's side of one connection, without I/O. `now` is in monotonic seconds."""

    def __init__(self, now: float) -> None:
        self.closing = False
        self._deadline = now + HEAD_SECONDS
        self._received = bytearray()
        self._out = bytearray()
        self._asked = False
        self._head_only = False

    @property
    def buffered(self) -> int:
        """Octets received and not looked at."""
        return len(self._received)

    def receive_data(self, data: bytes, now: float) -> None:
        """Take what came; what comes behind the head is dropped."""
        if not self._asked and not self.closing:
            self._received += data[: MAX_HEAD_OCTETS + 1 - len(self._received)]

    def receive_eof(self) -> None:
        """The client sends no more."""
        if not self._asked:
            self.closing = True

    def next_event(self) -> Request | None:
        """Return the request once its head is complete."""
        if self._asked or self.closing:
            return None
        end = _END.search(self._received)
        if end is None:
            if len(self._received) > MAX_HEAD_OCTETS:
                self._say(Status.TOO_LARGE, b"")
            return None
        line = bytes(self._received).partition(b"\n")[0].removesuffix(b"\r")
        self._received.clear()
        match = _REQUEST_LINE.fullmatch(line)
        if match is None:
            self._say(Status.BAD_REQUEST, b"")
            return None
        self._head_only = match[1] == b"HEAD"
        if match[1] not in (b"GET", b"HEAD"):
            self._say(Status.METHOD_NOT_ALLOWED, b"")
            return None
        self._asked = True
        return Request(match[2].partition(b"?")[0].decode("ascii"))

    def answer(self, status: Status, body: bytes, content_type: str = "text/plain") -> None:
        """Answer the request; the connection ends behind it."""
        self._say(status, body, content_type)

    def bytes_to_send(self) -> bytes:
        """Return what is to be sent now."""
        data = bytes(self._out)
        self._out.clear()
        return data

    def deadline(self) -> float | None:
        """When the head must be complete."""
        return self._deadline

    def time_out(self, now: float) -> None:
        """The client took too long, or we failed."""
        if not self.closing:
            self._say(Status.FAILED if self._asked else Status.TIMEOUT, b"")

    def shut_down(self) -> None:
        """The server is going."""
        if not self._asked and not self.closing:
            self._say(Status.UNAVAILABLE, b"")

    def tls_started(self, now: float) -> None:
        """Nothing changes: TLS is there from the first octet or never."""

    def _say(self, status: Status, body: bytes, content_type: str = "text/plain") -> None:
        self.closing = True
        self._out += head(status, len(body), content_type)
        if not self._head_only:
            self._out += body


def head(status: Status, length: int, content_type: str = "text/plain") -> bytes:
    """Return the head of an answer (RFC 9110 §8.6: with the length of its body)."""
    allow = "Allow: GET, HEAD\r\n" if status is Status.METHOD_NOT_ALLOWED else ""
    return (
        f"HTTP/1.1 {status.value}\r\n"
        f"Content-Type: {content_type}\r\n"
        f"Content-Length: {length}\r\n"
        "X-Content-Type-Options: nosniff\r\n"
        f"{allow}"
        "Connection: close\r\n\r\n"
    ).encode("ascii")
