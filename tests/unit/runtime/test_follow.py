"""Following the journey."""

import asyncio
from collections.abc import Sequence
from typing import Any

import pytest
from structlog.testing import capture_logs

from postroad.model import Held, Leased, Retried
from postroad.ports import JourneyEvent, StorageError
from postroad.runtime.follow import Follower
from postroad.storage.memory import MemoryStore
from tests.contracts.stores import FAR, accept, commit
from tests.unit.queue.world import VirtualClock


class Listener:
    def __init__(self) -> None:
        self.heard: list[str] = []

    async def tell(self, events: Sequence[JourneyEvent]) -> None:
        self.heard += [type(each.change).__name__ for each in events]


async def test_what_is_new_is_told_once_and_in_order() -> None:
    store, clock, listener = MemoryStore(), VirtualClock(), Listener()
    await accept(store, FAR)  # before anybody listened
    follower = Follower(store=store.queue, journey=store.journey, clock=clock, tellers=[listener])
    task = asyncio.ensure_future(follower.run())
    await clock.settle()
    message = await accept(store, FAR)
    await commit(store, Leased(1.0, "n", 2.0, ((message.id, 0),)))
    await commit(store, Held(1.0, "ann", ((message.id, 0),)))
    await clock.until(lambda: len(listener.heard) == 2, 10)
    await commit(store, Retried(2.0, "ann", ((message.id, 0),)))
    await clock.until(lambda: len(listener.heard) == 3, 10)
    await clock.until(lambda: False, 10)
    assert listener.heard == ["Accepted", "Held", "Retried"]
    task.cancel()


async def test_a_store_that_fails_is_asked_again(monkeypatch: pytest.MonkeyPatch) -> None:
    store, clock, listener = MemoryStore(), VirtualClock(), Listener()
    real, failing = store.journey.after, [True]

    async def after(sequence: int, limit: int = 1000) -> list[JourneyEvent]:
        if failing:
            failing.pop()
            raise StorageError("I/O error")
        return await real(sequence, limit)

    monkeypatch.setattr(store.journey, "after", after)
    follower: Any = Follower(
        store=store.queue, journey=store.journey, clock=clock, tellers=[listener]
    )
    with capture_logs() as logs:
        task = asyncio.ensure_future(follower.run())
        await clock.settle()
        await accept(store, FAR)
        await clock.until(lambda: bool(listener.heard), 10)
    assert listener.heard == ["Accepted"]
    assert [each["event"] for each in logs] == ["the journey cannot be followed"]
    task.cancel()
