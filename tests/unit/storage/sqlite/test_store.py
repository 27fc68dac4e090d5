"""What is SQLite's alone: files, permissions, errors of the disk, several processes."""

import asyncio
import re
import stat
import subprocess
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import apsw
import pytest

from postroad.model import Account, AccountAdded, Domain, DomainAdded, Expunged, format_id
from postroad.ports import Conflict, StorageError, StorageFull
from postroad.storage.sql.statements import SQL
from postroad.storage.sqlite.store import SqliteStore
from tests.contracts.stores import (
    ANN,
    BOB,
    FAR,
    INBOX,
    accept,
    attempted,
    commit,
    deposited,
    number,
    people,
    result,
    stage,
)


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[SqliteStore]:
    opened = await SqliteStore.open(tmp_path / "data", busy_timeout_seconds=0.3)
    yield opened
    await opened.close()


BIG = b"0123456789abcde\n" * 20_000


async def test_files_are_ours_alone(store: SqliteStore, tmp_path: Path) -> None:
    await people(store)
    await accept(store, FAR, data=BIG)
    assert await store.locks.acquire(INBOX)
    modes = {
        str(path.relative_to(tmp_path)): stat.S_IMODE(path.stat().st_mode)
        for path in tmp_path.rglob("*")
    }
    assert {"data/postroad.db", "data/postroad.db-wal", "data/locks"} <= modes.keys()
    assert len([name for name in modes if name.startswith("data/content/")]) == 2
    for name, mode in modes.items():
        assert mode == (0o700 if (tmp_path / name).is_dir() else 0o600), name


async def test_commits_are_durable_by_setting(store: SqliteStore) -> None:
    assert store.database.writer.pragma("synchronous") == 2
    assert store.database.writer.pragma("journal_mode") == "wal"


async def test_a_full_disk(store: SqliteStore) -> None:
    await people(store)
    pages = store.database.writer.pragma("page_count")
    store.database.writer.pragma("max_page_count", pages + 60)
    answers = await asyncio.gather(
        *(accept(store, FAR, data=b"x" * 50_000) for _ in range(10)), return_exceptions=True
    )
    full = [answer for answer in answers if isinstance(answer, BaseException)]
    assert all(isinstance(answer, StorageFull) for answer in full)
    assert 5 <= len(full) < 10, "those that fit are stored"
    assert re.search(r"postroad\.db.*Free space", str(full[0]))
    assert sum((await store.queue.counts()).values()) == 10 - len(full)
    store.database.writer.pragma("max_page_count", 2**30)
    await accept(store, FAR, data=b"x" * 50_000)


FILE_LIMIT = """
import asyncio, resource, sys
from pathlib import Path
from postroad.ports import StorageError
from postroad.storage.sqlite.store import SqliteStore
from tests.contracts.stores import FAR, accept

async def main():
    store = await SqliteStore.open(Path(sys.argv[1]), inline_max_octets=100_000)
    first = await accept(store, FAR)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1_000_000, 1_000_000))
    errors = await asyncio.gather(
        *(accept(store, FAR, data=b"x" * size) for size in (90_000, 2_000_000) * 20),
        return_exceptions=True)
    bad = [e for e in errors if isinstance(e, BaseException)]
    assert len(bad) >= 20 and all(isinstance(e, StorageError) for e in bad), bad[:3]
    assert await store.queue.message(first.id) == first
    print(len(errors) - len(bad))

asyncio.run(main())
"""


