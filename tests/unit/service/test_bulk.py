"""Changes of many deliveries: all steps, some of them, and what is left alone."""

import pytest

from postroad.model import (
    Accepted,
    Address,
    ContentRef,
    Delivery,
    DeliveryState,
    Envelope,
    Group,
    Message,
    Origin,
    ServerKind,
    Staged,
)
from postroad.ports import QueueFilter
from postroad.service.bulk import STEP, Bulk, BulkAction, Progress
from postroad.service.desk import QueueDesk
from postroad.storage.memory import MemoryStore
from tests.unit.service.fakes import FakeClock

DUE, HELD, DROPPED = DeliveryState.DUE, DeliveryState.HELD, DeliveryState.DROPPED


class World:
    def __init__(self) -> None:
        self.store = MemoryStore()
        self.clock = FakeClock()
        self.desk = QueueDesk(
            store=self.store.queue,
            journey=self.store.journey,
            ledger=self.store.ledger,
            clock=self.clock,
        )
        self.bulk = Bulk(self.desk, self.clock)
        self.last = 0

    async def fill(self, count: int, domain: str = "there.test") -> list[tuple[int, int]]:
        """Accept messages; ids are milliseconds as they are anywhere."""
        keys = []
        for _ in range(count):
            self.last += 1
            number = (int(self.clock.now() * 1000) << 21) + self.last
            address = Address("ann", domain)
            ref = ContentRef(number, 3)
            message = Message(number, Envelope(None), ref, Origin(ServerKind.LOCAL), 900.0)
            writer = self.store.content.stage(number)
            writer.write(b"A:\n")
            staged: Staged = await writer.finish()
            delivery = Delivery(number, 0, address, address, domain, due_at=1e9)
            await self.store.ledger.commit(
                Group((Accepted(900.0, message, (delivery,)),), (staged,))
            )
            keys.append((number, 0))
        return keys

    async def states(self) -> dict[DeliveryState, int]:
        states = [each.delivery.state for each in await self.desk.list(QueueFilter(limit=10_000))]
        return {state: states.count(state) for state in set(states)}


async def test_all_that_fit_step_by_step() -> None:
    world = World()
    await world.fill(2 * STEP + 5)
    await world.fill(3, "other.test")
    query = QueueFilter(destination="there.test")
    seen = [each async for each in world.bulk.all_that_fit(BulkAction.HOLD, query, "root")]
    count = 2 * STEP + 5
    assert seen == [
        Progress(count, 0, 0),
        Progress(count, STEP, STEP),
        Progress(count, 2 * STEP, 2 * STEP),
        Progress(count, count, count),
        Progress(count, count, count, finished=True),
    ]
    assert await world.states() == {HELD: count, DUE: 3}
    held = [each async for each in world.bulk.all_that_fit(BulkAction.HOLD, query, "root")]
    assert held[-1] == Progress(0, 0, 0, finished=True), "what is held is not held again"


async def test_it_stops_between_two_steps_and_what_was_done_stays() -> None:
    world = World()
    await world.fill(3 * STEP)
    work = world.bulk.all_that_fit(BulkAction.DROP, QueueFilter(), "root")
    async for progress in work:
        if progress.done:
            break
    await work.aclose()
    assert await world.states() == {DUE: 2 * STEP}


async def test_what_comes_later_is_left_alone() -> None:
    world = World()
    await world.fill(STEP)
    work = world.bulk.all_that_fit(BulkAction.RETRY, QueueFilter(), "root")
    seen = [await anext(work)]
    world.clock.at += 60
    await world.fill(1)
    seen += [each async for each in work]
    assert seen[-1] == Progress(STEP, STEP, STEP, finished=True)


@pytest.mark.parametrize("action", BulkAction)
async def test_those_that_are_named_as_far_as_they_can_be(action: BulkAction) -> None:
    world = World()
    keys = await world.fill(4)
    await world.desk.hold(keys[:1], "root")
    seen = [each async for each in world.bulk.these(action, [*keys, (77, 0)], "root")]
    changed = {BulkAction.RETRY: 3, BulkAction.HOLD: 3, BulkAction.RELEASE: 1, BulkAction.DROP: 4}
    assert seen[0] == Progress(5, 0, 0)
    assert seen[-1] == Progress(5, 5, changed[action], finished=True)


async def test_only_states_that_were_asked_for() -> None:
    world = World()
    keys = await world.fill(4)
    await world.desk.hold(keys[:1], "root")
    query = QueueFilter(states=(HELD, DeliveryState.BOUNCED))
    seen = [each async for each in world.bulk.all_that_fit(BulkAction.DROP, query, "root")]
    assert seen[-1].changed == 1
    assert await world.states() == {DUE: 3}
