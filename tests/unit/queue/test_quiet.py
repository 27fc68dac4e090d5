"""Quiet hours: when they end, and that nothing leaves before."""

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from postroad.model import Accepted, DeliveryState, Reply, TemporaryFailure
from postroad.queue.quiet import QuietHours, parse_quiet_hours
from postroad.queue.settings import StreamPolicy
from tests.unit.queue.test_queue import play
from tests.unit.queue.world import START, World

BERLIN = "Europe/Berlin"


def at(text: str, zone: str = "UTC") -> float:
    return datetime.fromisoformat(text).replace(tzinfo=ZoneInfo(zone)).timestamp()


@pytest.mark.parametrize(
    ("now", "then"),
    [
        ("2026-11-25T21:59:59", "2026-11-25T21:59:59"),
        ("2026-11-25T22:00:00", "2026-11-26T07:00:00"),
        ("2026-11-25T23:30:00", "2026-11-26T07:00:00"),
        ("2026-11-26T00:00:00", "2026-11-26T07:00:00"),
        ("2026-11-26T06:59:59", "2026-11-26T07:00:00"),
        ("2026-11-26T07:00:00", "2026-11-26T07:00:00"),
        ("2026-12-31T22:30:00", "2027-01-01T07:00:00"),
        # The night in which the clocks go forward, and the one in which they go back.
        ("2027-03-28T01:00:00", "2027-03-28T07:00:00"),
        ("2026-10-25T01:00:00", "2026-10-25T07:00:00"),
    ],
)
def test_they_end_by_the_clocks_of_the_zone(now: str, then: str) -> None:
    quiet = parse_quiet_hours("22:00-07:00", BERLIN)
    assert quiet.after(at(now, BERLIN)) == at(then, BERLIN)


@pytest.mark.parametrize(
    ("hours", "now", "then"),
    [
        # 02:30 does not come in the night in which the clocks go from 02:00 to 03:00.
        ("22:00-02:30", "2026-03-29T01:00:00", "2026-03-29T03:00:00"),
        ("03:21-02:36", "2026-03-28T03:21:00", "2026-03-29T03:00:00"),
        # And 02:30 comes twice in the night in which they go from 03:00 to 02:00.
        ("22:00-02:30", "2026-10-25T01:00:00", "2026-10-25T02:30:00"),
        ("02:15-02:45", "2026-10-25T02:20:00", "2026-10-25T02:45:00"),
    ],
)
def test_an_end_in_an_hour_that_is_left_out(hours: str, now: str, then: str) -> None:
    assert parse_quiet_hours(hours, BERLIN).after(at(now, BERLIN)) == at(then, BERLIN)


def test_within_a_day() -> None:
    quiet = parse_quiet_hours("12:00-13:30")
    assert quiet.after(at("2026-11-25T12:10:00")) == at("2026-11-25T13:30:00")
    assert quiet.after(at("2026-11-25T13:30:00")) == at("2026-11-25T13:30:00")
    assert quiet.after(at("2026-11-25T11:59:00")) == at("2026-11-25T11:59:00")
    assert str(quiet) == "12:00-13:30 UTC"


minutes = st.integers(0, 1439)


CHANGES = st.builds(
    float.__add__,
    # Nights in which clocks go forward or back, in one zone or another.
    st.sampled_from([1774746000.0, 1792890000.0, 1772953200.0, 1793512800.0, 1775314800.0]),
    st.floats(-90_000, 90_000),
)


@given(
    minutes,
    minutes,
    st.sampled_from(["UTC", BERLIN, "America/New_York", "Australia/Lord_Howe", "Asia/Kathmandu"]),
    st.floats(1.7e9, 1.9e9) | CHANGES,
)
def test_never_earlier_and_soon_outside(begin: int, end: int, zone: str, now: float) -> None:
    if begin == end:
        return
    quiet = QuietHours(begin, end, zone)
    then = quiet.after(now)
    assert now <= then <= now + 26 * 3600
    assert quiet.after(then) == then, "it is over then"
    # Each minute before is quiet, by the clocks of the zone.
    clocks = ZoneInfo(zone)
    for minute in range(int(now), int(then), 60) if then != now else ():
        local = datetime.fromtimestamp(minute, clocks)
        there = local.hour * 60 + local.minute
        if end < begin:
            assert there >= begin or there < end, local
        else:
            assert begin <= there < end, local


@pytest.mark.parametrize(
    ("text", "zone"),
    [("22-7", "UTC"), ("24:00-07:00", "UTC"), ("07:00-07:00", "UTC"), ("", "UTC"),
     ("22:00-07:00", "Mars/Olympus"), ("22:00-07:00", "../etc/passwd"), ("22:00-07:00", "")],
)  # fmt: skip
def test_what_is_refused(text: str, zone: str) -> None:
    with pytest.raises(ValueError, match=r"write|day"):
        parse_quiet_hours(text, zone)


def quiet_for(begin_in: int, minutes: int) -> dict[str, StreamPolicy]:
    """A stream whose quiet hours begin so many minutes after the world does."""
    now = datetime.fromtimestamp(START, UTC)
    minute = now.hour * 60 + now.minute + begin_in
    return {"news": StreamPolicy(quiet=QuietHours(minute % 1440, (minute + minutes) % 1440))}


def test_what_comes_in_quiet_hours_waits_until_they_end() -> None:
    async def scenario(world: World) -> None:
        there = world.server("there.example")
        await world.start()
        quiet = await world.send("a@there.example", stream="news")
        other = await world.send("b@there.example")
        assert await world.clock.until(lambda: world.state(other) is DeliveryState.DELIVERED, 60)
        assert world.state(quiet) is DeliveryState.DUE
        assert await world.clock.until(world.all_final, 7200)
        assert min(begun for begun, message, _ in there.attempts if message == quiet.id) >= (
            START // 60 * 60 + 3600
        )
        (accepted,) = [
            each.change
            for each in await world.store.journey.events(quiet.id)
            if isinstance(each.change, Accepted)
        ]
        assert "quiet hours" in accepted.rulings[0].reason

    play(scenario, streams=quiet_for(-1, 61))


def test_a_retry_waits_until_they_end() -> None:
    async def scenario(world: World) -> None:
        there = world.server("there.example")
        there.answer = lambda leased, delivery: TemporaryFailure(Reply(450, "4.2.1", "later"))
        await world.start()
        message = await world.send("a@there.example", stream="news")
        assert await world.clock.until(lambda: world.delivery(message).attempts == 2, 86_400)
        first, second = [begun for begun, _, _ in there.attempts]
        assert second - first >= 3600

    play(scenario, streams=quiet_for(2, 60))


def test_what_was_due_before_and_not_sent_is_put_off() -> None:
    async def scenario(world: World) -> None:
        there = world.server("there.example")
        message = await world.send("a@there.example", stream="news")  # nobody works yet
        assert world.delivery(message).due_at <= START
        await world.clock.until(lambda: False, 600)
        await world.start()
        await world.clock.until(lambda: False, 600)
        assert there.attempts == []
        assert world.state(message) is DeliveryState.DUE
        events = [
            type(each.change).__name__ for each in await world.store.journey.events(message.id)
        ]
        assert events == ["Accepted", "PutOff"]
        assert await world.clock.until(world.all_final, 7200)
        assert there.attempts[0][0] >= START + 3600

    play(scenario, streams=quiet_for(5, 60))
