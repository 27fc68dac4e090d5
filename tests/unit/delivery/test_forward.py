"""Senders of mail that is passed on: which are rewritten, and that all else is left alone."""

from collections.abc import Sequence
from typing import Any

import pytest

from postroad.delivery.above import ContentAbove
from postroad.delivery.forward import Forwarding
from postroad.model import (
    Address,
    ContentRef,
    Delivered,
    Delivery,
    Envelope,
    Findings,
    LeasedDelivery,
    Message,
    Origin,
    Recipient,
    Reply,
    Route,
    RouteKind,
    ServerKind,
)
from postroad.ports import Attempt, Session, StorageError
from postroad.trust.srs import Srs

JO = Address("jo", "there.test")
ALIAS = Address("team", "here.test")
AWAY = Address("x", "away.test")
SRS = Srs(b"a secret that nobody knows")
OK = Delivered(Reply(250, "2.0.0", "ok"))


class Clock:
    def now(self) -> float:
        return 1_795_600_000.0

    def monotonic(self) -> float:
        return 0.0

    async def sleep(self, seconds: float) -> None: ...


class Inner:
    """A deliverer and its session, which remember whom mail came from."""

    batch = 7
    usable = True
    closed = False

    def __init__(self) -> None:
        self.senders: list[Address | None] = []

    async def at_once(self, job: LeasedDelivery) -> Attempt | None:
        return None

    async def route(self, destination: str) -> Route:
        return Route(RouteKind.MX, destination, destination)

    async def connect(self, route: Route) -> Session:
        return self

    async def attempt(self, jobs: Sequence[LeasedDelivery]) -> list[Attempt]:
        self.senders += [job.message.envelope.sender for job in jobs]
        return [Attempt(1.0, 2.0, tuple((d.ordinal, OK) for d in job.deliveries)) for job in jobs]

    async def close(self) -> None:
        self.closed = True


def job(
    *,
    sender: Address | None = JO,
    original: Address = ALIAS,
    server: ServerKind = ServerKind.MX,
    findings: Findings | None = None,
) -> LeasedDelivery:
    envelope = Envelope(sender=sender, recipients=(Recipient(original),))
    message = Message(1, envelope, ContentRef(1, 10), Origin(server), 0.0, findings=findings)
    return LeasedDelivery(message, (Delivery(1, 0, AWAY, original, "away.test"),))


async def ours(domain: str) -> bool:
    return domain == "here.test"


async def run(*jobs: LeasedDelivery, kind: RouteKind = RouteKind.MX) -> tuple[Inner, list[Attempt]]:
    inner = Inner()
    forwarding = Forwarding(inner, SRS, ours, Clock())
    session = await forwarding.connect(Route(kind, "away.test", "k"))
    assert (session.batch, session.usable) == (7, True)
    attempts = await session.attempt(jobs)
    await session.close()
    assert inner.closed
    return inner, attempts


async def test_mail_that_is_passed_on() -> None:
    inner, attempts = await run(job(), job(sender=None), job(original=AWAY))
    first, second, third = inner.senders
    assert first is not None
    assert first.domain == "here.test"
    assert SRS.back(first.local_part, Clock().now()) == JO
    assert (second, third) == (None, JO)
    assert [step.text for step in attempts[0].steps] == [f"passed on with the sender <{first}>"]
    assert [attempt.outcomes for attempt in attempts] == [((0, OK),)] * 3
    assert attempts[1].steps == ()


@pytest.mark.parametrize(
    "changes",
    [
        {"server": ServerKind.SUBMISSION},
        {"server": ServerKind.DSN},
        {"sender": Address("jo", "here.test"), "findings": Findings(sender_passed=True)},
    ],
)
async def test_mail_that_keeps_its_sender(changes: dict[str, Any]) -> None:
    inner, _ = await run(job(**changes))
    assert inner.senders == [changes.get("sender", JO)]


@pytest.mark.parametrize("findings", [None, Findings("x"), Findings(sender_passed=True)])
async def test_a_sender_of_ours_is_kept_where_it_is_proven(findings: Findings | None) -> None:
    boss = Address("boss", "here.test")
    inner, _ = await run(job(sender=boss, findings=findings))
    (sender,) = inner.senders
    assert sender is not None
    if findings is not None and findings.sender_passed:
        assert sender == boss
    else:
        assert SRS.back(sender.local_part, Clock().now()) == boss


async def test_a_sender_too_long_to_be_rewritten_is_found_by_the_message() -> None:
    inner, attempts = await run(job(sender=Address("a" * 60, "there.test")))
    (sender,) = inner.senders
    assert sender is not None
    assert sender.domain == "here.test"
    assert SRS.kept(sender.local_part, Clock().now()) == 1
    assert [step.text for step in attempts[0].steps] == [f"passed on with the sender <{sender}>"]


async def test_a_domain_for_forwarding_alone() -> None:
    forwarding = Forwarding(Inner(), SRS, ours, Clock(), domain="passed.test")
    for sender in (JO, Address("a" * 60, "there.test")):
        changed = await forwarding.passed_on(job(sender=sender))
        assert changed is not None
        assert changed.message.envelope.sender is not None
        assert changed.message.envelope.sender.domain == "passed.test"


async def test_lmtp_is_a_mailbox() -> None:
    inner, _ = await run(job(), kind=RouteKind.LMTP)
    assert inner.senders == [JO]


class Store:
    def stage(self, content_id: int) -> Any:
        raise NotImplementedError

    async def read(self, ref: ContentRef, offset: int = 0, limit: int | None = None) -> bytes:
        return b"From: x\r\n\r\n"[offset:]


async def test_a_seal_goes_on_top_for_the_attempt_alone() -> None:
    contents = ContentAbove(Store())

    class Reading(Inner):
        async def attempt(self, jobs: Sequence[LeasedDelivery]) -> list[Attempt]:
            self.read = [await contents.read(job.message.content) for job in jobs]
            self.refs = [job.message.content for job in jobs]
            return await super().attempt(jobs)

    async def seal(message: Message, domain: str) -> bytes:
        assert domain == "here.test"
        return b"" if message.envelope.sender == Address("un", "sealed.test") else b"ARC: 1\r\n"

    inner = Reading()
    forwarding = Forwarding(inner, SRS, ours, Clock(), seal, contents)
    session = await forwarding.connect(Route(RouteKind.MX, "away.test", "k"))
    jobs = [job(), job(sender=None), job(sender=Address("un", "sealed.test")), job(original=AWAY)]
    attempts = await session.attempt(jobs)
    plain = b"From: x\r\n\r\n"
    assert inner.read == [b"ARC: 1\r\n" + plain, b"ARC: 1\r\n" + plain, plain, plain]
    steps = [[step.text for step in attempt.steps] for attempt in attempts]
    assert steps[0][0].endswith(">, sealed (ARC)")
    assert steps[1] == ["sealed (ARC)"]
    assert "sealed" not in steps[2][0].partition(">")[2]
    assert steps[3] == []
    with pytest.raises(StorageError):
        await contents.read(inner.refs[0])


async def test_the_rest_goes_through() -> None:
    forwarding = Forwarding(Inner(), SRS, ours, Clock())
    assert await forwarding.at_once(job()) is None
    assert (await forwarding.route("away.test")).domain == "away.test"
