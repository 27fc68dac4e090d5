"""The lab's DNS server asked over loopback: by dnspython's resolver, and by ours."""

import asyncio
import socket
from collections.abc import AsyncIterator

import dns.asyncquery
import dns.asyncresolver
import dns.exception
import dns.flags
import dns.message
import dns.rcode
import dns.resolver
import pytest

from postroad.lab.dns import DnsFault, DnsServer
from postroad.network import DnsResolver, Nameserver, ResolverSettings
from postroad.ports import AnswerStatus


@pytest.fixture
async def server() -> AsyncIterator[DnsServer]:
    async with DnsServer() as server:
        zones = server.zones
        zones.add_zone("shop.test")
        zones.add("shop.test", "MX", "10 mx1.shop.test")
        zones.add("mx1.shop.test", "A", "127.0.0.3")
        zones.add("big.shop.test", "TXT", *(f"{number:03d}" + "x" * 200 for number in range(20)))
        yield server


@pytest.fixture
def resolver(server: DnsServer) -> dns.asyncresolver.Resolver:
    resolver = dns.asyncresolver.Resolver(configure=False)
    resolver.nameservers = [server.address]
    resolver.port = server.port
    resolver.lifetime = 2.0
    resolver.timeout = 0.3
    return resolver


async def test_a_resolver_finds_records(
    server: DnsServer, resolver: dns.asyncresolver.Resolver
) -> None:
    answer = await resolver.resolve("shop.test", "MX")

    assert [rdata.exchange.to_text() for rdata in answer] == ["mx1.shop.test."]
    (query,) = server.asked("shop.test")
    assert (query.transport, query.rdtype, query.said) == ("udp", "MX", "NOERROR")


async def test_negative_answers(resolver: dns.asyncresolver.Resolver) -> None:
    with pytest.raises(dns.resolver.NXDOMAIN):
        await resolver.resolve("no.shop.test", "A")
    with pytest.raises(dns.resolver.NoAnswer):
        await resolver.resolve("mx1.shop.test", "AAAA")


async def test_what_is_too_long_for_udp_comes_by_tcp(
    server: DnsServer, resolver: dns.asyncresolver.Resolver
) -> None:
    answer = await resolver.resolve("big.shop.test", "TXT")

    assert len(answer) == 20
    assert [query.transport for query in server.asked("big.shop.test")] == ["udp", "tcp"]


async def test_truncation_without_edns_is_at_512_octets(server: DnsServer) -> None:
    server.zones.add("mid.shop.test", "TXT", *(f"{number}" + "y" * 200 for number in range(3)))
    plain = dns.message.make_query("mid.shop.test", "TXT")
    edns = dns.message.make_query("mid.shop.test", "TXT", use_edns=0, payload=1232)

    short = await dns.asyncquery.udp(plain, server.address, port=server.port, timeout=2)
    whole = await dns.asyncquery.udp(edns, server.address, port=server.port, timeout=2)

    assert short.flags & dns.flags.TC
    assert not short.answer
    assert not whole.flags & dns.flags.TC
    assert len(whole.answer[0]) == 3


@pytest.mark.parametrize(
    ("fault", "rcode"),
    [("SERVFAIL", dns.rcode.SERVFAIL), ("refused", dns.rcode.REFUSED), ("nxdomain", 3)],
)
async def test_failures_on_demand(server: DnsServer, fault: str, rcode: int) -> None:
    server.fail("shop.test", fault)

    query = dns.message.make_query("mx1.shop.test", "A")
    response = await dns.asyncquery.udp(query, server.address, port=server.port, timeout=2)
    assert response.rcode() == rcode

    server.heal("shop.test")
    response = await dns.asyncquery.udp(query, server.address, port=server.port, timeout=2)
    assert response.rcode() == dns.rcode.NOERROR


async def test_a_fault_of_one_type_leaves_the_others(server: DnsServer) -> None:
    server.fail("shop.test", DnsFault.SERVFAIL, rdtype="MX")
    ask = Nameserver(server.address, server.port)
    resolver = DnsResolver(ResolverSettings(nameservers=(ask,), timeout_seconds=1))

    assert (await resolver.lookup("shop.test", "MX")).status is AnswerStatus.FAILED
    assert (await resolver.lookup("mx1.shop.test", "A")).records == ("127.0.0.3",)


async def test_a_time_out_is_silence(
    server: DnsServer, resolver: dns.asyncresolver.Resolver
) -> None:
    server.fail("shop.test", DnsFault.TIMEOUT)

    with pytest.raises(dns.exception.Timeout):
        await resolver.resolve("shop.test", "MX", lifetime=0.5)
    assert server.asked("shop.test")[0].said == "-"


async def test_late_answers(server: DnsServer) -> None:
    server.delay("shop.test", 0.2)
    query = dns.message.make_query("shop.test", "MX")
    began = asyncio.get_running_loop().time()

    await dns.asyncquery.udp(query, server.address, port=server.port, timeout=2)
    await dns.asyncquery.tcp(query, server.address, port=server.port, timeout=2)

    assert asyncio.get_running_loop().time() - began >= 0.4


async def test_forced_truncation_sends_every_asker_to_tcp(
    server: DnsServer, resolver: dns.asyncresolver.Resolver
) -> None:
    server.fail("shop.test", DnsFault.TRUNCATE)

    assert len(await resolver.resolve("shop.test", "MX")) == 1
    assert [each.transport for each in server.asked("shop.test")] == ["udp", "tcp"]


@pytest.mark.parametrize("fault", [DnsFault.GARBAGE, DnsFault.EMPTY])
async def test_broken_servers(server: DnsServer, fault: DnsFault) -> None:
    server.fail("shop.test", fault)
    ask = Nameserver(server.address, server.port)
    resolver = DnsResolver(
        ResolverSettings(nameservers=(ask,), timeout_seconds=0.2, total_seconds=0.5)
    )

    answer = await resolver.lookup("shop.test", "MX")

    assert answer.status in (AnswerStatus.FAILED, AnswerStatus.NO_DATA)
    assert not answer.records


async def test_two_questions_on_one_tcp_connection(server: DnsServer) -> None:
    reader, writer = await asyncio.open_connection(server.address, server.port)
    for name in ("shop.test", "mx1.shop.test"):
        wire = dns.message.make_query(name, "MX").to_wire()
        writer.write(len(wire).to_bytes(2, "big") + wire)
        size = int.from_bytes(await reader.readexactly(2), "big")
        response = dns.message.from_wire(await reader.readexactly(size))
        assert response.question[0].name.to_text(omit_final_dot=True) == name
    writer.close()
    await writer.wait_closed()


async def test_noise_is_dropped_and_the_server_lives(server: DnsServer) -> None:
    with socket.socket(type=socket.SOCK_DGRAM) as sock:
        for noise in (b"", b"\0", b"x" * 500, b"\x81\x80" * 6):
            sock.sendto(noise, (server.address, server.port))
    query = dns.message.make_query("shop.test", "MX")

    response = await dns.asyncquery.udp(query, server.address, port=server.port, timeout=2)

    assert response.answer


async def test_a_taken_port_is_said() -> None:
    async with DnsServer() as first:
        with pytest.raises(OSError, match="in use"):
            await DnsServer(port=first.port).start()


async def test_faults_are_known_by_name() -> None:
    assert DnsFault.of("SERVFAIL") is DnsFault.SERVFAIL
    with pytest.raises(ValueError, match="sunspots"):
        DnsFault.of("sunspots")
