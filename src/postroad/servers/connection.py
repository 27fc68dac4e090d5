"""A wire machine joined to a service: the driver that all our servers share.

Bytes in, events, handler, bytes out, all in the callback that brought the bytes. A handler that may
have to wait returns a coroutine; that too is run at once, and goes on when what it waits for is there.
While it waits, the machine gets bytes but hands out no event, so pipelined commands stay in order.

If a handler raises, the client gets 421 and the connection ends; what was not acknowledged is discarded.
"""

import asyncio
import ssl
from collections.abc import Awaitable, Coroutine
from typing import Any, Generic, Protocol, TypeVar, cast

import structlog

from postroad.servers.registry import Registry

READ_HIGH_OCTETS = 256 * 1024
"""Bytes that a machine may hold unread before we stop reading from the peer."""

DRAIN_SECONDS = 120.0
"""How long a client may leave our answers unread."""

WRITES_IN_A_ROW = 8
"""After so many writes (of about 64 KiB) to a client that keeps up, others have a turn."""

log = structlog.get_logger("postroad.servers")

Event_co = TypeVar("Event_co", covariant=True)
M = TypeVar("M", bound="Machine[Any]")


class Machine(Protocol[Event_co]):
    """What every server machine of ours looks like. `now` is in monotonic seconds."""

    @property
    def closing(self) -> bool: ...  # noqa: D102
    @property
    def buffered(self) -> int: ...  # noqa: D102
    def receive_data(self, data: bytes, now: float) -> None: ...  # noqa: D102
    def receive_eof(self) -> None: ...  # noqa: D102
    def next_event(self) -> Event_co | None: ...  # noqa: D102
    def bytes_to_send(self) -> bytes: ...  # noqa: D102
    def deadline(self) -> float | None: ...  # noqa: D102
    def time_out(self, now: float) -> None: ...  # noqa: D102
    def shut_down(self) -> None: ...  # noqa: D102
    def tls_started(self, now: float) -> None: ...  # noqa: D102


