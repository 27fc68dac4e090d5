"""What waits is brought; what cannot be does not stand in the way."""

import asyncio
import contextlib
import os
from collections.abc import Sequence
from pathlib import Path

import pytest

from postroad.model import ContentRef, format_id
from postroad.ports import StorageError
from postroad.storage.files import FileContents
from postroad.storage.large import Stored
from postroad.storage.s3 import mover
from postroad.storage.s3.bucket import Bucket
from postroad.storage.s3.mover import Mover
from tests.contracts.objects import Objects

SIZE = 5000


class Slow(Bucket):
    """Objects come late, so that something can happen meanwhile."""

    def __init__(self, objects: Objects) -> None:
        super().__init__(objects.settings())
        self.go = asyncio.Event()
        self.go.set()
        self.busy = self.most = 0

    async def put(self, ref: ContentRef, path: Path, begins: int, digest: bytes | None) -> None:
        self.busy += 1
        self.most = max(self.most, self.busy)
        await self.go.wait()
        try:
            await super().put(ref, path, begins, digest)
        finally:
            self.busy -= 1


class Scene:
    def __init__(self, files: FileContents, bucket: Slow) -> None:
        self.files = files
        self.bucket = bucket
        self.rows: dict[int, Stored] = {}
        self.mover = Mover(files, bucket, uploads=3)
        self.mover.lookup = self.lookup
        files.also = self.mover.removed

    async def lookup(self, contents: Sequence[int]) -> dict[int, Stored]:
        return {each: self.rows[each] for each in contents if each in self.rows}

    async def keep(self, number: int, *, named: bool = True) -> None:
        writer = self.files.begin(number)
        writer.write(os.urandom(SIZE))
        staged = await writer.finish(SIZE, b"")
        self.files.let_go((number,))
        self.mover.expect(number, SIZE, there=False)
        if named:
            self.rows[number] = Stored(SIZE, staged.begins, staged.digest)
        self.mover.add((number,))

    async def until(self, *there: int) -> None:
        async with asyncio.timeout(10):
            while self.objects() != {format_id(each) for each in there}:
                await asyncio.sleep(0.01)

    def objects(self) -> set[str]:
        raise NotImplementedError


@pytest.fixture
async def scene(tmp_path: Path, objects: Objects, monkeypatch: pytest.MonkeyPatch) -> Scene:
    monkeypatch.setattr(mover, "FIRST_PAUSE_SECONDS", 0.01)
    monkeypatch.setattr(mover, "LONGEST_PAUSE_SECONDS", 0.02)
    made = Scene(FileContents(tmp_path), Slow(objects))
    made.objects = lambda: set(objects.there())  # type: ignore[method-assign]
    return made


@contextlib.asynccontextmanager
async def running(scene: Scene):  # type: ignore[no-untyped-def]
    task = asyncio.create_task(scene.mover.run())
    try:
        yield
    finally:
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task
        scene.files.close()


async def test_a_few_at_a_time(scene: Scene) -> None:
    for number in range(20):
        await scene.keep(number)
    await scene.keep(99, named=False)
    assert scene.mover.waiting_octets == 21 * SIZE
    async with running(scene):
        await scene.until(*range(20))
        async with asyncio.timeout(5):
            while scene.mover.waiting_octets:
                await asyncio.sleep(0.01)
    assert scene.bucket.most == 3
    assert scene.files.stored() == [99], "what no row names is for the sweep"


async def test_one_that_is_damaged_does_not_stand_in_the_way(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(mover, "STEP_CONTENTS", 2)
    for number in range(6):
        await scene.keep(number)
    path = scene.files.path(0)
    os.truncate(path, path.stat().st_size - 1)
    async with running(scene):
        await scene.until(1, 2, 3, 4, 5)
        async with asyncio.timeout(5):  # it stays, for people to look at
            while scene.files.stored() != [0]:
                await asyncio.sleep(0.01)


async def test_removed_while_it_is_brought(scene: Scene) -> None:
    scene.bucket.go.clear()
    await scene.keep(1)
    await scene.keep(2)
    async with running(scene):
        async with asyncio.timeout(5):
            while scene.bucket.busy < 2:
                await asyncio.sleep(0.01)
        # Kept open, as a process does that is about to read it.
        held = scene.files.path(1).open("rb")
        del scene.rows[1]
        await asyncio.to_thread(scene.files.remove, (1,))
        scene.bucket.go.set()
        await scene.until(2)
        held.close()
        async with asyncio.timeout(5):
            while scene.files.stored():
                await asyncio.sleep(0.01)


async def test_removals_wait_for_s3(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    async with running(scene):
        await scene.keep(1)
        await scene.until(1)
        failures = [StorageError("away"), StorageError("away")]
        real = scene.bucket.remove

        async def remove(contents: Sequence[int]) -> None:
            if failures:
                raise failures.pop()
            await real(contents)

        monkeypatch.setattr(scene.bucket, "remove", remove)
        del scene.rows[1]
        await asyncio.to_thread(scene.files.remove, (1,))
        await scene.until()
    assert failures == []
