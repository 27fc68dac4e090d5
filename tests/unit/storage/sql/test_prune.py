"""Pruning keeps nobody waiting for long."""

import asyncio
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest

from postroad.model import DeliveryState, Expunged
from postroad.ports import QueueFilter
from postroad.service.history import History
from postroad.storage.sql import journey
from postroad.storage.sqlite.store import SqliteStore
from tests.contracts.stores import (
    ANN,
    FAR,
    INBOX,
    accept,
    attempted,
    commit,
    people,
    result,
)


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[SqliteStore]:
    opened = await SqliteStore.open(tmp_path / "data")
    try:
        yield opened
    finally:
        await opened.close()


async def fill(store: SqliteStore, count: int, at: float) -> None:
    async def one() -> None:
        message = await accept(store, FAR, at=at)
        await commit(store, attempted(message, result(), at=at))

    await asyncio.gather(*(one() for _ in range(count)))


async def test_mail_goes_on_between_small_steps(
    store: SqliteStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    await fill(store, 1500, 10.0)
    waiting = await accept(store, FAR, at=10.0)
    await fill(store, 20, 60.0)
    steps: list[int] = []
    real = store.writer.run

    async def run(job: Callable[..., Any], *, long: bool = False) -> Any:
        count = await real(job, long=long)
        steps.append(count)
        return count

    monkeypatch.setattr(store.writer, "run", run)
    accepted_between: list[int] = []
    done = asyncio.Event()

    async def go_on() -> None:
        while not done.is_set():
            before = len(steps)
            await accept(store, FAR, at=70.0)
            accepted_between.append(before)

    task = asyncio.create_task(go_on())
    assert await store.prune(50.0) == 1500
    done.set()
    await task
    assert max(steps) == journey.PRUNE_STEP_MESSAGES
    assert len(set(accepted_between)) > len(steps) // 2, "messages came in between most steps"
    assert await store.queue.message(waiting.id) is not None
    assert len(await store.journey.find(limit=5000)) == 21 + len(accepted_between)


async def test_steps_are_bounded_by_what_they_remove(
    store: SqliteStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A message to many is more work than one to one; one alone is not divided."""
    monkeypatch.setattr(journey, "PRUNE_STEP_ROWS", 100)
    for recipients in (1, 1, 45, 45, 45, 150, 1, 1):
        message = await accept(store, *([FAR] * recipients), at=10.0)
        await commit(store, attempted(message, *map(result, range(recipients)), at=10.0))
    await accept(store, FAR, at=60.0)
    removed: list[int] = []
    real = store.writer.run

    async def run(job: Callable[..., Any], *, long: bool = False) -> Any:
        before = store.database.read("SELECT count(*) FROM delivery", ())[0][0]
        count = await real(job, long=long)
        removed.append(before - store.database.read("SELECT count(*) FROM delivery", ())[0][0])
        return count

    monkeypatch.setattr(store.writer, "run", run)
    assert await store.prune(50.0) == 8
    assert [each for each in removed if each] == [92, 45, 150, 2]


async def test_what_is_too_young_is_not_read_to_the_end(
    store: SqliteStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(journey, "PRUNE_PAGE_MESSAGES", 10)
    await fill(store, 15, 10.0)
    await fill(store, 100, 60.0)
    looked: list[int] = []
    real = store.database.browse

    async def browse(read: Callable[..., Any]) -> Any:
        looked.append(1)
        return await real(read)

    monkeypatch.setattr(store.database, "browse", browse)
    assert await store.prune(50.0) == 15
    assert len(looked) == 3


async def test_expunged_entries_are_pruned_to_the_end(
    store: SqliteStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(journey, "PRUNE_STEP_MESSAGES", 10)
    await people(store)
    for _ in range(35):
        await commit(store, Expunged(20.0, INBOX, (1,)))
    await accept(store, ANN, at=60.0)
    assert await store.prune(50.0) == 0
    kinds = [type(event.change).__name__ for event in await store.journey.after(0)]
    assert kinds == ["DomainAdded", "AccountAdded", "Accepted"]


async def test_the_past_is_read_in_pages(
    store: SqliteStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(journey, "PAGE_EVENTS", 7)
    await fill(store, 20, 10.0)
    waiting = [await accept(store, FAR, at=11.0) for _ in range(20)]
    sizes = [len(page) async for page in store.journey.pages(100.0)]
    assert sum(sizes) == 60
    assert max(sizes) == 7
    items, counts = await History(journey=store.journey).list(QueueFilter(), 100.0)
    assert [item.message.id for item in items] == [message.id for message in waiting]
    assert counts[DeliveryState.DUE] == 20
