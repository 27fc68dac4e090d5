"""Random worlds: servers that fail, commits that fail, crashes and restarts. Every recipient ends."""

import asyncio
import random
from collections import Counter

import pytest

from postroad.model import (
    Delivered,
    Delivery,
    DeliveryState,
    Group,
    LeasedDelivery,
    Notify,
    Outcome,
    PermanentFailure,
    Reply,
    Unknown,
)
from postroad.ports import StorageError
from tests.unit.queue.world import OK, Server, World, temporary

DAY = 86_400.0


class Weather:
    """What goes wrong, by one seed."""

    def __init__(self, seed: int) -> None:
        self.random = random.Random(seed)
        self.world = World(
            poll_seconds=self.random.choice([60.0, 600.0]),
            lifetime_seconds=DAY,
            null_sender_lifetime_seconds=DAY / 2,
            max_in_memory=self.random.choice([10, 100, 20_000]),
            max_sessions=self.random.choice([3, 500]),
            lease_seconds=self.random.choice([60.0, 900.0]),
            max_unrecorded=self.random.choice([5, 2000]),
        )
        self.bad_commits = self.random.choice([0.0, 0.2, 0.6])
        self.unknown = False
        self.servers = [self._server(number) for number in range(8)]
        self.world.server("here.example")

    def _server(self, number: int) -> Server:
        chance = self.random.random
        failing = self.random.choice([0.0, 0.3, 0.9])

        def answer(leased: LeasedDelivery, delivery: Delivery) -> Outcome:
            if chance() < failing:
                return temporary()
            if chance() < 0.1:
                return PermanentFailure(Reply(550, "5.1.1", "no such user"))
            if chance() < 0.05:
                self.unknown = True
                return Unknown(Reply(451, "4.4.2", "lost after the final dot"))
            return OK

        return self.world.server(
            f"d{number}.example",
            f"also-d{number}.example",
            answer=answer,
            seconds=self.random.choice([0.01, 1.0, 400.0]),
            batch=self.random.choice([1, 10]),
            breaks=chance() < 0.2,
            refuse=Reply(451, "4.4.1", "refused") if chance() < 0.2 else None,
        )

    def refuse(self, group: Group) -> None:
        if self.random.random() < self.bad_commits:
            raise StorageError("I/O error")

    async def send(self, count: int) -> int:
        accepted = 0
        for _ in range(count):
            recipients = [
                f"u{each}@{self.random.choice(['', 'also-'])}d{self.random.randrange(8)}.example"
                for each in range(self.random.choice([1, 1, 1, 4]))
            ]
            notify = self.random.choice([Notify.DEFAULT, Notify.NEVER, Notify.SUCCESS])
            try:
                await self.world.send(*recipients, notify=notify)
                accepted += len(recipients)
            except StorageError:
                continue
        return accepted


@pytest.mark.parametrize("seed", range(20))
def test_every_recipient_ends(seed: int) -> None:
    async def run() -> None:
        weather = Weather(seed)
        world, chance = weather.world, weather.random
        accepted = 0
        crashes = 0
        await world.start()
        world.refuse_commit = weather.refuse
        for _ in range(5):
            accepted += await weather.send(20)
            await world.clock.until(lambda: False, chance.choice([0.5, 30.0, 5000.0]))
            event = chance.choice(["go on", "go on", "stop", "crash"])
            if event == "stop":
                await world.stop(chance.choice([0.0, 5.0, 1000.0]))
            elif event == "crash":
                await world.crash()
                crashes += 1
            if event != "go on":
                world.refuse_commit = None  # the start asks the store
                await world.start()
                world.refuse_commit = weather.refuse
        world.refuse_commit = None
        for server in weather.servers:
            server.refuse = None
        assert await world.clock.until(world.all_final, 10 * DAY), world.states()
        await world.clock.settle()
        assert world.queue.in_memory == 0
        assert world.queue.unrecorded == 0
        sent = {key for key in world.store.state.deliveries if not _is_report(world, key[0])}
        assert len(sent) == accepted
        taken = sum((server.taken for server in weather.servers), Counter())
        for key in sent:
            state = world.store.state.deliveries[key].delivery.state
            assert (
                (taken[key] > 0) == (state is DeliveryState.DELIVERED) or crashes or weather.unknown
            )
        _check_duplicates(world, taken, crashes)
        await world.stop(10)

    asyncio.run(run())


def _is_report(world: World, message: int) -> bool:
    return world.store.state.messages[message].about is not None


def _check_duplicates(world: World, taken: Counter[tuple[int, int]], crashes: int) -> None:
    """A recipient has it twice only where the journey tells of an attempt without a known outcome, or a
    crash lost what was in flight.
    """
    for (number, ordinal), times in taken.items():
        if times == 1:
            continue
        outcomes = [
            result.outcome
            for each in world.attempted(world.store.state.messages[number])
            for result in each.results
            if result.ordinal == ordinal
        ]
        unexplained = times - sum(isinstance(each, Delivered | Unknown) for each in outcomes)
        assert unexplained <= crashes, (number, ordinal, outcomes)
        assert crashes or any(isinstance(each, Unknown) for each in outcomes), outcomes
