"""Large contents are durable when they are acknowledged: here, and in S3 later, or in S3."""

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from msgspec.structs import replace

from postroad.model import Message, format_id
from postroad.ports import StorageError, StorageFull
from postroad.storage.files import FileContents
from postroad.storage.keeping import keep_contents
from postroad.storage.s3 import mover
from postroad.storage.s3.bucket import Bucket, Claimed
from postroad.storage.s3.contents import Durable, S3Contents, S3Settings
from postroad.storage.sqlite.store import SqliteStore
from tests.contracts.objects import Objects
from tests.contracts.stores import FAR, INLINE_MAX, accept, attempted, commit, result

BIG = b"0123456789abcde\n" * 1000


class Flaky(Bucket):
    """S3, which can be away."""

    away = False
    calls = 0

    async def put(self, *arguments: object) -> None:
        self._may_fail()
        await super().put(*arguments)  # type: ignore[arg-type]

    async def remove(self, contents: Sequence[int]) -> None:
        self._may_fail()
        await super().remove(contents)

    async def claim(self, owner: str) -> None:
        self._may_fail()
        await super().claim(owner)

    def _may_fail(self) -> None:
        self.calls += 1
        if self.away:
            raise StorageError("S3 is away")


class Scene:
    """A store with its large contents in S3. `run` has them moved."""

    def __init__(self, store: SqliteStore, objects: Objects) -> None:
        self.store = store
        self.objects = objects
        assert isinstance(store.large, S3Contents)
        self.large = store.large
        assert isinstance(self.large.bucket, Flaky)
        self.bucket = self.large.bucket

    @asynccontextmanager
    async def run(self) -> AsyncIterator[None]:
        task = asyncio.create_task(self.large.run(first=True))
        try:
            yield
        finally:
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await task

    def files(self) -> set[str]:
        return {each.name for each in self.large.files.directory.glob("*/*")}

    async def until(self, happened: Callable[[], bool]) -> None:
        async with asyncio.timeout(10):
            while not happened():
                await asyncio.sleep(0.01)

    async def settled(self, *there: Message) -> None:
        """Wait until these are in S3, and nothing else, and nothing is here."""
        names = {format_id(message.content.id) for message in there}
        await self.until(lambda: self.objects.there().keys() == names and not self.files())


@asynccontextmanager
async def opened(
    path: Path, objects: Objects, durable: Durable = Durable.LOCAL, limit: int = 2**30
) -> AsyncIterator[Scene]:
    settings = S3Settings(durable, max_waiting_octets=limit, sweep_seconds=0)
    store = await SqliteStore.open(
        path,
        inline_max_octets=INLINE_MAX,
        cache_max_octets=0,
        large=lambda data: S3Contents(FileContents(data), Flaky(objects.settings()), settings),
    )
    try:
        scene = Scene(store, objects)
        scene.large.join(store.content.stored, store.node)
        yield scene
    finally:
        await store.close()


@pytest.fixture(autouse=True)
def short_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(mover, "FIRST_PAUSE_SECONDS", 0.01)
    monkeypatch.setattr(mover, "LONGEST_PAUSE_SECONDS", 0.05)


async def test_here_first_and_in_s3_soon(objects: Objects, tmp_path: Path) -> None:
    async with opened(tmp_path / "data", objects) as scene, scene.run():
        message = await accept(scene.store, FAR, data=BIG)
        await scene.settled(message)
        assert await scene.store.content.read(message.content, 5, 100) == BIG[5:105]
        assert scene.large.mover.waiting_octets == 0
        await commit(scene.store, attempted(message, result()))
        await scene.settled()


async def test_while_s3_is_away_mail_is_taken_and_read(objects: Objects, tmp_path: Path) -> None:
    async with opened(tmp_path / "data", objects) as scene, scene.run():
        scene.bucket.away = True
        messages = [await accept(scene.store, FAR, data=BIG) for _ in range(20)]
        gone = messages.pop()
        await commit(scene.store, attempted(gone, result()))
        calls = scene.bucket.calls
        await scene.until(lambda: scene.bucket.calls > calls + 3)
        assert objects.there() == {}
        for message in messages:
            assert await scene.store.content.read(message.content) == BIG
        scene.bucket.away = False
        await scene.settled(*messages)


async def test_what_an_earlier_life_left_is_brought(objects: Objects, tmp_path: Path) -> None:
    """As after kill -9: nothing was moved, and nothing said good-bye."""
    async with opened(tmp_path / "data", objects) as scene:
        message = await accept(scene.store, FAR, data=BIG)
        orphan = scene.store.content.stage(4711)
        orphan.write(BIG)
        await orphan.finish()
        assert len(scene.files()) == 2
    async with opened(tmp_path / "data", objects) as scene, scene.run():
        await scene.until(lambda: format_id(message.content.id) in objects.there())
        await scene.until(lambda: scene.files() == {format_id(4711)})
        assert await scene.store.content.read(message.content) == BIG
        assert objects.there().keys() == {format_id(message.content.id)}


