"""Serves small files over HTTP: one answer for a connection, and then the end.

A request has a few seconds and a few kilobytes; then the connection is cut. What goes wrong is an answer
of status 400, 404 or 405, or a closed connection.
"""

import asyncio
from typing import cast

from postroad.servers.registry import Registry
from postroad.wire.http import HttpBroken, HttpRequest, RequestReader, write_response

_SECONDS = 10.0


class SmallFileConnection(asyncio.Protocol):
    """One client. A subclass says what there is (`find`)."""

    def __init__(self, registry: Registry, loop: asyncio.AbstractEventLoop) -> None:
        self.peer = ""
        self._registry = registry
        self._loop = loop
        self._reader = RequestReader()
        self._transport: asyncio.Transport | None = None
        self._deadline: asyncio.TimerHandle | None = None

    def find(self, request: HttpRequest) -> str | None:
        """Return the text that is asked for, None where there is none."""
        raise NotImplementedError

    def answer(self, request: HttpRequest) -> bool:
        """Whether the request is answered in another way, perhaps later (by `_write`)."""
        return False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Called by asyncio."""
        self._transport = cast(asyncio.Transport, transport)
        name = transport.get_extra_info("peername")
        self.peer = name[0] if name else ""
        if self._registry.admit(self) is not None:
            self._transport.abort()
            return
        self._deadline = self._loop.call_later(_SECONDS, self.abort)

    def data_received(self, data: bytes) -> None:
        """Called by asyncio."""
        if self._transport is None or self._transport.is_closing():
            return
        try:
            request = self._reader.feed(data)
        except HttpBroken:
            self._write(400, "Bad Request", "this is no request\r\n")
            return
        if request is None:
            return
        if request.method not in ("GET", "HEAD"):
            self._write(405, "Method Not Allowed", "only GET\r\n")
            return
        if self.answer(request):
            return
        head_only = request.method == "HEAD"
        text = self.find(request)
        if text is None:
            self._write(404, "Not Found", "there is no such file\r\n", head_only)
        else:
            self._write(200, "OK", text, head_only)

    def connection_lost(self, exc: Exception | None) -> None:
        """Called by asyncio."""
        self._registry.forget(self)
        if self._deadline is not None:
            self._deadline.cancel()
        self._transport = None

    def shut_down(self) -> None:
        """What is in flight is an answer that leaves with the close."""
        if self._transport is not None:
            self._transport.close()

    def abort(self) -> None:
        """Cut the connection."""
        if self._transport is not None:
            self._transport.abort()

    def _write(
        self,
        status: int,
        reason: str,
        body: str,
        head_only: bool = False,
        content_type: str = "text/plain",
    ) -> None:
        if self._transport is None:
            return  # it is gone
        self._transport.write(
            write_response(status, reason, body.encode(), content_type, head_only=head_only)
        )
        self._transport.close()
