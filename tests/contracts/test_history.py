"""The queue of the past, rebuilt from the journey, is the queue that was."""

import random
from collections.abc import Callable, Sequence
from typing import Any

import pytest
from msgspec.structs import replace

from postroad.model import (
    Accepted,
    Address,
    Change,
    Delivered,
    DeliveryState,
    Dropped,
    Held,
    Message,
    Released,
    Retried,
    Unknown,
)
from postroad.ports import QueueFilter, QueueItem
from postroad.service.desk import QueueDesk
from postroad.service.errors import Refused
from postroad.service.history import History, Hold
from tests.contracts.stores import (
    ANN,
    FAR,
    LATER,
    OK,
    Store,
    accept,
    attempted,
    commit,
    deliveries_of,
    deposited,
    message_of,
    people,
    result,
    stage,
)

DUE, LEASED, HELD = DeliveryState.DUE, DeliveryState.LEASED, DeliveryState.HELD
UNFINISHED = (DUE, LEASED, HELD)
EVERYTHING = QueueFilter(limit=100_000)
OTHER = Address.parse("otto@Other.example")


def unleased(items: Sequence[QueueItem]) -> list[QueueItem]:
    """Leases are not in the journey: a leased delivery shows as due."""
    return [
        QueueItem(item.message, replace(item.delivery, state=DUE))
        if item.delivery.state is LEASED
        else item
        for item in items
    ]


class Workload:
    """Random events in a store, a second apart; what the queue looked like after each is kept."""

    def __init__(self, store: Store, seed: int) -> None:
        self.store = store
        self.random = random.Random(seed)
        self.now = 1000.0
        self.keys: list[tuple[Message, int]] = []
        self.seen: list[tuple[float, list[QueueItem], dict[DeliveryState, int]]] = []
        self.kinds: list[Callable[[], Any]] = [
            self.accept,
            self.accept,
            self.born_leased,
            self.attempt,
            self.attempt,
            self.attempt,
            self.deposit,
            lambda: self.operate(Held),
            lambda: self.operate(Retried),
            lambda: self.operate(Dropped),
            self.lease,
            self.release,
        ]

    async def run(self, steps: int) -> None:
        for _ in range(steps):
            self.now += 1.0
            await self.random.choice(self.kinds)()
            items = unleased(await self.store.queue.find(EVERYTHING))
            self.seen.append((self.now, items, await self.store.queue.counts()))

    async def accept(self) -> None:
        recipients = self.random.sample([ANN, FAR, OTHER], self.random.randint(1, 3))
        message = await accept(self.store, *recipients, at=self.now, due_at=self.now)
        self.keys += [(message, ordinal) for ordinal in range(len(recipients))]

    async def born_leased(self) -> None:
        staged = await stage(self.store, b"x")
        message = message_of(staged.ref, FAR, OTHER, at=self.now)
        first, second = deliveries_of(message, due_at=self.now)
        change = Accepted(
            self.now, message, (replace(first, state=LEASED), second), "n", self.now + 50
        )
        await commit(self.store, change, contents=[staged])
        self.keys += [(message, 0), (message, 1)]

    async def attempt(self) -> None:
        if not self.keys:
            return
        message, ordinal = self.random.choice(self.keys)
        outcome = self.random.choice([None, Unknown(LATER), Delivered(OK)])
        state = self.random.choice([DUE, DUE, HELD, *(s for s in DeliveryState if s.final)])
        due_at = self.now + self.random.randint(1, 500) if state is DUE else 0.0
        delayed = self.random.random() < 0.2
        made = result(ordinal, state, due_at=due_at, outcome=outcome, delayed=delayed)
        await commit(self.store, attempted(message, made, at=self.now))

    async def deposit(self) -> None:
        local = [
            (item.message, item.delivery.ordinal)
            for item in await self.store.queue.find(EVERYTHING)
            if item.delivery.mailbox is not None
        ]
        if local:
            message, ordinal = self.random.choice(local)
            gone = replace(deposited(message, ordinal), at=self.now)
            await commit(self.store, attempted(message, result(ordinal), at=self.now), gone)

    async def operate(self, kind: type[Held] | type[Retried] | type[Dropped]) -> None:
        chosen = self.random.sample(self.keys, min(3, len(self.keys)))
        keys = tuple((message.id, ordinal) for message, ordinal in chosen)
        await commit(self.store, kind(self.now, "ann", keys))

    async def lease(self) -> None:
        await self.store.queue.lease(now=self.now, until=self.now + 9, node="n", limit=3)

    async def release(self) -> None:
        """Given back as it was: a `due_at` that a release moves is not in the journey."""
        leased = await self.store.queue.find(QueueFilter(states=(LEASED,)))
        for item in leased[:2]:
            key = (item.message.id, item.delivery.ordinal)
            await commit(self.store, Released(self.now, item.delivery.due_at, (key,)))


