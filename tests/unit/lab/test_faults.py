"""Scripted servers, by a client of another make (aiosmtplib)."""

import asyncio
import ssl
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack
from pathlib import Path

import aiosmtplib
import pytest

from postroad.lab.ca import Authority
from postroad.lab.faults import Behaviour, FaultStage, FaultyServer, Script
from postroad.model import Reply

Start = Callable[..., "asyncio.Future[FaultyServer]"]
DATA = b"Subject: x\r\n\r\n.dot\r\n"


@pytest.fixture
async def start() -> AsyncIterator[Callable[..., object]]:
    async with AsyncExitStack() as stack:

        async def begin(script: Script, tls: ssl.SSLContext | None = None) -> FaultyServer:
            return await stack.enter_async_context(FaultyServer("mx.faulty.test", script, tls=tls))

        yield begin


async def send(server: FaultyServer, **settings: object) -> tuple[dict[str, object], str]:
    client = aiosmtplib.SMTP(
        hostname=server.address,
        port=server.port,
        timeout=2,
        start_tls=bool(settings.get("tls")),
        tls_context=settings.get("tls"),  # type: ignore[arg-type]
    )
    async with client:
        errors, answer = await client.sendmail("a@x.test", ["b@faulty.test"], DATA)
    return dict(errors), answer


async def test_a_good_host_keeps_what_it_takes(start: Start) -> None:
    server = await start(Script())

    _, answer = await send(server)

    (taken,) = server.messages
    assert taken.data == DATA
    assert (str(taken.sender), [*map(str, taken.recipients)]) == ("a@x.test", ["b@faulty.test"])
    assert "1 taken" in answer
    assert server.words == ["open", "hello", "mail", "rcpt", "data", "end"]


async def test_refuse_is_a_closed_port(start: Start) -> None:
    server = await start(Script(behaviour=Behaviour.REFUSE))

    with pytest.raises(aiosmtplib.SMTPConnectError):
        await send(server)


async def test_a_silent_host_takes_the_connection_and_says_nothing(start: Start) -> None:
    server = await start(Script(behaviour=Behaviour.TIMEOUT))

    reader, writer = await asyncio.open_connection(server.address, server.port)
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(reader.read(1), 0.2)
    writer.close()
    assert server.words == ["open"]


async def test_busy(start: Start) -> None:
    server = await start(Script(behaviour=Behaviour.BUSY))

    with pytest.raises(aiosmtplib.SMTPConnectResponseError) as caught:
        await send(server)
    assert caught.value.code == 421


async def test_greylisting_refuses_first_and_accepts_later(start: Start) -> None:
    server = await start(Script(behaviour=Behaviour.GREYLIST, greylist_seconds=0.2))

    for _ in range(2):
        with pytest.raises(aiosmtplib.SMTPRecipientsRefused) as caught:
            await send(server)
        assert caught.value.recipients[0].code == 451
    await asyncio.sleep(0.25)
    await send(server)
    assert len(server.messages) == 1


@pytest.mark.parametrize("stage", list(FaultStage))
@pytest.mark.parametrize(("behaviour", "code"), [("tempfail", 451), ("permfail", 550)])
async def test_failures_at_every_stage(
    start: Start, stage: FaultStage, behaviour: str, code: int
) -> None:
    server = await start(Script(behaviour=Behaviour.of(behaviour), stage=stage))

    with pytest.raises(aiosmtplib.SMTPException) as caught:
        await send(server)

    error = caught.value
    refused = error.recipients[0] if isinstance(error, aiosmtplib.SMTPRecipientsRefused) else error
    assert getattr(refused, "code", code) == code
    assert not server.messages


async def test_a_reply_and_a_number_of_times(start: Start) -> None:
    reply = Reply(452, "4.2.2", "mailbox full")
    server = await start(Script(behaviour=Behaviour.TEMPFAIL, reply=reply, times=1))

    with pytest.raises(aiosmtplib.SMTPRecipientsRefused) as caught:
        await send(server)
    assert caught.value.recipients[0].message == "4.2.2 mailbox full"
    await send(server)
    assert len(server.messages) == 1


async def test_dropping_after_the_dot_keeps_the_message(start: Start) -> None:
    server = await start(Script(behaviour=Behaviour.DROP_AFTER_DOT))

    with pytest.raises(aiosmtplib.SMTPServerDisconnected):
        await send(server)
    assert len(server.messages) == 1


async def test_dropping_within_the_message_keeps_nothing(start: Start) -> None:
    server = await start(Script(behaviour=Behaviour.DROP_IN_DATA))

    with pytest.raises(aiosmtplib.SMTPServerDisconnected):
        await send(server)
    assert not server.messages


async def test_slow_answers(start: Start) -> None:
    server = await start(Script(behaviour=Behaviour.SLOW, delay_seconds=0.05))
    began = asyncio.get_running_loop().time()

    await send(server)

    assert asyncio.get_running_loop().time() - began >= 0.3


async def test_tls_and_broken_tls(start: Start, tmp_path: Path) -> None:
    authority = Authority(tmp_path)
    leaf = authority.issue("mx.faulty.test", "127.0.0.1")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(leaf.certificate, leaf.key)
    good = await start(Script(), context)
    broken = await start(Script(behaviour=Behaviour.BROKEN_TLS), context)

    await send(good, tls=authority.trust())
    assert good.messages[0].tls is not None
    assert good.messages[0].tls.startswith("TLSv1.3")
    with pytest.raises(ssl.SSLError, match="WRONG_VERSION_NUMBER"):
        await send(broken, tls=authority.trust())


async def test_a_host_changes_its_mind(start: Start) -> None:
    server = await start(Script(behaviour=Behaviour.REFUSE))
    port = server.port

    await server.become(Script())
    assert server.port == port
    await send(server)
    await server.become(Script(behaviour=Behaviour.PERMFAIL))
    with pytest.raises(aiosmtplib.SMTPRecipientsRefused):
        await send(server)


def test_behaviours_are_known_by_name() -> None:
    assert Behaviour.of("nullmx") is Behaviour.of("null-mx") is Behaviour.NULL_MX
    with pytest.raises(ValueError, match="greylist"):
        Behaviour.of("sulks")
