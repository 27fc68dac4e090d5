"""What is common to both ends of a connection: latency, split and merged segments, faults.

What is written at one end arrives at the other later, in order. Faults strike after any octet, in either
direction:

* ``reset``: both ends learn that the connection is broken; what was on its way is lost;
* ``silence``: nothing arrives any more, and nobody learns of it but by waiting;
* ``half``: one direction ends as if closed; what its sender writes afterwards is lost.

TLS is a flag that both ends set, with one exchange of a token.
"""

import asyncio
from collections import deque
from random import Random
from typing import Protocol, cast

from tests.sim.loop import SimLoop

LOW_OCTETS = 16 * 1024

Item = bytes | str  # octets, or one of these:
_EOF, _TLS = "eof", "tls"


class Wires(Protocol):
    """What a link asks of the network that it belongs to."""

    random: Random

    def note(self, number: int, direction: int, item: Item) -> None: ...
    def count(self, what: str) -> None: ...
    def closed(self, end: "End") -> None: ...
    def unread(self, octets: int) -> None: ...


class Faults:
    """How one connection behaves. `at` counts octets of one direction, from the client (0) or to it."""

    __slots__ = ("at", "choppy", "direction", "kind", "latency", "rate", "tls_broken")

    def __init__(
        self,
        latency: float = 0.001,
        *,
        kind: str = "",
        at: int = 0,
        direction: int = 0,
        choppy: bool = False,
        rate: int = 0,
        tls_broken: bool = False,
    ) -> None:
        self.latency = latency
        self.kind = kind
        self.at = at
        self.direction = direction
        self.choppy = choppy
        self.rate = rate  # octets a second that each end reads; 0: all at once
        self.tls_broken = tls_broken


class Link:
    """What both ends share."""

    __slots__ = ("faults", "network", "number", "silent")

    def __init__(self, network: Wires, number: int, faults: Faults) -> None:
        self.network = network
        self.number = number
        self.faults = faults
        self.silent = False


class End:
    """One end of a connection, whoever uses it."""

    peer: "End"

    def __init__(self, link: Link, loop: SimLoop, address: str, port: int, direction: int) -> None:
        self.link = link
        self.loop = loop
        self.address = address
        self.port = port
        self.direction = direction
        self.inbox: deque[tuple[float, Item]] = deque()
        self.unread = 0  # octets written by the peer and not yet taken here
        self.last_arrival = 0.0
        self.written = 0
        self.half = False  # what is written here is lost
        self.finished = False  # we wrote the last
        self.over = False  # nothing happens here any more
        self.paused = False
        self.tls_on = False
        self.reading = False  # a slow read is under way
        self._tls_waiter: asyncio.Future[bool] | None = None
        self._tls_offered = False

    # Out

    def push(self, item: Item) -> None:
        """Send an item to the peer, unless a fault strikes."""
        if self.finished or self.over or not self.loop.effect():
            return
        if self.half:
            return
        faults = self.link.faults
        if isinstance(item, bytes):
            before = self.written
            self.written += len(item)
            if faults.kind and faults.direction == self.direction and self.written >= faults.at:
                self._send(item[: max(0, faults.at - before)])
                self._strike(faults.kind)
                return
            if faults.choppy and len(item) > 1:
                random = self.link.network.random
                while len(item) > 1 and random.random() < 0.5:
                    cut = random.randrange(1, min(len(item), 4096))
                    self._send(item[:cut])
                    item = item[cut:]
        self._send(item)

    def _send(self, item: Item) -> None:
        if not item:
            return
        link = self.link
        network = link.network
        if link.silent:
            return
        peer = self.peer
        latency = link.faults.latency
        if link.faults.choppy:
            latency *= network.random.random() * 2
        when = max(peer.last_arrival, self.loop.time() + latency)
        network.note(link.number, self.direction, item)
        if isinstance(item, bytes):
            peer.unread += len(item)
        peer.inbox.append((when, item))
        if when > peer.last_arrival or len(peer.inbox) == 1:
            peer.last_arrival = when
            peer.loop.call_at(when, peer.arrived)
        if not peer.loop.alive and not link.silent:
            # The process there is gone; its host says so.
            self.loop.call_later(latency * 2, self.broken)

    def _strike(self, kind: str) -> None:
        link = self.link
        link.network.count(kind)
        link.faults.kind = ""
        if kind == "reset":
            self.half = True  # what follows a lost octet does not arrive either
            latency = link.faults.latency
            self.loop.call_later(latency, self.broken)
            self.peer.loop.call_later(latency, self.peer.broken)
        elif kind == "silence":
            link.silent = True
        else:
            self.half = True
            self._send(_EOF)

    # In

    def arrived(self) -> None:
        """Take what has come by now, in one piece."""
        if self.over or self.paused or self.reading:
            return
        now = self.loop.time()
        inbox = self.inbox
        rate = self.link.faults.rate
        while inbox and inbox[0][0] <= now and not (self.over or self.paused):
            _, item = inbox.popleft()
            if not isinstance(item, bytes):
                self._control(item)
                continue
            pieces = [item]
            while inbox and inbox[0][0] <= now and isinstance(inbox[0][1], bytes):
                pieces.append(cast(bytes, inbox.popleft()[1]))
            data = item if len(pieces) == 1 else b"".join(pieces)
            if rate and len(data) > rate:
                inbox.appendleft((now, data[rate:]))
                data = data[:rate]
                self.reading = True
                self.loop.call_later(1.0, self._read_on)
            self.unread -= len(data)
            peer = self.peer
            if self.unread <= LOW_OCTETS:
                peer.room()
            self.take(data)
            if self.reading:
                return

    def _read_on(self) -> None:
        self.reading = False
        self.arrived()

    def _control(self, item: str) -> None:
        if item == _EOF:
            self.ended()
        elif self._tls_waiter is not None and not self._tls_waiter.done():
            self._tls_waiter.set_result(True)
        else:
            self._tls_offered = True

    async def shake_hands(self, server_side: bool, timeout: float) -> bool:
        """Exchange the tokens of TLS; False where the other end never gives one."""
        if not server_side:
            self.push(_TLS)
        if not self._tls_offered:
            self._tls_waiter = self.loop.create_future()
            timer = self.loop.call_later(timeout, _give_up, self._tls_waiter)
            try:
                if not await self._tls_waiter:
                    return False
            finally:
                timer.cancel()
                self._tls_waiter = None
        self._tls_offered = False
        if server_side:
            if self.link.faults.tls_broken:
                return False
            self.push(_TLS)
        self.tls_on = True
        return True

    def hang_up(self) -> None:
        """The process here is gone: the peer learns it, or not."""
        self.over = True
        if not self.link.silent and not self.peer.over:
            peer = self.peer
            peer.loop.call_later(self.link.faults.latency, peer.broken)

    def close_end(self) -> None:
        """We write no more and read no more; what was written still arrives."""
        if self.finished:
            return
        self.push(_EOF)
        self.finished = True

    # For those who use it

    def take(self, data: bytes) -> None:
        raise NotImplementedError

    def ended(self) -> None:
        raise NotImplementedError

    def broken(self) -> None:
        raise NotImplementedError

    def room(self) -> None:
        """The peer has read."""


def _give_up(waiter: "asyncio.Future[bool]") -> None:
    if not waiter.done():
        waiter.set_result(False)
