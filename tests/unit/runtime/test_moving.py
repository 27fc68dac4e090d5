"""A whole store from SQLite to PostgreSQL and back: nothing changes, whatever cuts it off."""

import asyncio
from pathlib import Path
from typing import Any

import psycopg
import pytest

from postroad.model import (
    Condition,
    DeliveryState,
    Field,
    Label,
    Noticed,
    Sort,
    SortBy,
    Suppressed,
    Suppression,
    SuppressionReason,
    tag_mark,
)
from postroad.ports import MessageQuery, StorageError
from postroad.runtime.backup import backup, restore, verify_copy, verify_data
from postroad.runtime.config import Config, load_config
from postroad.runtime.moving import MOVED_AWAY, to_postgres, to_sqlite
from postroad.runtime.server_lock import ServerLock, ServerRuns
from postroad.runtime.stores import open_store
from postroad.storage.sqlite import copying
from postroad.storage.sqlite.store import FILE_NAME
from postroad.storage.transfer import tables as shape
from postroad.storage.transfer.rows import summed
from postroad.storage.transfer.tables import tables
from tests.contracts.stores import (
    ANN,
    BOB,
    FAR,
    INBOX,
    Store,
    accept,
    attempted,
    commit,
    deposited,
    message_of,
    people,
    result,
    stage,
)
from tests.contracts.test_emails import glance
from tests.contracts.test_journey import picture
from tests.postgres import a_database
from tests.unit.runtime.served import write_config

NEWEST = (Sort(SortBy.RECEIVED_AT, ascending=False),)
TEXT = b"Subject: Quarterly figures\r\n\r\nThe lighthouse stands on %d rocks.\r\n"


def quiet(what: str, done: int, total: int) -> None:
    assert 0 <= done <= total


class Place:
    """A data directory and an empty database, by two configurations: without and with its URL."""

    def __init__(self, directory: Path) -> None:
        directory.mkdir()
        self.url = a_database()
        path = write_config(directory)
        self.sqlite = load_config(path, {})
        self.postgres = load_config(path, {"POSTROAD_STORAGE__URL": self.url})
        self.data_dir = self.sqlite.server.data_dir

    def sums(self) -> dict[str, Any]:
        """What all tables of the file are."""
        with copying.moment(self.data_dir / FILE_NAME, 1.0) as connection:
            return {table.name: summed(connection, table) for table in tables()}


async def fill(config: Config) -> None:
    store = await open_store(config)
    try:
        await people(store)
        for number in range(12):
            large = b"0123456789\r\n" * 30_000 if number % 4 == 0 else b""
            message = await accept(
                store, ANN, FAR, data=TEXT % number + large, message_id=f"<{number}@x>"
            )
            if number % 2:
                await commit(store, attempted(message, result(0)), deposited(message))
            if number % 3 == 0:
                await commit(store, attempted(message, result(1, DeliveryState.BOUNCED)))
        found, up_to = await store.emails.unnoticed(7, 100)
        seen = tuple(glance(each.mailbox, each.entry.uid) for each in found)
        await commit(store, Noticed(9.0, 7, seen, tuple(up_to.items())))
        gone = Suppression(FAR, "", SuppressionReason.MANUAL, "asked for", 5.0)
        await commit(store, Suppressed(5.0, (gone,)))
    finally:
        await store.close()


async def seen_in(config: Config) -> list[Any]:
    store: Store = await open_store(config)
    try:
        words = Condition(Field.BODY, ("lighthouse stands",))
        return [
            await picture(store),
            await store.queue.counts(),
            list(await store.journey.after(0, 10_000)),
            await store.emails.find(7, None, NEWEST),
            sorted(await store.emails.find(7, words, NEWEST)),
            store.secret,
        ]
    finally:
        await store.close()


