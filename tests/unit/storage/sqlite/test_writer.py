"""Batches whose commit fails, groups that are refused: nothing of them happens, nobody is forgotten."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from postroad.model import DeliveryState, Domain, DomainAdded, Message
from postroad.ports import Conflict, StorageError
from postroad.storage.files import FileContents
from postroad.storage.sqlite.store import SqliteStore
from tests.contracts.stores import FAR, accept, attempted, commit, readable, result

BIG = b"0123456789abcde\n" * 20_000


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[SqliteStore]:
    opened = await SqliteStore.open(tmp_path / "data")
    yield opened
    await opened.close()


def refuse_commits(store: SqliteStore, times: int) -> list[int]:
    """Let the next COMMITs fail; return a list that grows with each."""
    refused: list[int] = []

    def hook() -> bool:
        if len(refused) == times:
            return False
        refused.append(1)
        return True

    store.database.writer.set_commit_hook(hook)
    return refused


def file_of(store: SqliteStore, message: Message) -> Path:
    assert isinstance(store.large, FileContents)
    return store.large.path(message.content.id)


async def states(store: SqliteStore, message: Message) -> list[DeliveryState]:
    return [each.state for each in await store.queue.deliveries(message.id)]


async def test_a_file_stays_where_the_commit_that_frees_it_fails(store: SqliteStore) -> None:
    message = await accept(store, FAR, data=BIG)
    refused = refuse_commits(store, 2)  # as one statement, then by savepoints
    with pytest.raises(StorageError):
        await commit(store, attempted(message, result()))
    assert len(refused) == 2
    assert await states(store, message) == [DeliveryState.DUE]
    assert await readable(store, message)
    assert file_of(store, message).exists()
    await commit(store, attempted(message, result()))
    await commit(store)  # the file goes after its commit, and before the next one
    assert not file_of(store, message).exists()


async def test_a_file_stays_where_the_group_that_frees_it_is_refused(store: SqliteStore) -> None:
    await commit(store, DomainAdded(1.0, Domain("example.org")))
    message = await accept(store, FAR, data=BIG)
    twice = DomainAdded(2.0, Domain("example.org"))
    answers = await asyncio.gather(
        commit(store, attempted(message, result()), twice),
        accept(store, FAR),
        return_exceptions=True,
    )
    assert isinstance(answers[0], Conflict)
    assert isinstance(answers[1], Message)
    await commit(store)
    assert await states(store, message) == [DeliveryState.DUE]
    assert await readable(store, message)


@pytest.mark.parametrize(("times", "lost"), [(1, 0), (2, 0), (6, 2)])
async def test_where_a_commit_fails_each_of_the_batch_is_tried_alone(
    store: SqliteStore, times: int, lost: int
) -> None:
    # Together as one statement, then by savepoints; then each of the eight alone, as often.
    refused = refuse_commits(store, times)
    waiting = [accept(store, FAR) for _ in range(8)]
    answers = await asyncio.wait_for(asyncio.gather(*waiting, return_exceptions=True), 30)
    assert len(refused) == times
    failed = [each for each in answers if isinstance(each, StorageError)]
    assert len(failed) == lost
    kept = [each for each in answers if isinstance(each, Message)]
    assert len(kept) == 8 - len(failed)
    assert sum((await store.queue.counts()).values()) == len(kept)
    for message in kept:
        assert await readable(store, message)
