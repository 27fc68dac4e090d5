"""Serves MTA-STS policies over HTTPS (RFC 8461 §3.3): one file per domain, and nothing else.

A request has a few seconds and a few kilobytes; then the connection is cut. What goes wrong is an answer
of status 400 or 404, or a closed connection.
"""

import asyncio
from collections.abc import Callable
from typing import TypeAlias, cast

from postroad.servers.registry import Registry
from postroad.wire.http import HttpBroken, RequestReader, write_response

PATH = "/.well-known/mta-sts.txt"
_PREFIX = "mta-sts."
_SECONDS = 10.0

Policies: TypeAlias = Callable[[str], str | None]
"""From a domain (lower-case A-labels) to its policy file; None: it has none."""


class StsConnection(asyncio.Protocol):
    """One client, over TLS."""

    def __init__(
        self, policies: Policies, registry: Registry, loop: asyncio.AbstractEventLoop
    ) -> None:
        self.peer = ""
        self._policies = policies
        self._registry = registry
        self._loop = loop
        self._reader = RequestReader()
        self._transport: asyncio.Transport | None = None
        self._deadline: asyncio.TimerHandle | None = None

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
            self._answer(400, "Bad Request", "this is no request\r\n")
            return
        if request is None:
            return
        policy = None
        if request.target == PATH and request.host.startswith(_PREFIX):
            policy = self._policies(request.host.removeprefix(_PREFIX))
        head_only = request.method == "HEAD"
        if request.method not in ("GET", "HEAD"):
            self._answer(405, "Method Not Allowed", "only GET\r\n")
        elif policy is None:
            self._answer(404, "Not Found", "there is no such policy\r\n", head_only)
        else:
            self._answer(200, "OK", policy, head_only)

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

    def _answer(self, status: int, reason: str, body: str, head_only: bool = False) -> None:
        assert self._transport is not None
        self._transport.write(
            write_response(status, reason, body.encode(), "text/plain", head_only=head_only)
        )
        self._transport.close()