async def test_a_store_of_files_becomes_one_of_objects(objects: Objects, tmp_path: Path) -> None:
    store = await SqliteStore.open(tmp_path / "data", inline_max_octets=INLINE_MAX)
    message = await accept(store, FAR, data=BIG)
    await store.close()
    async with opened(tmp_path / "data", objects) as scene:
        assert await scene.store.content.read(message.content) == BIG
        async with scene.run():
            await scene.settled(message)
            assert await scene.store.content.read(message.content) == BIG


async def test_so_much_may_wait_and_no_more(objects: Objects, tmp_path: Path) -> None:
    async with opened(tmp_path / "data", objects, limit=40_000) as scene, scene.run():
        scene.bucket.away = True
        messages = [await accept(scene.store, FAR, data=BIG) for _ in range(3)]
        with pytest.raises(StorageFull, match="max_waiting_octets"):
            await accept(scene.store, FAR, data=BIG)
        small = await accept(scene.store, FAR, data=b"small")
        assert await scene.store.content.read(small.content) == b"small"
        scene.bucket.away = False
        await scene.settled(*messages)
        await scene.settled(*messages, await accept(scene.store, FAR, data=BIG))


async def test_in_s3_before_it_is_acknowledged(objects: Objects, tmp_path: Path) -> None:
    async with opened(tmp_path / "data", objects, Durable.S3) as scene:
        message = await accept(scene.store, FAR, data=BIG)
        assert objects.there().keys() == {format_id(message.content.id)}
        scene.bucket.away = True
        with pytest.raises(StorageError, match="S3 is away"):
            await accept(scene.store, FAR, data=BIG)
        assert scene.files() == {format_id(message.content.id)}, "of the other nothing is left"
        scene.bucket.away = False
        calls = scene.bucket.calls
        async with scene.run():
            await scene.settled(message)
        assert scene.bucket.calls == calls, "it was there: nothing more was asked"


async def test_no_object_is_removed_while_a_backup_is_made(
    objects: Objects, tmp_path: Path
) -> None:
    async with opened(tmp_path / "data", objects) as scene, scene.run():
        first, second = [await accept(scene.store, FAR, data=BIG) for _ in range(2)]
        await scene.settled(first, second)
        with keep_contents(tmp_path / "data"):
            await commit(scene.store, attempted(first, result()))
            await asyncio.sleep(0.1)
            assert await scene.large.sweep_objects(-60) == 0
            assert len(objects.there()) == 2
        await commit(scene.store, attempted(second, result()))
        await scene.settled()


async def test_old_objects_that_nobody_names_are_swept(objects: Objects, tmp_path: Path) -> None:
    async with opened(tmp_path / "data", objects) as scene, scene.run():
        kept = await accept(scene.store, FAR, data=BIG)
        lost = await accept(scene.store, FAR, data=BIG)
        await scene.settled(kept, lost)
        scene.large.files.also = lambda contents: None  # as if it had died just then
        await commit(scene.store, attempted(lost, result()))
        assert await scene.large.sweep_objects() == 0, "it is young"
        assert await scene.large.sweep_objects(-60) == 1
        await scene.settled(kept)
        assert await scene.store.content.read(kept.content) == BIG


async def test_objects_of_another_store_are_left_alone(objects: Objects, tmp_path: Path) -> None:
    async with opened(tmp_path / "one", objects) as scene, scene.run():
        message = await accept(scene.store, FAR, data=BIG)
        await scene.settled(message)
    async with opened(tmp_path / "two", objects) as scene:
        with pytest.raises(Claimed):
            await asyncio.wait_for(scene.large.run(first=True), 10)
    async with opened(tmp_path / "two", objects, Durable.S3) as scene:
        with pytest.raises(Claimed):
            await accept(scene.store, FAR, data=BIG)
    assert objects.there().keys() == {format_id(message.content.id)}


async def test_a_read_does_not_wait_for_what_does_not_answer(
    objects: Objects, tmp_path: Path
) -> None:
    async with opened(tmp_path / "data", objects) as scene, scene.run():
        message = await accept(scene.store, FAR, data=BIG)
        await scene.settled(message)
        gone = replace(objects.settings(), endpoint="http://127.0.0.1:1")
        scene.large.bucket = Bucket(gone)
        began = time.monotonic()
        with pytest.raises(StorageError, match="S3 answers"):
            await scene.store.content.read(message.content)
        assert time.monotonic() - began < 5