@pytest.mark.parametrize("seed", [1, 2, 3])
async def test_every_moment_can_be_rebuilt(store: Store, seed: int) -> None:
    await people(store)
    workload = Workload(store, seed)
    await workload.run(120)
    history = History(journey=store.journey)
    assert {item.delivery.state for _, items, _ in workload.seen for item in items} == {DUE, HELD}
    for at, items, counts in workload.seen:
        rebuilt, rebuilt_counts = await history.list(EVERYTHING, at + 0.5)
        assert rebuilt == items, at
        assert rebuilt_counts == {
            DUE: counts[DUE] + counts[LEASED],
            LEASED: 0,
            HELD: counts[HELD],
        }
    now = workload.now
    live = {key.id: await store.queue.deliveries(key.id) for key, _ in workload.keys}
    for message, deliveries in live.items():
        past = await history.show(message, now)
        items = [QueueItem(past.message, delivery) for delivery in deliveries]
        assert list(past.deliveries) == [item.delivery for item in unleased(items)]


async def test_what_is_asked_for(store: Store) -> None:
    await people(store)
    one = await accept(store, ANN, FAR, at=100.0)
    two = await accept(store, FAR, OTHER, at=200.0, sender=FAR)
    await commit(store, Held(250.0, "bob", ((two.id, 1),)))
    history = History(journey=store.journey)

    async def found(at: float = 300.0, **query: Any) -> list[tuple[int, int]]:
        items, _ = await history.list(QueueFilter(**query), at)
        return [(item.message.id, item.delivery.ordinal) for item in items]

    assert await found() == [(one.id, 0), (one.id, 1), (two.id, 0), (two.id, 1)]
    assert await found(at=150.0) == [(one.id, 0), (one.id, 1)]
    assert await found(at=99.0) == []
    assert await found(limit=3) == [(one.id, 0), (one.id, 1), (two.id, 0)]
    assert await found(states=(HELD,)) == [(two.id, 1)]
    assert await found(states=(HELD,), at=240.0) == []
    assert await found(states=(LEASED,), limit=1) == [(one.id, 0)]
    assert await found(destination="local") == [(one.id, 0)]
    assert await found(sender="zoe@FAR.example") == [(two.id, 0), (two.id, 1)]
    assert await found(recipient="@far.example") == [(one.id, 1), (two.id, 0)]
    assert await found(recipient="@example") == []
    assert await found(message=two.id, states=(DUE,)) == [(two.id, 0)]
    assert await history.counts(225.0) == {DUE: 4, LEASED: 0, HELD: 0}
    with pytest.raises(Refused, match="at that time"):
        await history.show(two.id, 199.0)


async def test_why_it_is_held(store: Store) -> None:
    message = await accept(store, FAR, OTHER, ANN, at=100.0)
    unknown = Unknown(LATER)
    held = result(0, HELD, outcome=unknown)
    await commit(store, attempted(message, held, at=110.0))
    await commit(store, Held(120.0, "bob", ((message.id, 0), (message.id, 1))))
    # In flight while the operator held it: it stays his.
    await commit(store, attempted(message, result(1, DUE, outcome=unknown, due_at=900.0), at=130.0))
    desk = QueueDesk(store=store.queue, journey=store.journey, ledger=store.ledger, clock=Clock())
    _, deliveries = await desk.show(message.id)
    assert await desk.holds(deliveries) == {
        (message.id, 0): Hold(110.0),
        (message.id, 1): Hold(120.0, "bob"),
    }
    assert Hold(110.0).unknown
    assert await desk.release([(message.id, 0)], "bob") == 1
    _, deliveries = await desk.show(message.id)
    assert deliveries[0].state is DUE
    assert await desk.holds(deliveries) == {(message.id, 1): Hold(120.0, "bob")}


async def test_pages_leave_out_what_is_no_delivery(store: Store) -> None:
    await people(store)
    message = await accept(store, ANN, at=100.0)
    done: list[Change] = [attempted(message, result(), at=120.0), deposited(message)]
    await commit(store, *done)
    events = [event.change async for page in store.journey.pages(150.0) for event in page]
    assert [type(change).__name__ for change in events] == ["Accepted", "Attempted"]
    events = [event.change async for page in store.journey.pages(110.0) for event in page]
    assert [type(change).__name__ for change in events] == ["Accepted"]


class Clock:
    def now(self) -> float:
        return 140.0

    def monotonic(self) -> float:
        return 140.0

    async def sleep(self, seconds: float) -> None:
        raise AssertionError("nobody sleeps here")
