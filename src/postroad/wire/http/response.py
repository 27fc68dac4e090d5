"""The client's side: reads one response, whole and bounded (RFC 9112 §4, §6, §7.1).

A body must tell its own length, or come in chunks: one that ends with the connection could have been cut
short by anybody.
"""

import re
from collections.abc import Mapping

from msgspec import Struct

from postroad.wire.http.head import HttpBroken, take_head

__all__ = ["HttpBroken", "HttpResponse", "ResponseReader"]

_STATUS = re.compile(r"HTTP/1\.[01] ([1-5][0-9]{2})(?: [ -~\x80-\xff]*)?")
_CHUNK = re.compile(rb"([0-9A-Fa-f]{1,8})[ \t]*(?:;[^\r\n]*)?")
_CHUNK_LINE_OCTETS = 1024
_MAX_TRAILER_OCTETS = 4096


class HttpResponse(Struct, frozen=True):
    """Status, header fields (names in lower case) and body."""

    status: int
    fields: Mapping[str, str]
    body: bytes

    @property
    def media_type(self) -> str:
        """The media type without parameters, in lower case."""
        return self.fields.get("content-type", "").partition(";")[0].strip().lower()


class ResponseReader:
    """Reads one response with a body of at most `max_octets`; `head_only`: without its body."""

    def __init__(self, max_octets: int, *, head_only: bool = False) -> None:
        self._max_octets = max_octets
        self._head_only = head_only
        self._buffer = bytearray()
        self._status = 0
        self._fields: Mapping[str, str] = {}
        self._body = bytearray()
        self._left = -1  # octets of the body, or of the chunk, that are still to come
        self._chunked = False
        self._last = False

    def feed(self, data: bytes) -> HttpResponse | None:
        """Take what came, ``b""`` at the end of the connection; return the response once it is whole.

        Raises `HttpBroken`.
        """
        self._buffer += data
        if not self._status and not self._read_head():
            if data:
                return None
            raise HttpBroken("the connection ended before the response")
        if self._head_only:
            return HttpResponse(self._status, self._fields, b"")
        whole = self._read_chunks() if self._chunked else self._read_body()
        if whole:
            return HttpResponse(self._status, self._fields, bytes(self._body))
        if not data:
            raise HttpBroken("the connection ended within the response")
        return None

    def _read_head(self) -> bool:
        head = take_head(self._buffer)
        if head is None:
            return False
        match = _STATUS.fullmatch(head[0])
        if match is None:
            raise HttpBroken(f"not HTTP: {head[0][:60]!r}")
        self._status, self._fields = int(match[1]), head[1]
        if self._head_only:
            return True
        coding = self._fields.get("transfer-encoding", "").lower()
        length = self._fields.get("content-length", "")
        if coding == "chunked":
            self._chunked = True
        elif coding:
            raise HttpBroken(f"transfer coding {coding[:40]!r}")
        elif self._status in (204, 304):
            self._left = 0
        elif not (length.isascii() and length.isdigit() and len(length) < 20):
            raise HttpBroken("a body without a length")
        elif int(length) > self._max_octets:
            raise HttpBroken(f"a body of more than {self._max_octets} octets")
        else:
            self._left = int(length)
        return True

    def _read_body(self) -> bool:
        piece = self._buffer[: self._left]
        del self._buffer[: self._left]
        self._body += piece
        self._left -= len(piece)
        return not self._left

    def _read_chunks(self) -> bool:
        while True:
            if self._last:
                return self._skip_trailer()
            if self._left < 0 and not self._begin_chunk():
                return False
            if not self._last:
                piece = self._buffer[: self._left]
                del self._buffer[: self._left]
                self._body += piece
                self._left -= len(piece)
                if self._left or len(self._buffer) < 2:
                    return False
                if self._buffer[:2] != b"\r\n":
                    raise HttpBroken("a chunk that does not end where it said")
                del self._buffer[:2]
                self._left = -1

    def _begin_chunk(self) -> bool:
        end = self._buffer.find(b"\r\n", 0, _CHUNK_LINE_OCTETS)
        if end < 0:
            if len(self._buffer) >= _CHUNK_LINE_OCTETS:
                raise HttpBroken("a chunk without a size")
            return False
        match = _CHUNK.fullmatch(bytes(self._buffer[:end]))
        if match is None:
            raise HttpBroken("a chunk without a size")
        del self._buffer[: end + 2]
        size = int(match[1], 16)
        if len(self._body) + size > self._max_octets:
            raise HttpBroken(f"a body of more than {self._max_octets} octets")
        if size:
            self._left = size
        else:
            self._last = True
        return True

    def _skip_trailer(self) -> bool:
        """RFC 9112 §7.1.2: what follows the last chunk is read over."""
        while True:
            end = self._buffer.find(b"\r\n")
            if end < 0 or end > _MAX_TRAILER_OCTETS:
                if len(self._buffer) > _MAX_TRAILER_OCTETS:
                    raise HttpBroken("a trailer that is too long")
                return False
            del self._buffer[: end + 2]
            if not end:
                return True
