"""Scanners that are slow, broken or gone, scripted on loopback; the real ones are in tests/interop."""

import asyncio
import ipaddress
import struct
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

import pytest
import structlog.testing

from postroad.model import Envelope, Origin, Recipient, ServerKind
from postroad.network import AsyncNetwork, SystemClock
from postroad.policy import (
    Accept,
    Check,
    Decision,
    Defer,
    MessageBegun,
    MessageReceived,
    Policy,
    Quarantine,
    Reject,
    eager,
)
from postroad.policy.checks.clients import ClientName, Standing
from postroad.policy.checks.scanners import OnFailure, Scanner, clamav_check, rspamd_check
from postroad.policy.checks.strangers import Action, Strangers
from tests.unit.policy.checks.asking import ALL, ANN, BOB, origin

HEAD, BODY = b"Subject: x\r\n\r\n", b"hello\r\n"
Serve = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


@asynccontextmanager
async def scanner(serve: Serve, **settings: object) -> AsyncIterator[Scanner]:
    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await serve(reader, writer)
        finally:
            writer.close()

    server = await asyncio.start_server(handle, "127.0.0.1", 0)
    async with server:
        yield Scanner("127.0.0.1", server.sockets[0].getsockname()[1], **settings)  # type: ignore[arg-type]


def make(kind: str, where: Scanner, strangers: Strangers = ALL) -> Check:
    factory = rspamd_check if kind == "rspamd" else clamav_check
    return factory(where, strangers, AsyncNetwork(), SystemClock())


async def ask(
    check: Check,
    body: bytes = BODY,
    given: Origin | None = None,
    standing: Standing = Standing.CONFIRMED,
) -> Decision:
    policy = Policy([check])
    given = given or origin()
    envelope = Envelope(ANN, (Recipient(BOB), Recipient(ANN)))
    readings = policy.readings(MessageBegun(given, envelope, HEAD))
    readings.write(body)
    facts = (ClientName("mx.sender.test", standing),)
    stage = MessageReceived(7, given, envelope, HEAD, 0, readings=readings, facts=facts)
    loop = asyncio.get_running_loop()
    begun: asyncio.Future[Any] = loop.create_future()
    # As a connection does: outside of any task until it has to wait.
    loop.call_soon(lambda: begun.set_result(eager.start(policy.ask(stage), loop)))
    outcome = await begun
    if isinstance(outcome, asyncio.Task):
        await outcome
    decision: Decision = outcome.result()
    return decision


def rspamd_says(action: str, seen: list[bytes]) -> Serve:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        seen.extend([head, await reader.readexactly(len(HEAD + BODY))])
        said = b'{"action":"%s","score":7,"required_score":15,"symbols":{"X":{"score":7}}}' % (
            action.encode()
        )
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(said) + said)

    return serve


@pytest.mark.parametrize(
    ("action", "kind"),
    [
        ("no action", Accept),
        ("add header", Quarantine),
        ("rewrite subject", Quarantine),
        ("greylist", Defer),
        ("soft reject", Defer),
        ("reject", Reject),
        ("dance", Accept),
    ],
)
async def test_rspamd_is_obeyed(action: str, kind: type) -> None:
    seen: list[bytes] = []
    async with scanner(rspamd_says(action, seen), password="open") as where:
        decision = await ask(make("rspamd", where))
    assert isinstance(decision.verdict, kind)
    assert decision.rulings[0].reason.startswith(f"{action}, 7.00 of 15.00: X(7.00)")
    head, message = seen
    assert message == HEAD + BODY
    for field in (
        b"IP: 192.0.2.1",
        b"Helo: mx.sender.test",
        b"Hostname: mx.sender.test",
        b"From: ann@sender.test",
        b"Rcpt: bob@us.test",
        b"Rcpt: ann@sender.test",
        b"Password: open",
    ):
        assert field + b"\r\n" in head
    assert b"User:" not in head


