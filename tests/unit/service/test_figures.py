"""Figures: counters of a process become charts."""

from collections import Counter

import pytest
import structlog.testing

from postroad.model import HOUR_SECONDS, Group
from postroad.model.tally import LONG_SECONDS
from postroad.ports import StorageError
from postroad.queue.tally import Counts, Tally
from postroad.service.figures import FigureBook, Figures, Window, percentiles
from postroad.storage.memory import MemoryStore
from tests.unit.service.fakes import FakeClock

NOON = 20_000 * 86_400 + 12 * HOUR_SECONDS


class World:
    def __init__(self) -> None:
        self.store = MemoryStore()
        self.clock = FakeClock()
        self.clock.at = NOON + 90.0
        self.tally = Tally()
        self.broken = False
        self.commits = 0
        self.book = FigureBook(tally=self.tally, ledger=self, clock=self.clock)
        self.figures = Figures(store=self.store.figures, clock=self.clock)

    async def commit(self, group: Group) -> None:
        if self.broken:
            raise StorageError("the disk is gone")
        self.commits += 1
        await self.store.ledger.commit(group)

    def deliver(self, provider: str, stream: str, count: int, seconds: float) -> None:
        self.tally.outcomes.setdefault(provider, {}).setdefault(stream, Counts()).delivered += count
        for _ in range(count):
            self.tally.seconds.observe(seconds)


async def test_what_was_counted_since_is_written_once() -> None:
    world = World()
    world.tally.accepted = Counter({"default": 4, "news": 1})
    world.deliver("local", "default", 3, 0.004)
    world.deliver("google", "news", 1, 7.0)
    world.tally.outcomes["google"]["news"].bounced = 2
    await world.book.write()
    await world.book.write()
    assert world.commits == 1, "nothing new is nothing to write"
    world.clock.at += 60
    world.deliver("local", "default", 2, 0.004)
    world.tally.outcomes["google"]["news"].deferred = 5
    await world.book.write()
    chart = await world.figures.chart(Window.HOUR)
    assert (len(chart.at), chart.step_seconds) == (60, 60)
    assert chart.at[-1] == NOON + 120
    assert (chart.accepted[-2:], chart.delivered[-2:]) == ((5, 0), (4, 2))
    assert (chart.deferred[-1], chart.bounced[-2], sum(chart.unknown)) == (5, 2, 0)
    assert chart.p50[-3] is None
    assert (chart.total.accepted, chart.total.delivered) == (5, 6)
    assert [(each.name, each.accepted, each.delivered) for each in chart.streams] == [
        ("news", 1, 1),
        ("default", 4, 5),
    ]
    assert [(each.name, each.delivered, each.bounced) for each in chart.destinations] == [
        ("google", 1, 2),
        ("local", 5, 0),
    ]
    assert chart.latency.p50 is not None
    assert 0.0025 < chart.latency.p50 <= 0.005
    assert chart.latency.p99 is not None
    assert 5.0 < chart.latency.p99 <= 10.0


async def test_a_store_that_fails_loses_nothing_and_is_told_of_once() -> None:
    world = World()
    world.tally.accepted["default"] = 2
    world.broken = True
    with structlog.testing.capture_logs() as logs:
        await world.book.write()
        await world.book.write()
    assert [each["event"] for each in logs] == ["figures could not be written; they are kept"]
    world.broken = False
    world.tally.accepted["default"] = 3
    await world.book.write()
    assert (await world.figures.chart(Window.DAY)).total.accepted == 3


@pytest.mark.parametrize("window", Window)
async def test_each_window_is_whole_and_ends_now(window: Window) -> None:
    world = World()
    world.tally.accepted["default"] = 7
    await world.book.write()
    chart = await world.figures.chart(window)
    assert chart.at[0] <= chart.since
    assert chart.at[-1] <= world.clock.at < chart.until
    assert 50 <= len(chart.at) <= 150
    assert sum(chart.accepted) == chart.total.accepted == 7


def test_percentiles_of_nothing_and_of_what_is_beyond() -> None:
    assert percentiles([0, 0]).p50 is None
    assert percentiles([]).p99 is None
    beyond = [0] * len(LONG_SECONDS) + [3]
    assert percentiles(beyond).p50 == LONG_SECONDS[-1]
    assert percentiles([100]).p50 == pytest.approx(LONG_SECONDS[0] / 2)
