"""Counting what attempts came to."""

import pytest

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
    Unknown,
)
from postroad.ports import Attempt
from postroad.queue.tally import MAX_PROVIDERS, UNREACHED, Tally
from tests.unit.queue.world import OK, temporary

BOUNCE = PermanentFailure(Reply(550, "5.1.1", "no"))
ANN = Address.parse("ann@there.test")


def job(
    *outcomes: Outcome, stream: str = "default", seconds: float = 2.0
) -> tuple[LeasedDelivery, Attempt]:
    envelope = Envelope(None)
    message = Message(7, envelope, ContentRef(7, 1), Origin(ServerKind.LOCAL), 100.0, stream=stream)
    deliveries = tuple(Delivery(7, n, ANN, ANN, "there.test") for n in range(len(outcomes)))
    end = 100.0 + seconds
    return LeasedDelivery(message, deliveries), Attempt(end - 0.5, end, tuple(enumerate(outcomes)))


def route(provider: str) -> Route:
    return Route(RouteKind.MX, "there.test", provider, provider=provider)


def count(tally: Tally, *made: tuple[LeasedDelivery, Attempt]) -> bool:
    counts = tally.of(route("there.test"))
    return tally.count(counts, [each for each, _ in made], [each for _, each in made])


def test_outcomes_by_stream_and_provider() -> None:
    tally = Tally()
    assert count(tally, job(OK), job(OK, OK), job(OK, stream="news"))
    assert not count(tally, job(OK, BOUNCE), job(temporary()), job(Unknown(Reply(451, "", "?"))))
    default, news = tally.outcomes["there.test"]["default"], tally.outcomes["there.test"]["news"]
    assert (default.delivered, default.bounced, default.deferred, default.unknown) == (4, 1, 1, 1)
    assert news.delivered == 1


def test_times_are_those_of_what_was_delivered() -> None:
    tally = Tally()
    count(tally, job(OK, seconds=0.02), job(OK, seconds=40.0), job(BOUNCE, seconds=9e9))
    assert sum(tally.seconds.counts) == 2
    assert tally.seconds.total == pytest.approx(40.02)
    assert sum(tally.attempt_seconds.counts) == 1, "of what goes together one"
    assert tally.attempt_seconds.total == 0.5


def test_what_was_not_tried_is_no_outcome() -> None:
    tally = Tally()
    leased, _ = job(OK)
    untried = Attempt(1.0, 1.0, (), untried=True)
    assert not tally.count(tally.of(route("x")), [leased], [untried])
    assert sum(tally.seconds.counts) == 0


def test_providers_are_bounded() -> None:
    tally = Tally()
    for number in range(MAX_PROVIDERS + 50):
        counts = tally.of(route(f"p{number}.test"))
        leased, attempt = job(Delivered(Reply(250, "2.0.0", "ok")))
        tally.count(counts, [leased], [attempt])
    assert len(tally.outcomes) == MAX_PROVIDERS + 1
    assert tally.outcomes["other"]["default"].delivered == 50


def test_what_was_not_reached_counts_by_stream() -> None:
    tally = Tally()
    tally.not_reached(*job(temporary(), temporary(), stream="news"))
    tally.not_reached(*job(BOUNCE))
    found = tally.outcomes[UNREACHED]
    assert (found["news"].deferred, found["default"].bounced) == (2, 1)
    assert sum(tally.attempt_seconds.counts) == 0, "nothing was attempted"