def test_there_and_back(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    place = Place(tmp_path / "a")
    asyncio.run(fill(place.sqlite))
    before, sums = asyncio.run(seen_in(place.sqlite)), place.sums()
    assert len(before[3]) == 6
    assert before[4] == [], "the glances of this test had no words"

    monkeypatch.setattr(shape, "PAGE_ROWS", 5)
    steps = []

    def cut_off(what: str, done: int, total: int) -> None:
        steps.append((what, done))
        if len(steps) in (5, 12):
            raise KeyboardInterrupt

    for _ in range(2):
        with pytest.raises(KeyboardInterrupt):
            to_postgres(place.postgres, cut_off)
        with pytest.raises(StorageError, match="has not ended"):
            asyncio.run(seen_in(place.postgres))
    tally = to_postgres(place.postgres, cut_off)
    assert tally.copied < sum(tally.tables.values()), "it went on where it was"
    assert tally.tables["entry"] == 6
    assert not (place.data_dir / FILE_NAME).exists()
    assert (place.data_dir / MOVED_AWAY).exists()

    there = asyncio.run(seen_in(place.postgres))
    assert len(there[4]) == 6, "words are made from the mail"
    assert there[:4] == before[:4]
    assert there[5] == before[5]

    back = to_sqlite(place.postgres, quiet)
    assert back.tables == tally.tables
    assert place.sums() == sums
    assert asyncio.run(seen_in(place.sqlite)) == there
    with pytest.raises(StorageError, match="was moved to SQLite"):
        asyncio.run(seen_in(place.postgres))


async def test_numbers_go_on_behind_those_that_came(tmp_path: Path) -> None:
    place = Place(tmp_path / "a")
    await fill(place.sqlite)
    await asyncio.to_thread(to_postgres, place.postgres, quiet)
    store: Store = await open_store(place.postgres)
    try:
        message = await accept(store, ANN)
        await commit(store, attempted(message, result(0)), deposited(message))
        listing = await store.mailboxes.listing(INBOX)
        assert listing is not None
        assert list(listing.uids) == list(range(1, 8))
        sequences = [event.sequence for event in await store.journey.after(0, 10_000)]
        assert sequences == list(range(1, len(sequences) + 1))
    finally:
        await store.close()


def test_what_is_refused(tmp_path: Path) -> None:
    place, other = Place(tmp_path / "a"), Place(tmp_path / "b")
    with pytest.raises(StorageError, match=r"storage\.url names no"):
        to_postgres(place.sqlite, quiet)
    place.data_dir.mkdir(exist_ok=True)
    with pytest.raises(StorageError, match="nothing to move"):
        to_postgres(place.postgres, quiet)
    asyncio.run(fill(place.sqlite))
    with pytest.raises(StorageError, match="is there already"):
        to_sqlite(place.postgres, quiet)
    lock = ServerLock(place.data_dir)
    try:
        with pytest.raises(ServerRuns):
            to_postgres(place.postgres, quiet)
    finally:
        lock.close()
    asyncio.run(fill(other.postgres))
    occupied = load_config(tmp_path / "a/postroad.toml", {"POSTROAD_STORAGE__URL": other.url})
    with pytest.raises(StorageError, match="has a store already"):
        to_postgres(occupied, quiet)
    away = load_config(
        tmp_path / "a/postroad.toml",
        {"POSTROAD_STORAGE__URL": "postgresql://nobody@127.0.0.1:1/x"},
    )
    with pytest.raises(StorageError, match=r"PostgreSQL \(storage\.url\)"):
        to_postgres(away, quiet)
    assert (place.data_dir / FILE_NAME).exists()


def test_a_copy_that_changed_is_told_of(tmp_path: Path) -> None:
    place = Place(tmp_path / "a")
    asyncio.run(fill(place.sqlite))

    def spoil(what: str, done: int, total: int) -> None:
        if what == "database" and done == total:
            with psycopg.connect(place.url, autocommit=True) as connection:
                connection.execute("UPDATE delivery SET attempts = 99 WHERE ordinal = 1")

    with pytest.raises(StorageError, match=r"differs in delivery \(24 rows, and 24 in the copy\)"):
        to_postgres(place.postgres, spoil)
    assert (place.data_dir / FILE_NAME).exists()


def test_mail_that_comes_meanwhile_is_not_left_behind(tmp_path: Path) -> None:
    place = Place(tmp_path / "a")
    asyncio.run(fill(place.postgres))

    def come(what: str, done: int, total: int) -> None:
        if what == "comparing" and done == total:
            with psycopg.connect(place.url, autocommit=True) as connection:
                connection.execute("DELETE FROM suppression")

    with pytest.raises(StorageError, match="came into the database meanwhile"):
        to_sqlite(place.postgres, come)
    assert to_sqlite(place.postgres, quiet).tables["suppression"] == 0, "it begins anew"


async def test_a_backup_of_postgres_comes_back_to_either(tmp_path: Path) -> None:
    place = Place(tmp_path / "a")
    await fill(place.postgres)
    before = await seen_in(place.postgres)
    target = tmp_path / "backup"
    made = await backup(place.postgres, target, quiet)
    assert made.copied_contents == 3
    assert made.manifest.counts["entries"] == 6
    report = await verify_copy(target, quiet)
    assert report.problems == []
    for name in ("b", "c"):
        other = Place(tmp_path / name)
        config = other.sqlite if name == "b" else other.postgres
        await asyncio.to_thread(restore, config, target, quiet)
        found = await seen_in(config)
        assert found[:4] == before[:4]
        assert len(found[4]) == 6
        assert found[5] == before[5]
        checked = await verify_data(config, quiet)
        assert checked.sound, checked.problems
        assert checked.checked["large contents"] == 3
    again = await backup(place.postgres, target, quiet)
    assert (again.copied_contents, again.kept_contents) == (0, 3)


async def test_damage_on_postgres_is_found(tmp_path: Path) -> None:
    place = Place(tmp_path / "a")
    await fill(place.postgres)
    (large, *_) = (place.data_dir / "content").glob("*/*")
    large.write_bytes(large.read_bytes()[:-1] + b"?")
    with psycopg.connect(place.url, autocommit=True) as connection:
        connection.execute("DELETE FROM message WHERE id = (SELECT min(id) FROM message)")
        connection.execute("UPDATE content SET size = size + 1 WHERE place = 'inline'")
        connection.execute("UPDATE journey SET changes = '[' WHERE sequence = 5")
        connection.execute("INSERT INTO journey SELECT * FROM journey WHERE sequence = 2")
    report = await verify_data(place.postgres, quiet)
    said = "\n".join(problem.what for problem in report.problems)
    for part in ("but not the message", "should have", "row 5 of the journey", "SHA-256", "twice"):
        assert part in said
    assert not report.sound


async def test_labels_of_what_was_moved_find_it(tmp_path: Path) -> None:
    from msgspec.structs import replace

    from postroad.model import Accepted, Group
    from tests.contracts.stores import deliveries_of

    place = Place(tmp_path / "a")
    store = await open_store(place.sqlite)
    staged = await stage(store, b"Subject: x\r\n\r\n")
    message = replace(message_of(staged.ref, BOB), label=Label(1, "Hello", ("a", "b")))
    await store.ledger.commit(Group((Accepted(100.0, message, deliveries_of(message)),), (staged,)))
    await store.close()
    for move, config in ((to_postgres, place.postgres), (to_sqlite, place.sqlite)):
        await asyncio.to_thread(move, place.postgres, quiet)
        moved: Store = await open_store(config)
        try:
            query = MessageQuery(marks=(tag_mark("b"),))
            assert len(await moved.labels.find(query, 9)) == 1
        finally:
            await moved.close()