async def test_rspamd_is_told_who_logged_in() -> None:
    seen: list[bytes] = []
    bob = origin(account="bob@us.test", server=ServerKind.SUBMISSION)
    async with scanner(rspamd_says("no action", seen)) as where:
        await ask(make("rspamd", where), given=bob)
    assert b"User: bob@us.test\r\n" in seen[0]


def clamav_says(answer: bytes) -> Serve:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        assert await reader.readexactly(10) == b"zINSTREAM\0"
        message = b""
        while length := struct.unpack("!I", await reader.readexactly(4))[0]:
            message += await reader.readexactly(length)
        assert message == HEAD + BODY
        writer.write(answer)

    return serve


async def test_clamav() -> None:
    async with scanner(clamav_says(b"stream: OK\0")) as where:
        assert (await ask(make("clamav", where))).rulings == ()
    async with scanner(clamav_says(b"stream: Eicar FOUND\0")) as where:
        decision = await ask(make("clamav", where))
        assert isinstance(decision.verdict, Reject)
        assert decision.verdict.reply.text == "Malware found: Eicar"
        assert decision.rulings[0].reason == "found Eicar"
    async with scanner(clamav_says(b"stream: Eicar FOUND\0"), action=Action.QUARANTINE) as where:
        assert isinstance((await ask(make("clamav", where))).verdict, Quarantine)


async def closes(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await reader.read(1)


async def talks_nonsense(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    writer.write(b"\0" * 10)
    await writer.drain()
    await reader.read()


async def never_ends(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await reader.read(1)
    await asyncio.sleep(60)


@pytest.mark.parametrize("standing", [Standing.UNCONFIRMED, Standing.UNKNOWN])
async def test_rspamd_is_not_told_a_name_that_nothing_confirms(standing: Standing) -> None:
    seen: list[bytes] = []
    async with scanner(rspamd_says("no action", seen)) as where:
        await ask(make("rspamd", where), standing=standing)
    assert b"Helo: mx.sender.test\r\n" in seen[0]
    assert b"Hostname: mx.sender.test" not in seen[0]


@pytest.mark.parametrize("kind", ["rspamd", "clamav"])
@pytest.mark.parametrize("serve", [closes, talks_nonsense, never_ends])
@pytest.mark.parametrize("failure", OnFailure)
async def test_a_scanner_that_fails(kind: str, serve: Serve, failure: OnFailure) -> None:
    with structlog.testing.capture_logs() as logs:
        async with scanner(serve, seconds=0.3, failure=failure) as where:
            decision = await ask(make(kind, where))
    assert f"{kind} at {where}: " in decision.rulings[0].reason
    if failure is OnFailure.ACCEPT:
        assert isinstance(decision.verdict, Accept)
        assert logs == []
    else:
        assert isinstance(decision.verdict, Defer)
        assert decision.verdict.reply.code == 451
        assert logs[0]["scanner"] == kind


@pytest.mark.parametrize("kind", ["rspamd", "clamav"])
async def test_a_scanner_that_is_gone(kind: str) -> None:
    async with scanner(closes) as where:
        pass
    with structlog.testing.capture_logs():
        decision = await ask(make(kind, where))
    assert isinstance(decision.verdict, Defer)
    assert "connection refused" in decision.rulings[0].reason


@pytest.mark.parametrize("kind", ["rspamd", "clamav"])
async def test_what_is_not_shown(kind: str) -> None:
    where = Scanner("127.0.0.1", 1, max_octets=1024)  # nobody is there: it must not be asked
    decision = await ask(make(kind, where), b"x" * 2000)
    assert isinstance(decision.verdict, Accept)
    assert decision.rulings[0].reason == "not asked: larger than 1024 octets"
    exempt = Strangers((ipaddress.ip_network("192.0.2.0/24"),))
    assert (await ask(make(kind, where, exempt))).rulings == ()
