"""Contents in files: what a sweep leaves alone, what is synced, and what a damaged file is called."""

import asyncio
import hashlib
import os
import re
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest

from postroad.model import ContentRef, Staged, format_id
from postroad.ports import MAX_ABOVE_OCTETS, StorageError
from postroad.storage.files import ORPHAN_AGE_SECONDS, FileContents
from postroad.storage.keeping import keep_contents
from postroad.storage.sqlite.store import SqliteStore
from tests.contracts.stores import (
    FAR,
    accept,
    attempted,
    commit,
    number,
    readable,
    result,
    stage,
)
from tests.unit.storage.test_durable import synced_paths

BIG = b"0123456789abcde\n" * 20_000


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[SqliteStore]:
    opened = await SqliteStore.open(tmp_path / "data")
    yield opened
    await opened.close()


def files(store: SqliteStore) -> dict[str, Path]:
    directory = store.database.path.parent / "content"
    return {path.name: path for path in directory.glob("*/*")}


def path_of(store: SqliteStore, content: int) -> Path:
    assert isinstance(store.large, FileContents)
    return store.large.path(content)


def grow_old(store: SqliteStore) -> None:
    """What a clock that is set forward makes of all files."""
    for path in files(store).values():
        then = path.stat().st_mtime - ORPHAN_AGE_SECONDS - 1
        os.utime(path, (then, then))


async def test_orphans_are_swept_once_they_are_old(store: SqliteStore) -> None:
    kept = await accept(store, FAR, data=BIG)
    orphan = await stage(store, BIG)
    store.large.let_go([orphan.ref.id])
    assert await store.content.sweep_orphans() == 0
    grow_old(store)
    assert await store.content.sweep_orphans() == 1
    assert files(store).keys() == {format_id(kept.content.id)}
    assert not files(store).keys() & {format_id(orphan.ref.id)}


async def test_what_comes_in_is_no_orphan_however_old_it_looks(
    store: SqliteStore, tmp_path: Path
) -> None:
    """Neither for another process, nor while its commit is under way."""
    other = await SqliteStore.open(tmp_path / "data")
    try:
        coming = store.content.stage(number())
        coming.write(BIG)
        staged = await stage(store, BIG)
        grow_old(store)
        assert len(files(store)) == 2
        assert await other.content.sweep_orphans() == 0
        assert await store.content.sweep_orphans() == 0
        coming.write(b"the end")
        finished = await coming.finish()
        assert files(store).keys() == {format_id(each.ref.id) for each in (staged, finished)}
        coming.discard()
        assert files(store).keys() == {format_id(staged.ref.id)}
    finally:
        await other.close()


async def test_opening_a_store_sweeps_nothing(store: SqliteStore, tmp_path: Path) -> None:
    store.large.let_go([(await stage(store, BIG)).ref.id])
    grow_old(store)
    await (await SqliteStore.open(tmp_path / "data")).close()
    assert len(files(store)) == 1


async def test_after_the_commit_nobody_holds_the_file(store: SqliteStore) -> None:
    before = len(os.listdir("/proc/self/fd"))
    message = await accept(store, FAR, data=BIG)
    await asyncio.sleep(0)
    assert len(os.listdir("/proc/self/fd")) == before
    assert await readable(store, message)


async def test_a_file_that_was_removed_meanwhile_is_not_acknowledged(store: SqliteStore) -> None:
    writer = store.content.stage(number())
    writer.write(BIG)
    for path in files(store).values():
        path.unlink()
    with pytest.raises(StorageError, match="removed"):
        await writer.finish()


@pytest.mark.parametrize("above", [b"", b"X: y\r\n" * 50], ids=["as it came", "with fields above"])
async def test_a_file_that_was_cut_is_damaged(store: SqliteStore, above: bytes) -> None:
    content = number()
    writer = store.content.stage(content)
    writer.write(BIG)
    staged = await writer.finish(above)
    await insert(store, staged)
    assert await store.content.read(staged.ref) == above + BIG
    (path,) = files(store).values()
    for octets in (1, MAX_ABOVE_OCTETS // 2, len(BIG)):
        os.truncate(path, path.stat().st_size - octets)
        for limit in (None, 100):
            with pytest.raises(StorageError, match=re.escape(f"{path}: ") + ".*damaged"):
                await store.content.read(staged.ref, 0, limit)


async def insert(store: SqliteStore, staged: Staged) -> None:
    values = (staged.ref.id, staged.ref.size, "file", staged.begins)
    sql = "INSERT INTO content (id, size, place, begins) VALUES (?, ?, ?, ?)"
    await store.writer.run(lambda connection: connection.execute(sql, values).fetchall())


async def test_bytes_and_names_are_synced_before_the_commit(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen = synced_paths(monkeypatch)
    data = tmp_path / "new" / "data"
    store = await SqliteStore.open(data)
    try:
        assert seen == [str(tmp_path), str(tmp_path / "new"), str(data)]
        assert (data / "content").is_dir(), "made before its directory was synced"
        seen.clear()
        await stage(store, BIG)
        (path,) = files(store).values()
        assert seen == [str(path), str(path.parent), str(data / "content")]
    finally:
        await store.close()


async def test_nothing_is_in_a_buffer_when_the_file_is_synced(
    store: SqliteStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    synced: list[int] = []
    real: Callable[[int], None] = os.fsync

    def fsync(handle: int) -> None:
        synced.append(os.fstat(handle).st_size)
        real(handle)

    monkeypatch.setattr(os, "fsync", fsync)
    writer = store.content.stage(number())
    writer.write(BIG)
    writer.write(b"the end")
    staged = await writer.finish()
    assert synced[0] == staged.begins + staged.ref.size


async def test_a_folder_that_another_process_made_is_synced_too(
    store: SqliteStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It may not have come so far, or a crash have come between."""
    content = number()
    folder = path_of(store, content).parent
    folder.mkdir(mode=0o700)
    seen = synced_paths(monkeypatch)
    for each in (content, content + 2**40):
        assert path_of(store, each).parent == folder
        await stage(store, BIG, content_id=each)
    assert seen.count(str(folder.parent)) == 1
    assert seen.count(str(folder)) == 2


async def test_a_content_of_which_nothing_is_there(store: SqliteStore) -> None:
    with pytest.raises(StorageError, match="gone"):
        await store.content.read(ContentRef(number(), 5))


async def test_nothing_is_removed_while_a_backup_is_made(
    store: SqliteStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("postroad.storage.keeping.WAIT_SECONDS", 0.05)
    first, second = await accept(store, FAR, data=BIG), await accept(store, FAR, data=BIG)
    orphan = await stage(store, BIG)
    store.large.let_go([orphan.ref.id])
    grow_old(store)
    with keep_contents(store.database.path.parent):
        await commit(store, attempted(first, result()))
        await commit(store)
        assert await store.content.sweep_orphans() == 0
        assert len(files(store)) == 3
        with (
            pytest.raises(StorageError, match="another backup"),
            keep_contents(store.database.path.parent),
        ):
            pass
    await commit(store, attempted(second, result()))
    await commit(store)
    assert files(store).keys() == {format_id(orphan.ref.id)}
    assert await store.content.sweep_orphans() == 1


async def test_the_digest_is_of_the_content_as_it_reads(store: SqliteStore) -> None:
    writer = store.content.stage(number())
    writer.write(BIG)
    staged = await writer.finish(b"X: y\r\n")
    assert staged.digest == hashlib.sha256(b"X: y\r\n" + BIG).digest()
