"""The two ends as our rooms know them: `asyncio.Transport` for servers, `ports.Stream` for clients."""

import asyncio
from collections.abc import Callable
from typing import Any

from postroad.model import TlsPolicy
from postroad.ports import TlsFailed
from tests.sim.links import End, Link
from tests.sim.loop import SimLoop

HIGH_OCTETS = 64 * 1024
CIPHER = "TLSv1.3 TLS_SIMULATED"

Listener = Callable[[], asyncio.Protocol]


class _Ssl:
    """What `servers.connection` asks of an SSL object."""

    def version(self) -> str:
        return "TLSv1.3"

    def cipher(self) -> tuple[str, str, int]:
        return ("TLS_SIMULATED", "TLSv1.3", 256)


_SSL = _Ssl()


class Transport(End, asyncio.Transport):
    """The end of a server: an `asyncio.Transport` with its protocol."""

    def __init__(self, link: Link, loop: SimLoop, address: str, port: int, peer: str) -> None:
        End.__init__(self, link, loop, address, port, 1)
        asyncio.Transport.__init__(self)
        self._peer_address = peer
        self._closing = False
        self._writing_paused = False
        self.protocol = asyncio.Protocol()

    def start(self, listener: Listener) -> None:
        if not self.over:
            self.protocol = listener()
            self.protocol.connection_made(self)

    def take(self, data: bytes) -> None:
        if not self._closing:
            self.protocol.data_received(data)
        elif not self.peer.over:
            # Data for a socket that is closed: the kernel answers with a reset.
            self.peer.loop.call_later(self.link.faults.latency, self.peer.broken)

    def ended(self) -> None:
        if not self._closing and not self.protocol.eof_received():
            self.close()

    def broken(self) -> None:
        if not self.over:
            self._lose(ConnectionResetError("reset by peer"))

    def room(self) -> None:
        if self._writing_paused and not self.over:
            self._writing_paused = False
            self.loop.call_soon(self._resume)

    def _resume(self) -> None:
        if not self.over:
            self.protocol.resume_writing()

    def _lose(self, error: Exception | None) -> None:
        self.over = True
        self._closing = True
        if self._tls_waiter is not None and not self._tls_waiter.done():
            self._tls_waiter.set_result(False)
        self.link.network.closed(self)
        self.protocol.connection_lost(error)

    # asyncio.Transport

    def get_extra_info(self, name: str, default: Any = None) -> Any:
        if name == "peername":
            return (self._peer_address, 40_000 + self.link.number % 20_000)
        if name == "ssl_object":
            return _SSL if self.tls_on else None
        return default

    def write(self, data: Any) -> None:
        if self._closing or self.over:
            return
        self.push(bytes(data))
        waiting = self.peer.unread
        self.link.network.unread(waiting)
        if waiting > HIGH_OCTETS and not self._writing_paused and not self.peer.over:
            self._writing_paused = True
            self.protocol.pause_writing()

    def close(self) -> None:
        if self._closing:
            return
        self._closing = True
        self.close_end()
        self.loop.call_soon(self._after_close)

    def _after_close(self) -> None:
        if not self.over:
            self._lose(None)

    def abort(self) -> None:
        if self.over:
            return
        self._closing = True
        if self.loop.effect() and not self.link.silent:
            self.peer.loop.call_later(self.link.faults.latency, self.peer.broken)
        self.loop.call_soon(self._after_close)

    def is_closing(self) -> bool:
        return self._closing

    def pause_reading(self) -> None:
        self.paused = True

    def resume_reading(self) -> None:
        self.paused = False
        self.loop.call_soon(self.arrived)

    async def secure(self, timeout: float) -> "Transport | None":
        """The server's part of `SimLoop.start_tls`."""
        done = await self.shake_hands(True, timeout)
        if self.over:
            return None
        if not done:
            raise ConnectionAbortedError("TLS handshake failed")
        return self


class Stream(End):
    """The end of a client: `ports.Stream`."""

    def __init__(self, link: Link, loop: SimLoop, address: str, port: int) -> None:
        super().__init__(link, loop, address, port, 0)
        self._data = bytearray()
        self._at_end = False
        self._waiter: asyncio.Future[None] | None = None
        self._has_room: asyncio.Future[None] | None = None

    @property
    def tls(self) -> str | None:
        return CIPHER if self.tls_on else None

    @property
    def source(self) -> str:
        return self.address

    @property
    def chain(self) -> tuple[bytes, ...]:
        return ()

    async def receive(self, timeout: float) -> bytes:
        if not self._data and not self._at_end:
            self._waiter = self.loop.create_future()
            timer = self.loop.call_later(timeout, _time_out, self._waiter)
            try:
                await self._waiter
            finally:
                timer.cancel()
                self._waiter = None
        data = bytes(self._data)
        self._data.clear()
        return data

    async def send(self, data: bytes, timeout: float) -> None:
        if self.finished or self.over:
            return
        self.push(data)
        if self.peer.unread > HIGH_OCTETS and not self.over and not self.peer.over:
            self._has_room = self.loop.create_future()
            timer = self.loop.call_later(timeout, _time_out, self._has_room)
            try:
                await self._has_room
            finally:
                timer.cancel()
                self._has_room = None

    async def start_tls(self, policy: TlsPolicy, server_name: str, timeout: float) -> None:
        if self._data or self._at_end or not await self.shake_hands(False, timeout):
            self.close()
            raise TlsFailed("handshake failed")

    def close(self) -> None:
        if not self.finished:
            self.close_end()
            self.over = True
            self._at_end = True
            self._wake(self._waiter)
            self._wake(self._has_room)
            self.link.network.closed(self)

    def take(self, data: bytes) -> None:
        self._data += data
        self._wake(self._waiter)

    def ended(self) -> None:
        self._at_end = True
        self._wake(self._waiter)
        self._no_tls()

    def broken(self) -> None:
        if self.over:
            return
        self.over = True
        self._data.clear()
        self.ended()
        self._wake(self._has_room)
        self.link.network.closed(self)

    def room(self) -> None:
        self._wake(self._has_room)

    def _no_tls(self) -> None:
        if self._tls_waiter is not None and not self._tls_waiter.done():
            self._tls_waiter.set_result(False)

    @staticmethod
    def _wake(waiter: "asyncio.Future[None] | None") -> None:
        if waiter is not None and not waiter.done():
            waiter.set_result(None)


def _time_out(waiter: "asyncio.Future[None]") -> None:
    if not waiter.done():
        waiter.set_exception(TimeoutError())
