"""Hosts that our mail goes to and that mean ill, each over a real socket."""

import asyncio
import ssl
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from email import message_from_bytes
from pathlib import Path
from typing import Any

import pytest

from postroad.delivery import DeliverySettings, RelayHost, RemoteDeliverer
from postroad.lab.ca import Authority
from postroad.lab.dns import DnsServer
from postroad.model import Address, Envelope, Origin, Outcome, Recipient, ServerKind, TlsPolicy
from postroad.network import (
    AsyncNetwork,
    DnsResolver,
    Nameserver,
    ResolverSettings,
    SystemClock,
    SystemEntropy,
)
from postroad.ports import RouteFailed
from postroad.runtime.compose import System
from tests.attacks.serving import BOB, inbox, queued, serving
from tests.interop.test_delivery_to_smtp_sink import OneContent, job

Talk = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]

STS = b"250-evil.test\r\n250 STARTTLS\r\n"


class Host:
    """A host that does as `talk` says, and counts the connections."""

    def __init__(self, talk: Talk) -> None:
        self._talk = talk
        self._tasks: list[asyncio.Task[None]] = []
        self.connections = 0
        self.port = 0

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.append(task)
        self.connections += 1
        try:
            with suppress(OSError):
                await self._talk(reader, writer)
        finally:
            writer.close()
            with suppress(OSError):
                await writer.wait_closed()

    async def wait(self) -> None:
        """Until every connection has ended."""
        await asyncio.wait_for(asyncio.gather(*self._tasks), 10)


@asynccontextmanager
async def hosting(talk: Talk) -> AsyncIterator[Host]:
    host = Host(talk)
    server = await asyncio.start_server(host.serve, "127.0.0.1", 0)
    host.port = server.sockets[0].getsockname()[1]
    try:
        yield host
        await host.wait()
    finally:
        server.close()


CONTENT = b"Subject: x\r\n\r\nx\r\n"


async def attempt(host: Host, policy: TlsPolicy, content: bytes = CONTENT) -> Any:
    """Bring one message to the host; return the outcome, or the failure to connect."""
    return await asyncio.wait_for(_attempt(host, policy, content), 10)


async def _attempt(host: Host, policy: TlsPolicy, content: bytes) -> Any:
    deliverer = RemoteDeliverer(
        resolver=DnsResolver(ResolverSettings(nameservers=(Nameserver("127.0.0.1", 1),))),
        network=AsyncNetwork(),
        content=OneContent(content),
        clock=SystemClock(),
        entropy=SystemEntropy("test"),
        settings=DeliverySettings(
            hostname="sender.test",
            smarthosts={"*": RelayHost("127.0.0.1", host.port, policy)},
        ),
    )
    try:
        session = await deliverer.connect(await deliverer.route("receiver.test"))
    except RouteFailed as error:
        return error
    (found,) = await session.attempt([job(1, len(content))])
    await session.close()
    outcome: Outcome = found.outcomes[0][1]
    return outcome


def words(outcome: Any) -> str:
    return f"{outcome.reply} {getattr(outcome, 'steps', '')}"


# Attack 3: replies before TLS, and no TLS


async def test_what_stands_behind_the_answer_to_starttls_is_not_believed(tmp_path: Path) -> None:
    """RFC 3207 §4.2: octets behind the 220 would be taken for replies said under TLS."""
    files = Authority(tmp_path).issue("evil.test")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(files.certificate, files.key)
    heard = b""

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal heard
        writer.write(b"220 evil.test\r\n")
        await reader.readline()
        writer.write(STS)
        await reader.readline()
        writer.write(b"220 go\r\n250-injected\r\n250 PIPELINING\r\n")
        await writer.drain()
        with suppress(OSError, ssl.SSLError):
            await writer.start_tls(context)
        heard = await reader.read()

    async with hosting(talk) as host:
        said = words(await attempt(host, TlsPolicy.ENCRYPT))
    assert said.startswith("4"), said
    assert b"MAIL" not in heard
    assert b"EHLO" not in heard


async def test_starttls_taken_away_does_not_get_past_required_tls() -> None:
    heard = b""

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal heard
        writer.write(b"220 evil.test\r\n")
        while line := await reader.readline():
            heard += line
            writer.write(b"250 evil.test\r\n")  # as a man in the middle leaves it

    async with hosting(talk) as host:
        said = words(await attempt(host, TlsPolicy.ENCRYPT))
        assert said.startswith("4"), said
        assert b"MAIL" not in heard
        # The same host with opportunistic TLS: so it is the policy that stops it.
        await attempt(host, TlsPolicy.OPPORTUNISTIC)
        assert b"MAIL" in heard


@pytest.mark.parametrize("octets", [5000, 2**28])
async def test_a_reply_line_without_an_end_is_left_at_once(octets: int) -> None:
    sent = 0

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal sent
        writer.write(b"220 ")
        while sent < octets:
            writer.write(b"x" * 5000)
            await writer.drain()
            sent += 5000
        await reader.read()

    async with hosting(talk) as host:
        began = time.monotonic()
        said = words(await attempt(host, TlsPolicy.NONE))
        assert time.monotonic() - began < 5
    assert "longer than 4096 octets" in said
    assert sent < 2**24  # what fits into the buffers of the kernel


# Attack 1, outwards


