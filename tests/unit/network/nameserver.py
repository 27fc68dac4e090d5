"""A small name server for tests: UDP and TCP on one loopback port, answers by a function."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable
from typing import cast

import dns.flags
import dns.message
import dns.name
import dns.rcode
import dns.rdata
import dns.rdataclass
import dns.rdatatype
import dns.rrset

# From question (name without final dot, type, transport) to wires to be sent; none: silence.
Script = Callable[[dns.message.Message, str], list[bytes]]


class Responder(asyncio.DatagramProtocol):
    """Counts what it is asked."""

    def __init__(self, script: Script) -> None:
        self.script = script
        self.writers: list[asyncio.StreamWriter] = []
        self.asked: list[tuple[str, str, str]] = []
        self.queries: list[dns.message.Message] = []

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast(asyncio.DatagramTransport, transport)

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        for wire in self.answers(data, "udp"):
            self.transport.sendto(wire, addr)

    def answers(self, data: bytes, transport: str) -> list[bytes]:
        query = dns.message.from_wire(data)
        question = query.question[0]
        self.queries.append(query)
        self.asked.append(
            (question.name.to_text(True), dns.rdatatype.to_text(question.rdtype), transport)
        )
        return self.script(query, transport)

    async def serve_tcp(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.writers.append(writer)
        with contextlib.suppress(asyncio.IncompleteReadError, ConnectionError):
            length = int.from_bytes(await reader.readexactly(2), "big")
            for wire in self.answers(await reader.readexactly(length), "tcp"):
                writer.write(len(wire).to_bytes(2, "big") + wire)
            await writer.drain()
        writer.close()


@contextlib.asynccontextmanager
async def responder(script: Script) -> AsyncIterator[tuple[Responder, int]]:
    """Run one; gives it and its port."""
    protocol = Responder(script)
    server, port = await _listen(protocol)
    try:
        yield protocol, port
    finally:
        server.close()
        for writer in protocol.writers:
            writer.transport.abort()
        await server.wait_closed()
        protocol.transport.close()


async def _listen(protocol: Responder) -> tuple[asyncio.Server, int]:
    """Listen on a port that is free for both."""
    loop = asyncio.get_running_loop()
    while True:
        server = await asyncio.start_server(protocol.serve_tcp, "127.0.0.1", 0)
        port: int = server.sockets[0].getsockname()[1]
        try:
            await loop.create_datagram_endpoint(lambda: protocol, local_addr=("127.0.0.1", port))
        except OSError:
            server.close()
            await server.wait_closed()
        else:
            return server, port


def reply(
    query: dns.message.Message,
    *answers: str,
    authority: tuple[str, ...] = (),
    rcode: dns.rcode.Rcode = dns.rcode.NOERROR,
    flags: int = 0,
) -> bytes:
    """An answer with records as ``"name ttl type data"``; equal names and types make one set."""
    response = dns.message.make_response(query, recursion_available=True)
    response.set_rcode(rcode)
    response.flags |= flags
    for section, lines in ((response.answer, answers), (response.authority, authority)):
        for line in lines:
            name, ttl, rdtype, data = line.split(" ", 3)
            found = response.find_rrset(
                section,
                dns.name.from_text(name),
                dns.rdataclass.IN,
                dns.rdatatype.from_text(rdtype),
                create=True,
            )
            found.add(dns.rdata.from_text("IN", rdtype, data, relativize=False), int(ttl))
    return response.to_wire(max_size=65535)
