"""All hosts: who listens where, who is connected to whom, and what befalls a connection."""

import asyncio
from collections.abc import Callable
from random import Random
from typing import Protocol

from postroad.ports import ConnectFailed
from tests.sim.links import End, Faults, Item, Link
from tests.sim.loop import SimLoop
from tests.sim.sockets import Listener, Stream, Transport


class Weather(Protocol):
    """What the network asks about the faults of a new connection."""

    def link(self, source: str, address: str) -> Faults: ...


class Network:
    """All hosts. `listeners` are by address and port, with the loop that they live in."""

    def __init__(
        self,
        random: Random,
        weather: Weather,
        trace: Callable[[str, bytes], None],
        count: Callable[[str], None],
    ) -> None:
        self.random = random
        self.weather = weather
        self.listeners: dict[tuple[str, int], tuple[SimLoop, Listener]] = {}
        self.black_holes: set[str] = set()
        self.open: dict[End, None] = {}
        self._count = count
        self._trace = trace
        self.most_unread = 0  # that a server wrote and its client did not take yet
        self._links = 0

    def note(self, number: int, direction: int, item: Item) -> None:
        data = item if isinstance(item, bytes) else item.encode()
        self._trace(f"{number}{'<' if direction else '>'}", data)

    def count(self, what: str) -> None:
        self._count(what)

    def closed(self, end: End) -> None:
        self.open.pop(end, None)

    def unread(self, octets: int) -> None:
        self.most_unread = max(self.most_unread, octets)

    def host(self, loop: SimLoop, address: str) -> "HostNetwork":
        """Return the network as a process at `address` sees it."""
        return HostNetwork(self, loop, address)

    def process_died(self, loop: SimLoop, silently: bool) -> None:
        """Nothing listens there any more, and its connections are gone."""
        for key in [key for key, (owner, _) in self.listeners.items() if owner is loop]:
            del self.listeners[key]
        for end in [end for end in self.open if end.loop is loop]:
            del self.open[end]
            if silently:
                end.over = True
            else:
                end.hang_up()

    def connect(self, loop: SimLoop, source: str, address: str, port: int) -> Stream | None:
        found = self.listeners.get((address, port))
        if found is None:
            return None
        server_loop, listener = found
        self._links += 1
        link = Link(self, self._links, self.weather.link(source, address))
        client = Stream(link, loop, source, port)
        server = Transport(link, server_loop, address, port, source)
        client.peer, server.peer = server, client
        self.open[client] = self.open[server] = None
        first = loop.time() + link.faults.latency
        server.last_arrival = first
        server_loop.call_at(first, server.start, listener)
        return client


class HostNetwork:
    """`ports.Network` of one process."""

    def __init__(self, network: Network, loop: SimLoop, address: str) -> None:
        self._network = network
        self._loop = loop
        self._address = address

    async def connect(
        self, address: str, port: int, *, source: str | None = None, timeout: float
    ) -> Stream:
        network = self._network
        if address in network.black_holes:
            await asyncio.sleep(timeout)
            raise ConnectFailed("timed out")
        if not self._loop.effect():
            raise ConnectFailed("this process is dead")
        stream = network.connect(self._loop, source or self._address, address, port)
        if stream is None:
            await asyncio.sleep(0.001)
            raise ConnectFailed("connection refused")
        try:
            await asyncio.sleep(stream.link.faults.latency * 2)
        except BaseException:
            stream.close()
            raise
        return stream
