"""How much a source may send today."""

import asyncio

from postroad.delivery.allowance import DAY_SECONDS, Allowance
from postroad.delivery.settings import Source
from postroad.model import Group, SourceSpent
from postroad.storage.memory import MemoryStore
from tests.unit.delivery.world import FakeClock, run

DAY = int(FakeClock().now() // DAY_SECONDS)


def allowance(store: MemoryStore, clock: FakeClock, *steps: tuple[int, int]) -> Allowance:
    source = Source("192.0.2.1", "", DAY, steps)
    return Allowance(source, "big", store.sources, store.ledger, clock)


def test_a_plan_grows_with_the_days() -> None:
    source = Source("192.0.2.1", "", DAY, ((0, 50), (3, 200)))
    assert [source.cap(DAY + days) for days in (-1, 0, 2, 3, 90)] == [0, 50, 50, 200, 200]
    assert Source("192.0.2.1").cap(DAY) is None


def test_processes_that_share_a_store_keep_to_the_cap_together() -> None:
    store, clock = MemoryStore(), FakeClock()

    async def use(one: Allowance) -> int:
        count = 0
        while await one.take(1):
            count += 1
            await asyncio.sleep(0)
        return count

    async def both() -> list[int]:
        return await asyncio.gather(*(use(allowance(store, clock, (0, 500))) for _ in range(3)))

    assert sum(run(both())) == 500
    assert run(store.sources.spent(DAY, "192.0.2.1", "big")) == 500


def test_a_message_that_begins_under_the_cap_goes_whole_and_counts() -> None:
    store, clock = MemoryStore(), FakeClock()
    one = allowance(store, clock, (0, 10))
    assert run(one.take(25))
    assert not run(one.take(1))


def test_the_next_day_is_another() -> None:
    store, clock = MemoryStore(), FakeClock()
    one = allowance(store, clock, (0, 1), (1, 3))
    assert run(one.take(1))
    assert not run(one.some())
    clock.at += DAY_SECONDS
    assert [run(one.take(1)) for _ in range(4)] == [True, True, True, False]
    assert one.renewed_at == (DAY + 2) * DAY_SECONDS


def test_a_restart_loses_a_part_at_most_and_exceeds_nothing() -> None:
    store, clock = MemoryStore(), FakeClock()
    sent = 0
    for _ in range(3):
        one = allowance(store, clock, (0, 100))
        for _ in range(8):
            sent += run(one.take(1))
    last = allowance(store, clock, (0, 100))
    while run(last.take(1)):
        sent += 1
    assert 100 - 3 * 5 <= sent <= 100


def test_what_others_spent_counts() -> None:
    store, clock = MemoryStore(), FakeClock()
    change = SourceSpent(clock.now(), DAY, "192.0.2.1", "big", 9, 10)
    run(store.ledger.commit(Group((change,))))
    one = allowance(store, clock, (0, 10))
    assert run(one.take(1))
    assert not run(one.take(1))