async def test_a_disk_that_refuses_writes_in_the_midst(tmp_path: Path) -> None:
    """RLIMIT_FSIZE makes write(2) fail, for the WAL and for files of large contents."""
    done = await asyncio.to_thread(
        subprocess.run,
        [sys.executable, "-c", FILE_LIMIT, str(tmp_path / "data")],
        cwd=Path(__file__).parents[4],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    store = await SqliteStore.open(tmp_path / "data")
    try:
        assert store.database.reader.pragma("integrity_check") == "ok"
        assert sum((await store.queue.counts()).values()) == 1 + int(done.stdout)
        assert list((tmp_path / "data/content").glob("*/*")) == []
    finally:
        await store.close()


async def test_a_damaged_file_is_named(tmp_path: Path) -> None:
    (tmp_path / "postroad.db").write_bytes(b"this is no database, not at all" * 200)
    with pytest.raises(StorageError, match=r"postroad\.db.*damaged.*backup"):
        await SqliteStore.open(tmp_path)


async def test_a_place_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(StorageError, match="file"):
        await SqliteStore.open(tmp_path / "file")


async def test_a_write_waits_for_another_process_without_stopping_the_loop(
    store: SqliteStore,
) -> None:
    other = apsw.Connection(str(store.database.path))
    other.execute("BEGIN IMMEDIATE")
    task = asyncio.ensure_future(people(store))
    for _ in range(5):
        await asyncio.sleep(0.01)
        assert await store.directory.domain("example.org") is None
    assert not task.done()
    other.execute("COMMIT")
    await task
    assert await store.directory.domain("example.org") is not None
    other.execute("BEGIN IMMEDIATE")
    with pytest.raises(StorageError, match="Another process holds"):
        await accept(store, FAR)
    other.close()
    await accept(store, FAR)


async def test_two_stores_on_one_file_see_each_other(store: SqliteStore, tmp_path: Path) -> None:
    other = await SqliteStore.open(tmp_path / "data")
    try:
        await people(store)
        assert await other.directory.account(ANN) is not None
        await asyncio.gather(
            *(
                accept(one, FAR, data=BIG if turn % 9 == 0 else b"x")
                for turn in range(40)
                for one in (store, other)
            )
        )
        assert sum((await store.queue.counts()).values()) == 80
        with pytest.raises(Conflict):
            await commit(other, DomainAdded(1.0, Domain("example.org")))
        assert await store.locks.acquire(5)
        assert not await other.locks.acquire(5)
        store.locks.release(5)
        assert await other.locks.acquire(5)
        assert store.node == other.node
    finally:
        await other.close()


async def test_files_of_large_contents_come_and_go(store: SqliteStore, tmp_path: Path) -> None:
    def files() -> list[str]:
        return sorted(path.name for path in (tmp_path / "data/content").glob("*/*"))

    await people(store)
    relayed, kept = await accept(store, FAR, data=BIG), await accept(store, ANN, data=BIG)
    discarded = store.content.stage(number())
    discarded.write(BIG)
    assert len(files()) == 3
    discarded.discard()
    await commit(store, attempted(relayed, result()))
    await commit(store, attempted(kept, result()), deposited(kept))
    await commit(store, *())
    assert files() == [format_id(kept.content.id)]
    await commit(store, Expunged(1.0, INBOX, (1,)))
    await commit(store, *())  # the file goes after its commit, and before the next one
    assert files() == []


async def test_the_cache_is_bounded(tmp_path: Path) -> None:
    store = await SqliteStore.open(tmp_path, cache_max_octets=1000)
    try:
        refs = [(await stage(store, b"x" * 200)).ref for _ in range(20)]
        found = 0
        for ref in refs:
            try:
                found += len(await store.content.read(ref)) == 200
            except StorageError:
                continue
        assert found == 5
    finally:
        await store.close()


async def test_a_closed_store_refuses(tmp_path: Path) -> None:
    store = await SqliteStore.open(tmp_path)
    pending = asyncio.ensure_future(people(store))
    await asyncio.sleep(0)
    await store.close()
    await store.close()
    await pending
    with pytest.raises(StorageError, match="closed"):
        await accept(store, FAR)


async def test_a_mistake_in_one_group_does_not_stop_the_writer(store: SqliteStore) -> None:
    await people(store)
    wrong = AccountAdded(1.0, Account(2**70, BOB, "h", 78))
    answers = await asyncio.gather(commit(store, wrong), accept(store, FAR), return_exceptions=True)
    assert isinstance(answers[0], OverflowError)
    assert not isinstance(answers[1], BaseException)


async def test_large_listings_are_made_in_a_thread(store: SqliteStore) -> None:
    await people(store)
    store.database.writer.execute("UPDATE mailbox SET uid_next = 100000")
    store.database.writer.execute(
        "WITH RECURSIVE n (uid) AS (VALUES (1) UNION ALL SELECT uid + 1 FROM n WHERE uid < 99999)"
        " INSERT INTO entry (mailbox, uid, message, content, content_size, size, plain, deposited_at,"
        " modseq, prefix) SELECT 77, uid, 1, 1, 1, uid * 2, 0, 1.0, uid, x'' FROM n"
    )
    listing = await store.mailboxes.listing(INBOX)
    assert listing is not None
    assert list(listing.uids) == list(range(1, 100_000))
    assert list(listing.sizes) == list(range(2, 200_000, 2))


# A statement that walks a whole table would be slow only when the table is large, and so in nobody's
# tests: the plan tells. What may be long by its nature is named here.
WALKS = {
    "delivery_counts",
    "leased_all",
    "leased_nodes",
    "domain_all",
    "words_wanting_count",
    "account_all",
    "alias_all",
    "find_newest",
    "standing_most",  # the worst first, as far as the limit
    "standing_keep_newest",
    "login_newest",  # the newest first, as far as the limit
    "prunable_still",  # the journey's last row, one step
    "waiting_destinations",
    "entry_listing",
    "domain_used",
    "tls_result_first",  # a constant row
    "email_words_few",
    "api_key_list",
    "template_list",
    "webhook_list",
    "source_spent_add",  # a constant row
}


WHOLE = ("verify_", "count_", "snapshot_")  # to look at all is what they are for


@pytest.mark.parametrize("name", [name for name in SQL if not name.startswith(WHOLE)])
async def test_statements_use_an_index(store: SqliteStore, name: str) -> None:
    sql = SQL[name]
    numbered = [int(found) for found in re.findall(r"\?(\d+)", sql)]
    named = re.findall(r":([a-z]+)", sql)
    values = dict.fromkeys(named) or [None] * max(numbered, default=sql.count("?"))
    plan = [row[3] for row in store.database.reader.execute(f"EXPLAIN QUERY PLAN {sql}", values)]
    # A list of what is asked for is a virtual table; that of words says so of a look-up by row, too.
    walks = [step for step in plan if step.startswith("SCAN") and "VIRTUAL TABLE" not in step]
    assert bool(walks) == (name in WALKS), plan
    if name in ("delivery_counts", "waiting_walk", "waiting_first", "waiting_of_destination"):
        assert any("COVERING" in step for step in plan), plan
