"""What our addresses served: counts of a day that never come to more than a cap."""

import pytest

from postroad.model import (
    DeliveryState,
    Leased,
    Reply,
    SourceSpent,
)
from postroad.model import PutOff as Later
from postroad.ports import Conflict, Spent
from postroad.storage.bounds import SOURCE_DAYS
from tests.contracts.stores import FAR, Store, accept, commit


def spent(
    count: int, *, day: int = 20_000, cap: int = 10, source: str = "192.0.2.1"
) -> SourceSpent:
    return SourceSpent(1000.0, day, source, "google", count, cap)


async def test_counts_never_come_to_more_than_the_cap(store: Store) -> None:
    assert await store.sources.spent(20_000, "192.0.2.1", "google") == 0
    await commit(store, spent(6))
    await commit(store, spent(4))
    with pytest.raises(Conflict, match=r"192\.0\.2\.1 may send no more than 10 to google today"):
        await commit(store, spent(1))
    assert await store.sources.spent(20_000, "192.0.2.1", "google") == 10
    await commit(store, spent(3, source="192.0.2.2"))
    assert await store.sources.of_day(20_000) == [
        Spent("192.0.2.1", "google", 10),
        Spent("192.0.2.2", "google", 3),
    ]


async def test_the_first_of_a_day_are_bound_by_the_cap_too(store: Store) -> None:
    with pytest.raises(Conflict):
        await commit(store, spent(25))
    assert await store.sources.of_day(20_000) == []


async def test_old_days_are_forgotten(store: Store) -> None:
    await commit(store, spent(1), spent(2, day=20_000 + SOURCE_DAYS))
    assert await store.sources.of_day(20_000) == [Spent("192.0.2.1", "google", 1)]
    await commit(store, spent(1, day=20_001 + SOURCE_DAYS))
    assert await store.sources.of_day(20_000) == []


async def test_what_is_put_off_waits_untried_and_says_why(store: Store) -> None:
    message = await accept(store, FAR)
    key = (message.id, 0)
    reply = Reply(451, "4.7.0", "the cap of the day is reached")
    before = len(await store.journey.after(0))
    await commit(store, Later(110.0, 500.0, reply, (key,)))  # not leased: nothing happens
    assert len(await store.journey.after(0)) == before
    await commit(store, Leased(110.0, "n1", 900.0, (key,)))
    await commit(store, Later(120.0, 500.0, reply, (key,)))
    found = (await store.queue.deliveries(message.id))[0]
    assert (found.state, found.due_at, found.attempts) == (DeliveryState.DUE, 500.0, 0)
    assert found.last == reply
    event = (await store.journey.events(message.id))[-1]
    assert event.change == Later(120.0, 500.0, reply, (key,))
    assert await store.queue.next_due() == 500.0
