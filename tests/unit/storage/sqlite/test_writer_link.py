"""The process that writes: it does, it refuses what does not fit, and its death loses nothing."""

import asyncio
import os
import signal
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path

import pytest
from msgspec.structs import replace
from structlog.testing import capture_logs

from postroad.model import DeliveryState, Domain, DomainAdded, Message
from postroad.ports import Conflict, StorageFull
from postroad.storage.files import FileContents
from postroad.storage.sqlite import writer_link
from postroad.storage.sqlite.store import SqliteStore
from postroad.storage.sqlite.writer_link import WriterLink
from tests.contracts.stores import FAR, accept, attempted, commit, readable, result

BIG = b"0123456789abcde\n" * 20_000
Opening = Callable[[], AbstractAsyncContextManager[tuple[SqliteStore, WriterLink]]]

# Processes that write as ours, but do not answer as ours.
_OTHER = """
import os, sys
from postroad.storage.sqlite import writer_process
said = []
answer = writer_process.answer
def other(connection, *values):
    said.append(values)
    if len(said) == 1:
        return answer(connection, *values)
    {then}
writer_process.answer = other
sys.exit(writer_process.main(sys.argv[1:]))
"""


@pytest.fixture
def opening(tmp_path: Path) -> Opening:
    @asynccontextmanager
    async def opened() -> AsyncIterator[tuple[SqliteStore, WriterLink]]:
        store = await SqliteStore.open(tmp_path / "data", writer_process=True)
        try:
            link = store.writer.process
            assert link is not None
            async with asyncio.timeout(60):
                while not link.ready:
                    await asyncio.sleep(0.01)
            # What is committed from now on, the process commits, or nobody does.
            store.database.writer.set_commit_hook(lambda: True)
            yield store, link
        finally:
            store.database.writer.set_commit_hook(None)
            await store.close()

    return opened


@pytest.fixture
def other_process(monkeypatch: pytest.MonkeyPatch) -> Callable[[str], None]:
    def set_then(then: str) -> None:
        monkeypatch.setattr(
            writer_link, "COMMAND", (sys.executable, "-c", _OTHER.format(then=then))
        )

    return set_then


async def states(store: SqliteStore, message: Message) -> list[DeliveryState]:
    return [each.state for each in await store.queue.deliveries(message.id)]


async def test_it_writes_and_frees(opening: Opening) -> None:
    async with opening() as (store, _):
        small, large = await asyncio.gather(accept(store, FAR), accept(store, FAR, data=BIG))
        assert await readable(store, small)
        assert isinstance(store.large, FileContents)
        file = store.large.path(large.content.id)
        assert file.exists()
        await commit(store, attempted(large, result()))
        assert await states(store, large) == [DeliveryState.DELIVERED]
        async with asyncio.timeout(30):
            while file.exists():
                await asyncio.sleep(0.01)


async def test_what_does_not_fit_is_refused_alone(opening: Opening) -> None:
    async with opening() as (store, _):
        nobodys = replace(await accept(store, FAR), id=7)
        store.database.writer.set_commit_hook(None)  # who is to blame is found out here
        answers = await asyncio.gather(
            commit(store, attempted(nobodys, result())),
            accept(store, FAR),
            return_exceptions=True,
        )
        assert isinstance(answers[0], Conflict)
        assert isinstance(answers[1], Message)
        assert await readable(store, answers[1])
        await commit(store, DomainAdded(1.0, Domain("example.org")))  # and others write between
        assert await readable(store, await accept(store, FAR))


async def test_what_it_had_not_written_is_written_without_it(opening: Opening) -> None:
    async with opening() as (store, link):
        os.kill(link.pid, signal.SIGSTOP)
        waiting = asyncio.gather(*[accept(store, FAR) for _ in range(5)])
        await asyncio.sleep(0.1)
        assert not waiting.done()
        store.database.writer.set_commit_hook(None)
        with capture_logs() as logs:
            os.kill(link.pid, signal.SIGKILL)
            messages = await asyncio.wait_for(waiting, 30)
        assert [each["log_level"] for each in logs] == ["error"]
        assert sum((await store.queue.counts()).values()) == 5
        for message in messages:
            assert await readable(store, message)
        assert store.writer.process is None
        assert await readable(store, await accept(store, FAR))


async def test_what_it_had_written_is_not_written_twice(
    opening: Opening, other_process: Callable[[str], None]
) -> None:
    other_process("os._exit(0)")
    async with opening() as (store, _):
        with capture_logs():
            messages = await asyncio.wait_for(
                asyncio.gather(*[accept(store, FAR) for _ in range(5)]), 30
            )
        store.database.writer.set_commit_hook(None)
        assert sum((await store.queue.counts()).values()) == 5
        for message in messages:
            assert await readable(store, message)


async def test_a_full_disk_is_told_as_such(
    opening: Opening, other_process: Callable[[str], None]
) -> None:
    other_process("return answer(connection, 'FullError', 'database or disk is full', [], '')")
    async with opening() as (store, _):
        with pytest.raises(StorageFull):
            await accept(store, FAR)


async def test_a_checkpoint_in_trouble_is_logged(
    opening: Opening, other_process: Callable[[str], None]
) -> None:
    other_process("return answer(connection, *values[:3], 'disk I/O error')")
    async with opening() as (store, _):
        with capture_logs() as logs:
            await accept(store, FAR)
    assert [each["error"] for each in logs] == ["disk I/O error"]


async def test_without_the_process_the_server_writes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(writer_link, "COMMAND", (str(tmp_path / "nothing"),))
    with capture_logs() as logs:
        store = await SqliteStore.open(tmp_path / "data", writer_process=True)
    assert [each["log_level"] for each in logs] == ["error"]
    assert store.writer.process is None
    assert await readable(store, await accept(store, FAR))
    await store.close()
