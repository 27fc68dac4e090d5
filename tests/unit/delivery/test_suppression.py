"""Who is left out, who is not asked about, and which refusals put an address on the list."""

from collections.abc import Sequence

from postroad.delivery.suppression import Suppressing, refusal_of
from postroad.message.bounce.classify import classify
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
    Reply,
    Route,
    RouteKind,
    ServerKind,
    Suppressed,
    Suppression,
    SuppressionReason,
    TemporaryFailure,
)
from postroad.ports import Attempt, Session, StorageError

JO, ANN = Address("Jo", "there.test"), Address("ann", "there.test")
OK = Delivered(Reply(250, "2.0.0", "ok"))
GONE = PermanentFailure(Reply(550, "5.1.1", "no such user"))
LISTED = Suppression(JO, "news", SuppressionReason.COMPLAINT, "7: abuse", 1_795_600_000.0)


class Clock:
    def now(self) -> float:
        return 5.0

    def monotonic(self) -> float:
        return 0.0

    async def sleep(self, seconds: float) -> None: ...


class Inner:
    batch = 7
    usable = True

    def __init__(self, outcome: Outcome = OK) -> None:
        self.outcome = outcome
        self.made: list[list[Address]] = []
        self.at_once_asked = 0

    async def at_once(self, job: LeasedDelivery) -> Attempt | None:
        self.at_once_asked += 1
        return Attempt(1.0, 2.0, ())

    async def route(self, destination: str) -> Route:
        return Route(RouteKind.MX, destination, destination)

    async def connect(self, route: Route) -> Session:
        return self

    async def attempt(self, jobs: Sequence[LeasedDelivery]) -> list[Attempt]:
        self.made += [[each.recipient for each in job.deliveries] for job in jobs]
        return [
            Attempt(1.0, 2.0, tuple((each.ordinal, self.outcome) for each in job.deliveries))
            for job in jobs
        ]

    async def close(self) -> None: ...


class Lists:
    def __init__(self, *listed: Suppression, fails: bool = False) -> None:
        self.listed = listed
        self.fails = fails
        self.asked = 0

    async def of(self, stream: str, addresses: Sequence[Address]) -> list[Suppression]:
        self.asked += 1
        if self.fails:
            raise StorageError("the disk is gone")
        folded = {each.folded for each in addresses}
        return [e for e in self.listed if e.stream == stream and e.address.folded in folded]

    async def page(self, *args: object, **kwargs: object) -> list[Suppression]:
        raise AssertionError("not asked in delivery")


def job(*recipients: Address, stream: str = "news", message: int = 1) -> LeasedDelivery:
    about = Message(
        message,
        Envelope(None),
        ContentRef(1, 10),
        Origin(ServerKind.SUBMISSION),
        0.0,
        stream=stream,
    )
    deliveries = (
        Delivery(message, ordinal, each, each, each.domain)
        for ordinal, each in enumerate(recipients)
    )
    return LeasedDelivery(about, tuple(deliveries))


def around(inner: Inner, lists: Lists) -> Suppressing:
    return Suppressing(inner, store=lists, streams=["news"], classify=classify, clock=Clock())


async def attempt(inner: Inner, lists: Lists, *jobs: LeasedDelivery) -> list[Attempt]:
    suppressing = around(inner, lists)
    session = await suppressing.connect(await suppressing.route("there.test"))
    assert (session.batch, session.usable) == (7, True)
    return await session.attempt(jobs)


async def test_who_is_listed_is_left_out_and_the_journey_says_why() -> None:
    inner = Inner()
    (made,) = await attempt(inner, Lists(LISTED), job(ANN, Address("jo", "there.test")))
    assert inner.made == [[ANN]]
    assert made.outcomes == ((0, OK), (1, PermanentFailure(refusal_of(LISTED))))
    assert [(step.what, step.text) for step in made.steps] == [
        ("suppressed", "jo@there.test: 7: abuse")
    ]
    assert str(refusal_of(LISTED)) == (
        "550 5.7.1 not sent: on the suppression list of stream news since 2026-11-25 (complaint)"
    )


async def test_a_job_of_which_nobody_is_left_asks_no_server() -> None:
    inner = Inner()
    first, second = await attempt(inner, Lists(LISTED), job(JO), job(ANN, message=2))
    assert inner.made == [[ANN]]
    assert first.outcomes == ((0, PermanentFailure(refusal_of(LISTED))),)
    assert (first.started_at, first.changes) == (5.0, ())
    assert second.outcomes == ((0, OK),)


async def test_other_streams_are_not_looked_up() -> None:
    inner, lists = Inner(), Lists(LISTED)
    await attempt(inner, lists, job(JO, stream="default"), job(JO, stream="codes"))
    await around(inner, lists).at_once(job(JO, stream="default"))
    assert inner.made == [[JO], [JO]]
    assert lists.asked == 0


async def test_a_refusal_of_a_dead_address_puts_it_on_the_list() -> None:
    (made,) = await attempt(Inner(GONE), Lists(), job(JO))
    evidence = "0000000000001: 550 5.1.1 no such user"
    hard = SuppressionReason.HARD_BOUNCE
    assert made.changes == (Suppressed(2.0, (Suppression(JO, "news", hard, evidence, 2.0),)),)
    assert made.outcomes == ((0, GONE),)
    assert [(step.what, step.text) for step in made.steps] == [
        ("suppressed", "Jo@there.test: gets nothing of this stream from now on")
    ]


async def test_other_refusals_do_not() -> None:
    for reply in (
        Reply(450, "4.1.1", "no such user"),
        Reply(552, "5.2.2", "mailbox full"),
        Reply(554, "5.7.1", "blocked using zen.spamhaus.org"),
        refusal_of(LISTED),
    ):
        outcome = PermanentFailure(reply) if reply.permanent else TemporaryFailure(reply)
        (made,) = await attempt(Inner(outcome), Lists(), job(JO))
        assert made.changes == ()
    (made,) = await attempt(Inner(GONE), Lists(), job(JO, stream="default"))
    assert made.changes == ()


async def test_a_list_that_cannot_be_read_defers() -> None:
    inner = Inner()
    (made,) = await attempt(inner, Lists(fails=True), job(JO, ANN))
    assert inner.made == []
    assert [type(outcome) for _, outcome in made.outcomes] == [TemporaryFailure] * 2


async def test_what_could_be_deposited_at_once_goes_the_long_way_where_somebody_is_listed() -> None:
    inner = Inner()
    suppressing = around(inner, Lists(LISTED))
    assert await suppressing.at_once(job(JO)) is None
    assert await suppressing.at_once(job(ANN)) is not None
    assert inner.at_once_asked == 1
