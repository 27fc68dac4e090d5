"""A small DNS server for the lab: it answers from `Zones` over UDP and TCP, and fails on demand.

It stands in for a recursive resolver (it says RA), so resolvers of any kind can use it. A datagram
that is no query is dropped, as real servers do. Every question is kept in a log of bounded length.
"""

import asyncio
import socket
import time
from collections import deque
from enum import Enum

import dns.exception
import dns.flags
import dns.message
import dns.name
import dns.rcode
import dns.rdatatype
from msgspec import Struct

from postroad.lab.zones import Zones

_MIN_UDP_OCTETS = 512  # RFC 1035 §4.2.1
_LOG_ENTRIES = 10_000
_TCP_IDLE_SECONDS = 30.0
_MAX_TCP_CONNECTIONS = 100


class DnsFault(Enum):
    """What goes wrong with questions about a name."""

    SERVFAIL = "servfail"
    REFUSED = "refused"
    NXDOMAIN = "nxdomain"
    TIMEOUT = "timeout"  # no answer at all
    TRUNCATE = "truncate"  # UDP answers are always too long: the asker has to come by TCP
    EMPTY = "empty"  # no records, and no SOA that says so: a broken server
    GARBAGE = "garbage"  # octets that are no message

    @classmethod
    def of(cls, fault: "DnsFault | str") -> "DnsFault":
        """Return the fault of that name, upper or lower case. Raises `ValueError`."""
        return fault if isinstance(fault, DnsFault) else cls(fault.lower())


class Query(Struct, frozen=True):
    """One question: when (seconds since 1970), from where, over ``"udp"`` or ``"tcp"``, and what was
    said: an rcode as text, or ``"-"`` where nothing was.
    """

    at: float
    client: str
    transport: str
    name: str
    rdtype: str
    said: str


class _Trouble(Struct, frozen=True):
    fault: DnsFault | None
    delay_seconds: float
    rdtype: str | None


