"""How fast we may go."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from postroad.model import (
    Delivered,
    DeliveryState,
    Outcome,
    PermanentFailure,
    PutOff,
    Reply,
    Route,
    TemporaryFailure,
)
from postroad.ports import NotNow, Session
from postroad.queue import ProviderLimit, StreamPolicy
from postroad.queue.pace import Pace, Rate, asks_to_slow_down
from tests.unit.queue.world import OK, START, World, temporary

DAY = 86_400.0


def play(scenario: Callable[[World], Awaitable[None]], **settings: Any) -> World:
    async def run() -> World:
        world = World(**settings)
        try:
            await scenario(world)
        finally:
            if world.running is not None and not world.running.done():
                await world.stop(60)
        return world

    return asyncio.run(run())


def steps(world: World) -> list[str]:
    return [
        step.text
        for message in world.store.state.messages.values()
        for attempted in world.attempted(message)
        for step in attempted.steps
        if step.what == "slow"
    ]


def test_a_rate_lets_an_even_stream_through() -> None:
    rate = Rate(30)
    assert rate.allowed(100.0) == 1
    rate.spend(1, 100.0)
    assert rate.allowed(101.0) == 0
    assert rate.wait(101.0) == pytest.approx(1.0)
    assert rate.allowed(102.0) == 1
    fast = Rate(6000)
    assert fast.allowed(0.0) == 100
    fast.spend(100, 0.0)
    assert fast.allowed(0.5) == 50
    assert fast.allowed(1000.0) == 100, "a pause saves up for one second"


def test_a_clock_that_steps_back_gives_nothing_away() -> None:
    rate = Rate(60)
    rate.spend(1, 1000.0)
    assert rate.allowed(10.0) == 0
    assert rate.wait(10.0) == pytest.approx(1.0)


def test_complaints_halve_and_quiet_doubles() -> None:
    pace = Pace(0.0, 60.0, "421")
    pace.complained(0.0, "421", alone=False)
    assert pace.rate is None, "fewer sessions are enough"
    pace.complained(20.0, "421", alone=True)
    assert pace.rate is not None
    assert pace.rate.per_minute == 60
    for at in (40.0, 60.0):
        assert not pace.too_soon(at)
        pace.complained(at, "421", alone=True)
    assert pace.too_soon(61.0), "many sessions hear the same"
    assert pace.rate.per_minute == 15
    assert not pace.recovered(110.0)
    assert not pace.recovered(121.0)
    assert pace.rate.per_minute == 30
    assert not pace.recovered(190.0)
    assert pace.rate.per_minute == 60
    assert pace.recovered(241.0)


def test_it_never_comes_to_nothing() -> None:
    pace = Pace(0.0, 60.0, "421")
    for number in range(20):
        pace.complained(number * 20.0, "421", alone=True)
    assert pace.rate is not None
    assert pace.rate.per_minute == 1


@pytest.mark.parametrize(
    ("outcome", "slow"),
    [
        (TemporaryFailure(Reply(421, "", "too many connections")), True),
        (TemporaryFailure(Reply(450, "4.7.0", "rate limited, slow down")), True),
        (TemporaryFailure(Reply(451, "4.7.1", "Greylisted, try again later")), False),
        (TemporaryFailure(Reply(452, "4.2.2", "mailbox full")), False),
        (TemporaryFailure(Reply(451, "4.3.0", "not now")), False),
        (PermanentFailure(Reply(550, "5.7.1", "no")), False),
        (Delivered(Reply(250, "2.0.0", "ok")), False),
    ],
)
def test_who_asks_to_slow_down(outcome: Outcome, slow: bool) -> None:
    assert asks_to_slow_down(outcome) is slow


def test_a_provider_gets_so_many_a_minute_over_all_its_destinations() -> None:
    async def scenario(world: World) -> None:
        servers = [world.server(f"{name}.example") for name in ("one", "two")]
        await world.start()
        for _ in range(30):
            await world.send("user@one.example")
            await world.send("user@two.example")
        assert await world.clock.until(world.all_final, 3600)
        assert world.clock.now() - START >= 58, "60 at 60 a minute"
        assert world.clock.now() - START < 90
        assert sum(len(server.attempts) for server in servers) == 60

    play(scenario, providers={"": ProviderLimit(per_minute=60)})


def test_a_provider_gets_so_many_sessions_over_all_its_destinations() -> None:
    async def scenario(world: World) -> None:
        servers = [world.server(f"{name}.example", seconds=1.0) for name in ("one", "two")]
        await world.start()
        for _ in range(20):
            await world.send("user@one.example")
            await world.send("user@two.example")
        assert await world.clock.until(world.all_final, 3600)
        # A session that rests (`idle_session_seconds`) is open, and takes nothing.
        assert all(server.most_sessions <= 3 for server in servers)
        assert world.clock.now() - START >= 40 / 3

    play(scenario, providers={"": ProviderLimit(concurrency=3)})


def test_who_asks_to_slow_down_is_heeded_and_recovers() -> None:
    async def scenario(world: World) -> None:
        touchy = world.server("touchy.example", answer=lambda leased, each: temporary(450, "4.7.0"))
        await world.start()
        for _ in range(10):
            await world.send("user@touchy.example")
        await world.clock.until(lambda: bool(steps(world)), 30)
        assert steps(world)[0] == (
            "touchy.example asks us to slow down: 2 sessions at most from now on"
        )
        await world.clock.until(lambda: len(steps(world)) >= 3, 3600)
        assert steps(world)[1:3] == [
            "touchy.example asks us to slow down: 1 session at most from now on",
            "touchy.example asks us to slow down: 60 messages a minute from now on",
        ]
        touchy.answer = lambda leased, each: OK
        assert await world.clock.until(world.all_final, DAY)
        first = len(touchy.attempts)
        await world.clock.until(lambda: False, 3600)
        for _ in range(100):
            await world.send("user@touchy.example")
        begun = world.clock.now()
        assert await world.clock.until(world.all_final, DAY)
        assert world.clock.now() - begun < 10, "all is as it was"
        assert len(touchy.attempts) == first + 100

    play(scenario, retry_first_seconds=60.0, retry_max_seconds=60.0)


def test_mail_of_a_stream_has_sessions_of_its_own_pool() -> None:
    async def scenario(world: World) -> None:
        routes: list[Route] = []
        world.server("there.example")
        real = world.connect

        async def connect(route: Route) -> Session:
            routes.append(route)
            return await real(route)

        world.connect = connect  # type: ignore[method-assign]
        await world.start()
        await world.send("a@there.example", stream="news")
        await world.send("b@there.example")
        assert await world.clock.until(world.all_final, 10)
        assert sorted(route.pool for route in routes) == ["", "bulk"]
        assert len({route.key for route in routes}) == 2

    play(scenario, streams={"news": StreamPolicy(pool="bulk")})


def test_what_is_over_a_cap_waits_untried_until_there_is_room() -> None:
    async def scenario(world: World) -> None:
        there = world.server("there.example")
        tomorrow = START + DAY
        real = world.connect
        reply = Reply(451, "4.7.0", "192.0.2.1 sends no more than 50 a day to there.example")

        async def connect(route: Route) -> Session:
            if world.clock.now() < tomorrow:
                raise NotNow(reply, tomorrow)
            return await real(route)

        world.connect = connect  # type: ignore[method-assign]
        await world.start()
        messages = [await world.send("a@there.example") for _ in range(5)]
        await world.clock.until(lambda: world.states()[DeliveryState.DUE] == 5, 60)
        found = world.delivery(messages[0])
        assert (found.due_at, found.attempts, found.last) == (tomorrow, 0, reply)
        told = [
            event.change
            for about, event in world.store.state.journey.values()
            if about == messages[0].id
        ]
        assert isinstance(told[-1], PutOff)
        assert await world.clock.until(world.all_final, 2 * DAY)
        assert world.clock.now() >= tomorrow
        assert len(there.attempts) == 5

    play(scenario)


def test_what_would_wait_for_too_long_ends_as_all_that_is_too_old() -> None:
    async def scenario(world: World) -> None:
        world.server("there.example")

        async def connect(route: Route) -> Session:
            raise NotNow(Reply(451, "4.7.0", "the cap is reached"), world.clock.now() + DAY)

        world.connect = connect  # type: ignore[method-assign]
        world.senders = {}
        await world.start()
        message = await world.send("a@there.example")
        await world.clock.until(lambda: world.state(message) is DeliveryState.EXPIRED, 10 * DAY)
        assert world.state(message) is DeliveryState.EXPIRED

    play(scenario)