class Connection(asyncio.Protocol, Generic[M]):
    """One client. A subclass makes the machine (`open`), handles events (`handle`) and, at the end,
    lets go of what it holds (`lost`).
    """

    machine: M
    transport: asyncio.Transport
    peer: str
    """The client's IP address, or ``""`` on a UNIX socket."""
    tls: str | None = None
    """Protocol version and cipher once secure."""

    def __init__(self, registry: Registry, loop: asyncio.AbstractEventLoop) -> None:
        self._registry = registry
        self._loop = loop
        self._busy = False
        self._writes = 0
        self._gone = False
        self._admitted = False
        self._answering: Coroutine[Any, Any, None] | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._can_write: asyncio.Future[None] | None = None
        self._write_paused = False
        self._read_paused = False
        self._secured: bytearray | None = None

    # What a subclass gives

    @property
    def whole_answers(self) -> bool:
        """Whether what the machine gives to be sent is all that it has, and nothing waits behind it."""
        return False

    def open(self, now: float, secure: bool) -> M:
        """Return the machine of a new connection."""
        raise NotImplementedError

    def handle(self, event: Any) -> Awaitable[None] | None:
        """Answer one event of the machine; return what has to be awaited until it is, if anything."""
        raise NotImplementedError

    def waited(self) -> None:
        """What the client said is answered, and that took longer than the callback that brought it."""

    def lost(self) -> None:
        """The connection is over: discard what is unfinished."""

    def refusal(self, reason: str) -> bytes:
        """Return what a client is told that the registry does not admit."""
        raise NotImplementedError

    def server_tls(self) -> ssl.SSLContext:
        """Return the context for an upgrade."""
        raise NotImplementedError

    # asyncio.Protocol

    def connection_made(self, transport: asyncio.BaseTransport) -> None:  # noqa: D102
        # uvloop's transports are no subclass of asyncio's.
        self.transport = cast(asyncio.Transport, transport)
        peer = transport.get_extra_info("peername")
        self.peer = peer[0] if isinstance(peer, tuple) else ""
        reason = self._registry.admit(self)
        if reason:
            self.transport.write(self.refusal(reason))
            self.transport.close()
            return
        ssl_object = transport.get_extra_info("ssl_object")
        self.tls = describe_tls(ssl_object) if ssl_object else None
        self._registry.secured += ssl_object is not None
        try:
            self.machine = self.open(self._loop.time(), ssl_object is not None)
        except Exception:
            log.exception("no machine for a new connection", peer=self.peer)
            self._registry.forget(self)
            self.transport.abort()
            return
        self._admitted = True
        self._pump()

    def data_received(self, data: bytes) -> None:  # noqa: D102
        if not self._admitted:
            return
        if self._secured is not None:
            # asyncio hands out what came behind the handshake before `start_tls` returns.
            self._secured += data
            return
        machine = self.machine
        machine.receive_data(data, self._loop.time())
        if not self._busy:
            self._pump()
        elif machine.buffered > READ_HIGH_OCTETS and not self._read_paused:
            self._read_paused = True
            self.transport.pause_reading()

    def eof_received(self) -> bool:  # noqa: D102
        if self._admitted:
            self.machine.receive_eof()
            if not self._busy:
                self._pump()
        # Keep the transport open while an answer is on its way; TLS transports close all the same.
        return self._busy and self.tls is None

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: D102
        self._gone = True
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if not self._admitted:
            return
        self._registry.forget(self)
        if self._can_write is not None and not self._can_write.done():
            self._can_write.set_result(None)
        self.machine.receive_eof()
        if not self._busy:
            self.lost()

    def pause_writing(self) -> None:  # noqa: D102
        self._write_paused = True

    def resume_writing(self) -> None:  # noqa: D102
        self._write_paused = False
        if self._can_write is not None and not self._can_write.done():
            self._can_write.set_result(None)

    # For subclasses and the registry

    @property
    def gone(self) -> bool:
        """Whether the client is no longer there, or we hung up."""
        return self._gone or self.transport.is_closing()

    def shut_down(self) -> None:
        """The server is going: let what is in flight end, and then say goodbye."""
        if self._gone or not self._admitted:
            return
        self.machine.shut_down()
        if not self._busy:
            self._pump()

    def abort(self) -> None:
        """Cut the connection now."""
        self.transport.abort()

    async def flush(self) -> None:
        """In the midst of an answer: write what the machine has to send, and wait while the client is
        slow to read it.
        """
        machine = self.machine
        writes = 0
        while not self.gone and (data := machine.bytes_to_send()):
            self.transport.write(data)
            writes += 1
            if self._write_paused:
                await self._drain()
            elif writes % WRITES_IN_A_ROW == 0:
                await asyncio.sleep(0)

    async def upgrade(self) -> None:
        """Send what is there (the 220) and start TLS; the machine forgets what it knew."""
        await self.flush()
        if self._gone:
            return
        # From here on the transport gives what was decrypted, and nothing else.
        secured = self._secured = bytearray()
        try:
            transport = await self._loop.start_tls(
                self.transport,
                self,
                self.server_tls(),
                server_side=True,
                ssl_handshake_timeout=self._registry.handshake_seconds,
            )
        except (OSError, ssl.SSLError) as error:
            reason = str(error) or type(error).__name__
            log.info("tls handshake failed", peer=self.peer, error=reason)
            self.transport.abort()
            return
        finally:
            self._secured = None
        if transport is None:  # the client went away during the handshake
            self._gone = True
            return
        self.transport = transport
        self.tls = describe_tls(transport.get_extra_info("ssl_object"))
        self._registry.secured += 1
        if self.machine.closing:
            return  # it ended during the handshake: we are shutting down, or the client said no more
        now = self._loop.time()
        self.machine.tls_started(now)
        if secured:
            self.machine.receive_data(bytes(secured), now)

    # The pump

    def _pump(self) -> None:
        self._busy = True
        self._writes = 0
        try:
            waiting = self._turn()
            if waiting is None:
                self._rest()
            else:
                self._answering = self._go_on(waiting)
                self._resume()
        except Exception:
            self._failed()

    def _turn(self) -> Awaitable[object] | None:
        """Answer and write as far as that goes without waiting; return what is to be awaited before the
        next turn, or None where nothing is left to be answered or written.
        """
        machine = self.machine
        while True:
            while (event := machine.next_event()) is not None:
                waiting = self.handle(event)
                if waiting is not None:
                    return waiting
            if self._gone or self.transport.is_closing():
                return None
            whole = self.whole_answers
            data = machine.bytes_to_send()
            if not data:
                return None
            self.transport.write(data)
            if self._write_paused:
                return self._drain()
            if whole:
                return None
            # Else there may be more to send, or an event that was held back until this was sent.
            self._writes += 1
            if self._writes == WRITES_IN_A_ROW:
                self._writes = 0
                return asyncio.sleep(0)  # a long answer is made piece by piece; others have a turn

    async def _go_on(self, waiting: Awaitable[object]) -> None:
        following: Awaitable[object] | None = waiting
        while following is not None:
            await following
            following = self._turn()
        self.waited()
        self._rest()

    def _rest(self) -> None:
        """All is answered: wait for more, or end."""
        self._busy = False
        if self.machine.closing:
            self.transport.close()
        elif self._read_paused and not self._gone:
            self._read_paused = False
            self.transport.resume_reading()
        if self._gone:
            self.lost()
        elif self._timer is None:
            self._arm_timer()

    def _resume(self, waited_for: "asyncio.Future[Any] | None" = None) -> None:
        """Go on with the answer until it has to wait; then this is called again.

        A task would do the same for twice the price, at each message. There is none here, so
        `asyncio.timeout` and the like have no place in a handler, but in tasks that it starts.
        """
        answering = self._answering
        assert answering is not None, "called for an answer that waited"
        try:
            waiting_for = answering.send(None)
        except StopIteration:
            self._answering = None
        except asyncio.CancelledError:
            self._cancelled()
        except Exception as error:
            self._answering = None
            self._failed(error)
        else:
            if waiting_for is None:  # asyncio.sleep(0)
                self._loop.call_soon(self._resume)
            else:
                waiting_for._asyncio_future_blocking = False
                waiting_for.add_done_callback(self._resume)

    def _cancelled(self) -> None:
        """What the answer waited for was cancelled: the loop ends."""
        self._answering = None
        self._busy = False
        if self._gone:
            self.lost()
        else:
            self.transport.abort()

    def _failed(self, error: BaseException | None = None) -> None:
        log.error("handler failed; connection closed", peer=self.peer, exc_info=error or True)
        self._busy = False
        if not self._gone:
            self.machine.time_out(self._loop.time())
            while data := self.machine.bytes_to_send():
                self.transport.write(data)
            self.transport.close()
        else:
            self.lost()

    async def _drain(self) -> None:
        self._can_write = self._loop.create_future()
        watchdog = self._loop.call_later(DRAIN_SECONDS, self.transport.abort)
        try:
            await self._can_write
        finally:
            watchdog.cancel()
            self._can_write = None

    def _arm_timer(self) -> None:
        deadline = self.machine.deadline()
        if deadline is not None:
            self._timer = self._loop.call_at(deadline, self._on_timer)

    def _on_timer(self) -> None:
        # Deadlines move with every command, the timer does not: it looks when it fires.
        self._timer = None
        now = self._loop.time()
        deadline = self.machine.deadline()
        if self._gone or deadline is None:
            return
        if self._busy:
            self._timer = self._loop.call_at(max(deadline, now + 1.0), self._on_timer)
        elif now < deadline:
            self._timer = self._loop.call_at(deadline, self._on_timer)
        else:
            self.machine.time_out(now)
            self._pump()


def describe_tls(ssl_object: Any) -> str:
    """Return version and cipher, as the Received field and the journey show them."""
    cipher = ssl_object.cipher()
    return f"{ssl_object.version()} {cipher[0] if cipher else '?'}"
