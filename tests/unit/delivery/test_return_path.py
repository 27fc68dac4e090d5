"""Which mail leaves under a return path of ours, and that all else is left alone."""

from collections.abc import Sequence

from postroad.delivery.return_path import ReturningToUs
from postroad.model import (
    Address,
    ContentRef,
    Delivered,
    Delivery,
    Envelope,
    LeasedDelivery,
    Message,
    Origin,
    Reply,
    Route,
    RouteKind,
    ServerKind,
)
from postroad.ports import Attempt, Session
from postroad.trust.return_path import ReturnPaths, ReturnTo

NEWS, JO, ANN = (
    Address("news", "here.test"),
    Address("jo", "there.test"),
    Address("ann", "there.test"),
)
PATHS = ReturnPaths(b"a secret that nobody knows")
NOW = 1_795_600_000.0


class Clock:
    def now(self) -> float:
        return NOW

    def monotonic(self) -> float:
        return 0.0

    async def sleep(self, seconds: float) -> None: ...


class Inner:
    batch = 7
    usable = True

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
        ok = Delivered(Reply(250, "2.0.0", "ok"))
        return [Attempt(1.0, 2.0, tuple((d.ordinal, ok) for d in job.deliveries)) for job in jobs]

    async def close(self) -> None: ...


def job(
    *to: Address, stream: str = "news", sender: Address | None = NEWS, first: int = 0
) -> LeasedDelivery:
    origin = Origin(ServerKind.SUBMISSION)
    message = Message(9, Envelope(sender), ContentRef(1, 10), origin, 0.0, stream=stream)
    deliveries = (
        Delivery(9, first + number, each, each, each.domain) for number, each in enumerate(to)
    )
    return LeasedDelivery(message, tuple(deliveries))


async def sent(
    *jobs: LeasedDelivery, kind: RouteKind = RouteKind.MX
) -> tuple[list[Address | None], list[Attempt]]:
    inner = Inner()
    bases = {"news": Address("bounce", "here.test")}
    session = await ReturningToUs(inner, PATHS, bases, Clock()).connect(Route(kind, "x", "x"))
    attempts = await session.attempt(jobs)
    return inner.senders, attempts


async def test_one_recipient_is_named_by_the_path() -> None:
    (path,), (attempt,) = await sent(job(JO, first=3))
    assert path is not None
    assert PATHS.read(path, NOW) == ReturnTo(9, 3)
    assert [(step.what, step.text) for step in attempt.steps] == [
        ("mail", f"what comes back comes to <{path}>")
    ]


async def test_several_share_one() -> None:
    (path,), _ = await sent(job(JO, ANN))
    assert path is not None
    assert PATHS.read(path, NOW) == ReturnTo(9, None)


async def test_other_mail_keeps_its_sender() -> None:
    others = [job(JO, stream="default"), job(JO, stream="codes"), job(JO, sender=None)]
    senders, attempts = await sent(*others)
    assert senders == [NEWS, NEWS, None]
    assert all(not attempt.steps for attempt in attempts)
    senders, _ = await sent(others[0], job(JO))
    assert senders[0] == NEWS
    assert senders[1] != NEWS


async def test_mail_for_mailboxes_keeps_its_sender() -> None:
    for kind in (RouteKind.LMTP, RouteKind.LOCAL):
        senders, _ = await sent(job(JO), kind=kind)
        assert senders == [NEWS]
