"""Our delivery, over real sockets, to Postfix's smtp-sink in its good and bad moods."""

import asyncio
import time
from collections.abc import Sequence
from typing import Any

import pytest
import uvloop

from peers.smtp_tools import SmtpSink
from postroad.delivery import DeliverySettings, RelayHost, RemoteDeliverer
from postroad.model import (
    Address,
    ContentRef,
    Delivered,
    Delivery,
    Envelope,
    LeasedDelivery,
    Message,
    Origin,
    Outcome,
    PermanentFailure,
    ServerKind,
    TemporaryFailure,
    TlsPolicy,
    Unknown,
)
from postroad.network import (
    AsyncNetwork,
    DnsResolver,
    Nameserver,
    ResolverSettings,
    SystemClock,
    SystemEntropy,
)
from postroad.ports import Attempt, ContentWriter
from tests.interop.conftest import Require

CONTENT = b"Subject: to the sink\r\n\r\n.a line with a dot\r\n" + b"x" * 70 + b"\r\n"


class OneContent:
    def __init__(self, data: bytes) -> None:
        self.data = data

    def stage(self, content_id: int) -> ContentWriter:
        raise NotImplementedError

    async def read(self, ref: ContentRef, offset: int = 0, limit: int | None = None) -> bytes:
        return self.data[offset:] if limit is None else self.data[offset : offset + limit]


def job(number: int, size: int, *recipients: str) -> LeasedDelivery:
    message = Message(
        number,
        Envelope(Address.parse("a@sender.test")),
        ContentRef(number, size),
        Origin(ServerKind.SUBMISSION),
        time.time(),
    )
    addresses = [Address.parse(text) for text in recipients or ("b@receiver.test",)]
    return LeasedDelivery(
        message,
        tuple(
            Delivery(number, ordinal, address, address, address.domain)
            for ordinal, address in enumerate(addresses)
        ),
    )


def deliver(
    sink: SmtpSink, count: int, *recipients: str, content: bytes = CONTENT, lmtp: bool = False
) -> list[Attempt]:
    relay = {"*": RelayHost(sink.address, sink.port, TlsPolicy.OPPORTUNISTIC)}
    settings: dict[str, Any] = {"lmtp": relay} if lmtp else {"smarthosts": relay}

    async def main() -> list[Attempt]:
        deliverer = RemoteDeliverer(
            resolver=DnsResolver(ResolverSettings(nameservers=(Nameserver("127.0.0.1", 1),))),
            network=AsyncNetwork(),
            content=OneContent(content),
            clock=SystemClock(),
            entropy=SystemEntropy("test"),
            settings=DeliverySettings(hostname="sender.test", **settings),
        )
        session = await deliverer.connect(await deliverer.route("receiver.test"))
        attempts: list[Attempt] = []
        jobs = [job(number, len(content), *recipients) for number in range(count)]
        while jobs:
            batch, jobs = jobs[: session.batch], jobs[session.batch :]
            attempts += await session.attempt(batch)
        await session.close()
        return attempts

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        return runner.run(main())


def as_stored(content: bytes) -> bytes:
    """smtp-sink writes LF, and an empty line of its own after each message."""
    return content.replace(b"\r\n", b"\n") + b"\n"


def kinds(attempts: Sequence[Attempt]) -> list[type[Outcome]]:
    return [type(outcome) for attempt in attempts for _, outcome in attempt.outcomes]


def test_many_messages_over_one_connection(require: Require) -> None:
    require("smtp-sink")
    with SmtpSink(store=True) as sink:
        attempts = deliver(sink, 25)
        assert kinds(attempts) == [Delivered] * 25
        assert [attempt.taken.reused for attempt in attempts if attempt.taken] == (
            [False] + [True] * 24
        )
        stored = sink.messages()
        assert len(stored) == 25
        assert all(message.endswith(as_stored(CONTENT)) for message in stored)


def test_without_pipelining(require: Require) -> None:
    require("smtp-sink")
    with SmtpSink(options=["-p"]) as sink:
        assert kinds(deliver(sink, 5)) == [Delivered] * 5


def test_without_esmtp(require: Require) -> None:
    require("smtp-sink")
    with SmtpSink(options=["-e"]) as sink:
        assert kinds(deliver(sink, 3)) == [Delivered] * 3


def test_several_recipients_and_a_large_message(require: Require) -> None:
    require("smtp-sink")
    content = b"Subject: large\r\n\r\n" + (b"y" * 998 + b"\r\n") * 3000
    with SmtpSink(store=True) as sink:
        attempts = deliver(sink, 1, *(f"u{n}@receiver.test" for n in range(150)), content=content)
        assert kinds(attempts) == [Delivered] * 150
        stored = sink.messages()
        assert len(stored) == 2  # 100 recipients and 50
        assert all(message.endswith(as_stored(content)) for message in stored)


def test_lmtp(require: Require) -> None:
    require("smtp-sink")
    with SmtpSink(lmtp=True) as sink:
        attempts = deliver(sink, 3, "b@receiver.test", "c@receiver.test", lmtp=True)
        assert kinds(attempts) == [Delivered] * 6


@pytest.mark.parametrize("command", ["MAIL", "RCPT", "DATA", "."])
def test_refusals(require: Require, command: str) -> None:
    require("smtp-sink")
    with SmtpSink(reject_soft=[command]) as sink:
        assert kinds(deliver(sink, 3)) == [TemporaryFailure] * 3
    with SmtpSink(reject_hard=[command]) as sink:
        assert kinds(deliver(sink, 3)) == [PermanentFailure] * 3


@pytest.mark.parametrize("command", ["MAIL", "RCPT", "DATA"])
def test_cut_before_the_end_is_temporary(require: Require, command: str) -> None:
    require("smtp-sink")
    with SmtpSink(disconnect=[command]) as sink:
        assert kinds(deliver(sink, 1)) == [TemporaryFailure]


def test_cut_after_the_end_is_unknown(require: Require) -> None:
    require("smtp-sink")
    with SmtpSink(disconnect=["."]) as sink:
        assert kinds(deliver(sink, 1)) == [Unknown]
