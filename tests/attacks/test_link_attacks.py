"""Attacks on the link to the next server, over real sockets: ATTACKS 3 and 24."""

import asyncio
import contextlib
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import pytest

from postroad.lab.world import World, words
from postroad.model import StsMode
from postroad.network import ServerTls
from postroad.service.journeys import Journey
from postroad.trust.mta_sts import write_policy

ALICE, VICTIM = "alice@sender.test", "bob@victim.test"
PATIENCE_SECONDS = 1.5

Talk = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


@pytest.fixture
async def world() -> AsyncIterator[World]:
    async with World(patience_seconds=PATIENCE_SECONDS, one_address=False) as world:
        await world.add_domain("sender.test", ["alice"])
        yield world


@asynccontextmanager
async def listening(
    world: World, port: int, talk: Talk, tls: ssl.SSLContext | None = None
) -> AsyncIterator[str]:
    """A hostile server on an address of its own, which it yields."""
    address = world.dns.address.rpartition(".")[0] + ".250"

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError, asyncio.IncompleteReadError):
            await talk(reader, writer)
        writer.close()
        with contextlib.suppress(OSError):
            await writer.wait_closed()

    server = await asyncio.start_server(serve, address, port, ssl=tls)
    async with server:
        yield address


async def fate(world: World, *ends: str) -> Journey:
    sent = await world.send(ALICE, VICTIM)
    return await world.journey_with(
        sent,
        lambda journey: any(line.what in ends for line in journey.lines),
        timeout_seconds=60.0,
    )


def text(journey: Journey, what: str) -> str:
    return "\n".join(line.text for line in journey.lines if line.what == what)


@pytest.mark.parametrize("behind", [b"250 injected\r\n", b"250-x\r\n", b"x"])
async def test_replies_behind_the_consent_to_tls(world: World, behind: bytes) -> None:
    """CVE-2011-0411 at the client: what came in clear is never read as if it came by TLS."""
    heard: list[bytes] = []

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"220 mx.victim.test ESMTP\r\n")
        heard.append(await reader.readline())
        writer.write(b"250-mx.victim.test\r\n250 STARTTLS\r\n")
        heard.append(await reader.readline())
        writer.write(b"220 go\r\n" + behind)
        heard.append(await reader.read())

    port = world.sites["sender.test"].config.delivery.port
    async with listening(world, port, talk) as address:
        world.dns.zones.add_zone("victim.test")
        world.dns.zones.add("victim.test", "MX", "10 mx.victim.test.")
        world.dns.zones.add("mx.victim.test", "A", address)
        journey = await fate(world, "deferred", "delivered")
    assert "delivered" not in {line.what for line in journey.lines}, words(journey)
    assert not [said for said in heard if b"MAIL" in said]


POLICY = write_policy(StsMode.ENFORCE, ["mx.elsewhere.test"], 86_400).encode()


def redirect(status: str) -> Talk:
    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        place = b"https://mta-sts.sender.test/.well-known/mta-sts.txt"
        head = f"HTTP/1.1 {status}\r\nContent-Type: text/plain\r\n".encode()
        writer.write(head + b"Location: " + place + b"\r\nContent-Length: 0\r\n\r\n")

    return talk


async def trickle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await reader.readuntil(b"\r\n\r\n")
    head = f"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: {len(POLICY)}\r\n\r\n"
    for octet in head.encode() + POLICY:
        writer.write(bytes([octet]))
        await writer.drain()
        await asyncio.sleep(0.1)


async def flood(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await reader.readuntil(b"\r\n\r\n")
    writer.write(
        b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nTransfer-Encoding: chunked\r\n\r\n"
    )
    while True:
        writer.write(b"10000\r\n" + b"x" * 65_536 + b"\r\n")
        await writer.drain()


async def endless_head(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await reader.readuntil(b"\r\n\r\n")
    writer.write(b"HTTP/1.1 200 OK\r\n")
    while True:
        writer.write(b"X: " + b"y" * 1000 + b"\r\n")
        await writer.drain()


async def unframed(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """A policy that ends with the connection, where anybody may have cut it."""
    await reader.readuntil(b"\r\n\r\n")
    writer.write(b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\n\r\n" + POLICY)


@pytest.mark.parametrize(
    ("talk", "reason"),
    [
        (redirect("301 Moved Permanently"), "HTTP status 301"),
        (redirect("307 Temporary Redirect"), "HTTP status 307"),
        (trickle, "within 1.5 s"),
        (flood, "more than 65536 octets"),
        (endless_head, "a head of more than"),
        (unframed, "a body without a length"),
    ],
    ids=["301", "307", "trickle", "flood", "head", "unframed"],
)
async def test_policies_that_redirect_trickle_or_flood(
    world: World, talk: Talk, reason: str
) -> None:
    """Such a policy is refused: it neither binds nor holds the mail up for longer than the deadline."""
    await world.add_domain("victim.test", ["bob"])
    leaf = world.ca.issue("mta-sts.victim.test")
    tls = ServerTls(leaf.certificate, leaf.key).context
    async with listening(world, world.policies.port, talk, tls) as address:
        world.dns.zones.add("mta-sts.victim.test", "A", address)
        world.dns.zones.add("_mta-sts.victim.test", "TXT", "v=STSv1; id=1;")
        journey = await fate(world, "delivered", "deferred")
    assert reason in text(journey, "lookup"), words(journey)
    assert "delivered" in {line.what for line in journey.lines}


async def test_a_policy_that_leads_to_a_redirect_target_is_never_fetched(world: World) -> None:
    await world.add_domain("victim.test", ["bob"])
    world.policies.files["sender.test"] = POLICY.decode()
    leaf = world.ca.issue("mta-sts.victim.test")
    tls = ServerTls(leaf.certificate, leaf.key).context
    async with listening(world, world.policies.port, redirect("302 Found"), tls) as address:
        world.dns.zones.add("mta-sts.victim.test", "A", address)
        world.dns.zones.add("mta-sts.sender.test", "A", world.policies.address)
        world.dns.zones.add("_mta-sts.victim.test", "TXT", "v=STSv1; id=1;")
        await fate(world, "delivered")
    assert world.policies.asked == []
