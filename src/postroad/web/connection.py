"""HTTP/1.1 connections by uvicorn's protocol, without its server: they belong to a registry like all
others of this process, and are bounded in the size of their headers and in time.

No signal is handled here and no socket bound; `runtime` does that for all servers alike.
"""

import asyncio
import logging
from typing import Any, Protocol, cast

from uvicorn.config import Config
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol
from uvicorn.server import ServerState

from postroad.web.front import App
from postroad.web.problem import MEDIA_TYPE, Problem
from postroad.web.settings import WebSettings

MAX_HEADER_OCTETS = 64 * 1024
"""Request line and header fields together; 431 beyond (RFC 6585 §5)."""

_PART_OCTETS = 10 * 2**20

_SILENT = logging.getLogger("postroad.web.connection")
_SILENT.setLevel(logging.CRITICAL + 1)  # what went wrong is logged by the front, once


class Admission(Protocol):
    """Who is connected, with limits in total and per client (`servers.registry.Registry`)."""

    def admit(self, connection: "HttpConnection") -> str | None:
        """Take a connection in, or return why not, in words."""
        ...

    def forget(self, connection: "HttpConnection") -> None:
        """A connection is over."""
        ...


class HttpServer:
    """Makes the connections of one process, and ends what they began."""

    def __init__(self, app: App, settings: WebSettings, loop: asyncio.AbstractEventLoop) -> None:
        self.settings = settings
        self.loop = loop
        self.config = Config(
            cast(Any, app),
            http=HttpToolsProtocol,
            ws="none",
            lifespan="off",
            log_config=None,
            access_log=False,
            proxy_headers=False,
            server_header=False,
            date_header=False,
            timeout_keep_alive=max(1, round(settings.idle_seconds)),
        )
        self.config.load()
        self.state = ServerState()

    def connection(self, registry: Admission) -> "HttpConnection":
        """Return the protocol of a new connection."""
        return HttpConnection(self, registry)

    async def close(self, grace_seconds: float) -> None:
        """Wait for requests whose connections are gone, then cancel them. Safe to call twice."""
        tasks = set(self.state.tasks)
        if not tasks:
            return
        await asyncio.wait(tasks, timeout=grace_seconds)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


class HttpConnection(HttpToolsProtocol):
    """One client."""

    def __init__(self, server: HttpServer, registry: Admission) -> None:
        super().__init__(server.config, server.state, {}, server.loop)
        self.logger = _SILENT
        self.access_log = False
        self.peer = ""
        self._registry = registry
        self._seconds = server.settings.request_seconds
        self._deadline: asyncio.TimerHandle | None = None
        self._in_header = True
        self._header_octets = 0
        self._part_octets = 0

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Called by asyncio."""
        name = transport.get_extra_info("peername")
        self.peer = name[0] if name else ""
        if self._registry.admit(self) is not None:
            transport.abort()
            self.transport = transport
            return
        super().connection_made(transport)
        self._give_time()

    def connection_lost(self, exc: Exception | None) -> None:
        """Called by asyncio."""
        self._registry.forget(self)
        self._stop_time()
        self._unset_keepalive_if_required()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Called by asyncio."""
        if self.transport.is_closing():
            return
        if self._in_header:
            self._header_octets += len(data)
            # What is behind the header in the same read counts too, so this is not to the octet.
            if self._header_octets > MAX_HEADER_OCTETS + len(data):
                self._refuse(431, "header-too-large", "the header is too large")
                return
        super().data_received(data)

    def on_message_begin(self) -> None:
        """Called by the parser."""
        super().on_message_begin()
        self._part_octets = 0
        if self._deadline is None:
            self._give_time()

    def on_headers_complete(self) -> None:
        """Called by the parser."""
        self._in_header = False
        self._header_octets = 0
        if sum(len(name) + len(value) for name, value in self.headers) > MAX_HEADER_OCTETS:
            self._refuse(431, "header-too-large", "the header is too large")
            return
        super().on_headers_complete()

    def on_body(self, body: bytes) -> None:
        """Called by the parser."""
        if self.cycle is None or self.transport.is_closing():
            return
        self._part_octets += len(body)
        if self._part_octets >= _PART_OCTETS:
            self._part_octets = 0
            self._give_time()
        super().on_body(body)

    def on_message_complete(self) -> None:
        """Called by the parser."""
        self._stop_time()
        self._in_header = True
        if self.cycle is not None:
            super().on_message_complete()

    def send_400_response(self, msg: str) -> None:
        """Called where what came is no HTTP."""
        self._refuse(400, "malformed", "this is no HTTP request")

    def shut_down(self) -> None:
        """Let a request in flight end, then close."""
        self.shutdown()

    def abort(self) -> None:
        """Cut the connection."""
        self.transport.abort()

    def _refuse(self, status: int, kind: str, detail: str) -> None:
        if self.transport.is_closing():
            return
        problem = Problem(status, kind, detail)
        body = problem.encode()
        head = (
            f"HTTP/1.1 {status} {problem.details.title}\r\ncontent-type: {MEDIA_TYPE}\r\n"
            f"content-length: {len(body)}\r\nconnection: close\r\n\r\n"
        )
        self.transport.write(head.encode() + body)
        self.transport.close()

    def _give_time(self) -> None:
        self._stop_time()
        self._deadline = self.loop.call_later(self._seconds, self.abort)

    def _stop_time(self) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None