@pytest.mark.parametrize("extensions", ["250-PIPELINING\r\n250 CHUNKING", "250 evil.test"])
@pytest.mark.parametrize("odd", [b"a\n.\nb", b"a\r.\r\nb", b"a\n.\r\nMAIL FROM:<e@x.test>", b"a\r"])
async def test_no_bare_line_break_ever_leaves(odd: bytes, extensions: str) -> None:
    """Even where the store holds one: RFC 5321 §2.3.8."""
    heard = b""

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal heard
        writer.write(b"220 evil.test\r\n")
        in_data = False
        while line := await reader.readline():
            heard += line
            if in_data:
                in_data = line != b".\r\n"
            elif line.startswith(b"EHLO"):
                writer.write(f"250-evil.test\r\n{extensions}\r\n".encode())
            elif line.startswith(b"DATA"):
                writer.write(b"354 go on\r\n")
                in_data = True
            else:
                writer.write(b"250 ok\r\n")

    async with hosting(talk) as host:
        said = words(await attempt(host, TlsPolicy.NONE, b"Subject: x\r\n\r\n" + odd + b"\r\n"))
    assert said.startswith("5"), said
    assert b"MAIL" in heard
    assert b"\n" not in heard.replace(b"\r\n", b"")
    assert b"\r" not in heard.replace(b"\r\n", b"")
    assert b"Subject" not in heard or not heard.endswith(b"\r\n.\r\n")  # not ended as if whole


# Attack 13: the DNS names a place where no mail must go


PLACES = {
    "loopback": ("MX 10 mx.{name}.", "A 127.0.0.1"),
    "private": ("MX 10 mx.{name}.", "A 10.0.0.1"),
    "any": ("MX 10 mx.{name}.", "A 0.0.0.0"),
    "mapped": ("MX 10 mx.{name}.", "AAAA ::ffff:127.0.0.1"),
    "loopback6": ("MX 10 mx.{name}.", "AAAA ::1"),
    "alias": ("MX 10 mx.{name}.", "CNAME localhost."),
}


async def submit(system: System, recipient: str, sender: str = BOB) -> None:
    reply = await system.intake.submit(
        Envelope(Address.parse(sender) if sender else None, (Recipient(Address.parse(recipient)),)),
        b"Subject: out\r\n\r\nx\r\n",
        Origin(ServerKind.LOCAL, account="bob"),
    )
    assert reply.code == 250, reply


@pytest.mark.parametrize("place", PLACES)
async def test_the_dns_does_not_lead_us_home(tmp_path: Path, place: str) -> None:
    """No connection, one report."""

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"554 here I am\r\n")

    name = f"{place}.test"
    at_domain, at_host = PLACES[place]
    async with hosting(talk) as host, DnsServer() as dns:
        dns.zones.add(name, *at_domain.format(name=name).split(" ", 1))
        dns.zones.add(f"mx.{name}", *at_host.split(" ", 1))
        dns.zones.add("localhost", "A", "127.0.0.1")
        delivery = {
            "nameservers": [f"127.0.0.1:{dns.port}"],
            "dns_total_seconds": 5,
            "dns_timeout_seconds": 5,
            "port": host.port,
        }
        async with serving(tmp_path, delivery=delivery) as system:
            await submit(system, f"x@{name}")
            (report,) = await inbox(system, wait_for=1)
            await asyncio.sleep(0.1)
            assert len(await inbox(system)) == 1
        assert host.connections == 0
    parts = message_from_bytes(report)
    assert parts.get_content_type() == "multipart/report"
    said = b" ".join(report.split())
    assert b"refused" in said or b"is not one host" in said


# Attack 15: nobody is told of what nobody sent


async def test_what_has_no_sender_is_never_reported(tmp_path: Path) -> None:
    """A report that cannot be delivered is the end of it (RFC 5321 §6.1)."""
    async with serving(tmp_path) as system:
        await submit(system, "x@[10.0.0.1]", sender="")  # refused for good, without the DNS
        await submit(system, "x@[10.0.0.1]")
        (report,) = await inbox(system, wait_for=1)  # the second one's only
        await asyncio.sleep(0.2)
        assert len(await inbox(system)) == 1
        assert b"Return-Path: <>" in report
        found = await system.journeys.find(limit=10)
        assert len(found) == 3
        first = await system.journeys.of(found[-1].id)
        assert "nobody is told" in str(first)


# Attack 26: the clock steps


async def test_deliveries_go_on_when_the_clock_steps(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """New mail and its retries keep their times; what was due before waits no longer than the step."""
    heard: list[bytes] = []
    refusing = True

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"220 slow.test\r\n")
        while line := await reader.readline():
            if line.startswith(b"RCPT"):
                heard.append(line)
                writer.write(b"451 4.7.1 not yet\r\n" if refusing else b"250 ok\r\n")
            elif line.startswith(b"DATA"):
                if refusing:
                    writer.write(b"503 no\r\n")
                    continue
                writer.write(b"354 go on\r\n")
                await reader.readuntil(b"\r\n.\r\n")
                writer.write(b"250 ok\r\n")
            else:
                writer.write(b"250 ok\r\n")

    async def until(condition: Callable[[], bool]) -> None:
        async with asyncio.timeout(10):
            while not condition():
                await asyncio.sleep(0.02)

    def count(name: bytes) -> int:
        return sum(name in line for line in heard)

    def step(seconds: float) -> None:
        monkeypatch.setattr(SystemClock, "now", lambda self: time.time() + seconds)

    async with hosting(talk) as host:
        rules = {"*": {"via": f"127.0.0.1:{host.port}", "tls": "none"}}
        quick = {"retry_first_seconds": 0.5, "poll_seconds": 0.1}
        async with serving(tmp_path, routes=rules, queue=quick) as system:
            await submit(system, "before@out.test")
            await until(lambda: count(b"before") == 1)
            step(-3600)
            await submit(system, "after@out.test")
            await until(lambda: count(b"after") == 1)
            refusing = False
            await until(lambda: count(b"after") == 2)
            step(0)
            await until(lambda: count(b"before") >= 2)
            async with asyncio.timeout(10):
                while await queued(system):
                    await asyncio.sleep(0.02)