class DnsServer:
    """Serves `zones` on one address; an async context manager, or `start` and `stop`.

    Port 0 is chosen by the system, the same for UDP and TCP. `port` is the real one once started.
    Raises `OSError` where the port is taken.
    """

    def __init__(
        self, zones: Zones | None = None, address: str = "127.0.0.1", port: int = 0
    ) -> None:
        self.zones = zones or Zones()
        self.address = address
        self.port = port
        self.queries: deque[Query] = deque(maxlen=_LOG_ENTRIES)
        self._troubles: dict[dns.name.Name, _Trouble] = {}
        self._udp: asyncio.DatagramTransport | None = None
        self._tcp: asyncio.AbstractServer | None = None
        self._connections: set[asyncio.Task[None]] = set()
        self._later: set[asyncio.TimerHandle] = set()

    async def __aenter__(self) -> "DnsServer":
        await self.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.stop()

    async def start(self) -> None:
        """Bind and answer. Raises `OSError`."""
        loop = asyncio.get_running_loop()
        tcp, udp = _bind(self.address, self.port)
        self.port = tcp.getsockname()[1]
        self._tcp = await asyncio.start_server(self._serve_tcp, sock=tcp)
        self._udp, _ = await loop.create_datagram_endpoint(lambda: _Datagrams(self), sock=udp)

    async def stop(self) -> None:
        """Close the ports; questions under way get no answer. Safe to call twice."""
        for handle in self._later:
            handle.cancel()
        self._later.clear()
        if self._udp is not None:
            self._udp.close()
            self._udp = None
        if self._tcp is not None:
            self._tcp.close()
            self._tcp = None
        for task in self._connections:
            task.cancel()
        await asyncio.gather(*self._connections, return_exceptions=True)

    # Breaking it

    def fail(
        self,
        name: str,
        fault: DnsFault | str = DnsFault.SERVFAIL,
        *,
        rdtype: str | None = None,
        delay_seconds: float = 0.0,
    ) -> None:
        """Fail questions about `name` and all names below, until `heal`; only those of `rdtype`, if
        given. The answer (or failure) comes `delay_seconds` late.
        """
        self._troubles[dns.name.from_text(name)] = _Trouble(
            DnsFault.of(fault), delay_seconds, rdtype
        )

    def delay(self, name: str, seconds: float) -> None:
        """Answer questions about `name` and below rightly, but late, until `heal`."""
        self._troubles[dns.name.from_text(name)] = _Trouble(None, seconds, None)

    def heal(self, name: str | None = None) -> None:
        """End what `fail` and `delay` did to a name, or to all."""
        if name is None:
            self._troubles.clear()
        else:
            self._troubles.pop(dns.name.from_text(name), None)

    def asked(self, name: str, rdtype: str | None = None) -> list[Query]:
        """Return the questions about exactly that name, oldest first."""
        plain = name.rstrip(".").lower()
        return [
            query
            for query in self.queries
            if query.name == plain and rdtype in (None, query.rdtype)
        ]

    # Answering

    def respond(self, data: bytes, client: str, *, tcp: bool) -> tuple[bytes | None, float]:
        """Return the octets to send (None: nothing) and how long to wait before that."""
        try:
            query = dns.message.from_wire(data)
        except dns.exception.DNSException:
            return None, 0.0
        if query.flags & dns.flags.QR or not query.question:
            return None, 0.0
        question = query.question[0]
        trouble = self._trouble(question.name, dns.rdatatype.to_text(question.rdtype))
        fault = trouble.fault if trouble is not None else None
        wire, said = self._say(query, fault, tcp=tcp)
        self.queries.append(
            Query(
                time.time(),
                client,
                "tcp" if tcp else "udp",
                question.name.to_text(omit_final_dot=True).lower(),
                dns.rdatatype.to_text(question.rdtype),
                said,
            )
        )
        return wire, trouble.delay_seconds if trouble is not None else 0.0

    def _trouble(self, name: dns.name.Name, rdtype: str) -> _Trouble | None:
        troubles = self._troubles
        if not troubles:
            return None
        while True:
            trouble = troubles.get(name)
            if trouble is not None and trouble.rdtype in (None, rdtype):
                return trouble
            if name == dns.name.root:
                return None
            name = name.parent()

    def _say(
        self, query: dns.message.Message, fault: DnsFault | None, *, tcp: bool
    ) -> tuple[bytes | None, str]:
        if fault is DnsFault.TIMEOUT:
            return None, "-"
        if fault is DnsFault.GARBAGE:
            return b"\0" * 5, "-"
        if fault in _RCODES or fault is DnsFault.EMPTY:
            response = dns.message.make_response(query, recursion_available=True)
            response.set_rcode(_RCODES.get(fault, dns.rcode.NOERROR))
        else:
            response = self.zones.answer(query)
        said = dns.rcode.to_text(response.rcode())
        if tcp:
            return response.to_wire(max_size=65_535), said
        limit = max(query.payload, _MIN_UDP_OCTETS) if query.edns >= 0 else _MIN_UDP_OCTETS
        if fault is not DnsFault.TRUNCATE:
            try:
                return response.to_wire(max_size=limit), said
            except dns.exception.TooBig:
                pass
        short = dns.message.make_response(query, recursion_available=True)
        short.flags |= dns.flags.TC | dns.flags.AA
        return short.to_wire(), "TC"

    def datagram(self, data: bytes, peer: tuple[str, int]) -> None:
        """Answer one datagram."""
        wire, delay_seconds = self.respond(data, peer[0], tcp=False)
        if wire is None or self._udp is None:
            return
        if delay_seconds <= 0:
            self._udp.sendto(wire, peer)
            return
        loop = asyncio.get_running_loop()

        def send_late() -> None:
            self._later.discard(handle)
            if self._udp is not None:
                self._udp.sendto(wire, peer)

        handle = loop.call_later(delay_seconds, send_late)
        self._later.add(handle)

    async def _serve_tcp(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        if len(self._connections) >= _MAX_TCP_CONNECTIONS:
            writer.close()
            return
        self._connections.add(task)
        client = writer.get_extra_info("peername")[0]
        try:
            while True:
                async with asyncio.timeout(_TCP_IDLE_SECONDS):
                    size = int.from_bytes(await reader.readexactly(2), "big")
                    data = await reader.readexactly(size)
                wire, delay_seconds = self.respond(data, client, tcp=True)
                if delay_seconds > 0:
                    await asyncio.sleep(delay_seconds)
                if wire is not None:
                    writer.write(len(wire).to_bytes(2, "big") + wire)
                    await writer.drain()
        except (asyncio.IncompleteReadError, OSError, TimeoutError, asyncio.CancelledError):
            pass  # the client went, or we do
        finally:
            self._connections.discard(task)
            writer.close()


_RCODES: dict[DnsFault | None, dns.rcode.Rcode] = {
    DnsFault.SERVFAIL: dns.rcode.SERVFAIL,
    DnsFault.REFUSED: dns.rcode.REFUSED,
    DnsFault.NXDOMAIN: dns.rcode.NXDOMAIN,
}


class _Datagrams(asyncio.DatagramProtocol):
    def __init__(self, server: DnsServer) -> None:
        self._server = server

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        """Called by asyncio."""
        self._server.datagram(data, addr)


def _bind(address: str, port: int) -> tuple[socket.socket, socket.socket]:
    """Bind TCP and UDP to the same port; TCP listens at once, so nobody else can."""
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    for attempt in range(20):
        tcp = socket.socket(family, socket.SOCK_STREAM)
        udp = socket.socket(family, socket.SOCK_DGRAM)
        try:
            tcp.setblocking(False)
            udp.setblocking(False)
            tcp.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            tcp.bind((address, port))
            tcp.listen(64)
            udp.bind((address, tcp.getsockname()[1]))
        except OSError:
            tcp.close()
            udp.close()
            if port or attempt == 19:
                raise
        else:
            return tcp, udp
    raise AssertionError("unreachable")
