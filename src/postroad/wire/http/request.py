"""The server's side: reads one request without a body, writes one response (RFC 9112 §3, §6)."""

import re
from collections.abc import Mapping
from types import MappingProxyType

from msgspec import Struct

from postroad.wire.http.head import HttpBroken, take_head

_LINE = re.compile(r"([A-Z]{1,16}) ([!-~]{1,2000}) HTTP/1\.[01]")


class HttpRequest(Struct, frozen=True):
    """Method, target and header fields (names in lower case)."""

    method: str
    target: str
    fields: Mapping[str, str]

    @property
    def host(self) -> str:
        """The host that is asked for, in lower case without a port."""
        return self.fields.get("host", "").partition(":")[0].lower().removesuffix(".")


class RequestReader:
    """Reads the head of one request; what follows it is of no interest."""

    def __init__(self) -> None:
        self._buffer = bytearray()

    def feed(self, data: bytes) -> HttpRequest | None:
        """Take what came; return the request once it is whole. Raises `HttpBroken`."""
        self._buffer += data
        head = take_head(self._buffer)
        if head is None:
            return None
        match = _LINE.fullmatch(head[0])
        if match is None:
            raise HttpBroken(f"not a request: {head[0][:60]!r}")
        return HttpRequest(match[1], match[2], head[1])


def get_request(host: str, target: str, media_type: str) -> bytes:
    """Return a GET whose connection ends with the response."""
    return (
        f"GET {target} HTTP/1.1\r\nHost: {host}\r\nUser-Agent: Postroad\r\n"
        f"Accept: {media_type}\r\nConnection: close\r\n\r\n"
    ).encode("ascii")


def post_request(
    host: str,
    target: str,
    body: bytes,
    media_type: str,
    *,
    accept: str = "*/*",
    authorization: str = "",
    fields: Mapping[str, str] = MappingProxyType({}),
) -> bytes:
    """Return a POST whose connection ends with the response. What goes into the head must be free of
    line ends: of addresses, `parse_https` sees to it. `fields` are further header fields.
    """
    more = "".join(f"{name}: {value}\r\n" for name, value in fields.items())
    login = f"Authorization: {authorization}\r\n" if authorization else ""
    head = (
        f"POST {target} HTTP/1.1\r\nHost: {host}\r\nUser-Agent: Postroad\r\n{login}{more}"
        f"Accept: {accept}\r\nContent-Type: {media_type}\r\nContent-Length: {len(body)}\r\n"
        "Connection: close\r\n\r\n"
    )
    return head.encode("ascii") + body


def write_response(
    status: int, reason: str, body: bytes, media_type: str, *, head_only: bool = False
) -> bytes:
    """Return a response whose connection ends with it."""
    head = (
        f"HTTP/1.1 {status} {reason}\r\nContent-Type: {media_type}\r\n"
        f"Content-Length: {len(body)}\r\nX-Content-Type-Options: nosniff\r\n"
        "Connection: close\r\n\r\n"
    ).encode("ascii")
    return head if head_only else head + body
