"""What does not fit in a database is found and named; what fits is not."""

import os
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from postroad.model import DeliveryState, format_id
from postroad.storage.files import FileContents
from postroad.storage.sql.verify import Report, verify
from postroad.storage.sqlite.connecting import PAGE_SIZE
from postroad.storage.sqlite.soundness import ENGINE
from postroad.storage.sqlite.store import SqliteStore
from tests.contracts.stores import (
    ANN,
    BOB,
    FAR,
    INLINE_MAX,
    accept,
    attempted,
    commit,
    deposited,
    people,
    result,
)

BIG = b"0123456789abcde\n" * 1000
SPARE = 901


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[SqliteStore]:
    opened = await SqliteStore.open(
        tmp_path / "data", inline_max_octets=INLINE_MAX, cache_max_octets=0
    )
    await people(opened)
    for number, data in ((101, BIG), (102, b"small\r\n")):
        message = await accept(opened, ANN, FAR, message=number, data=data)
        await commit(opened, attempted(message, result()), deposited(message))
    ended = await accept(opened, FAR, BOB, message=103, data=BIG)
    bounced = [result(each, DeliveryState.BOUNCED) for each in (0, 1)]
    await commit(opened, attempted(ended, *bounced))
    yield opened
    await opened.close()


async def report_of(store: SqliteStore) -> Report:
    return await verify(store.database.reader, store.large.read, lambda *_: None, ENGINE)


async def test_what_is_sound(store: SqliteStore) -> None:
    report = await report_of(store)
    assert report.problems == []
    assert report.sound
    assert report.checked == {
        "messages": 3,
        "journey rows": 5,
        "deliveries": 6,
        "entries": 2,
        "accounts": 1,
        "contents": 2,
        "large contents": 1,
        "octets of large contents": len(BIG),
    }


ANOTHERS_EMAIL = """
INSERT INTO email VALUES (5, 7, 1, 901, 1, 1, 1, 0, 0, 9, 0, '', 0, '', '', '', '{}')
"""


@pytest.mark.parametrize(
    ("harm", "words"),
    [
        ("DELETE FROM message WHERE id = 101", "message {101} are there, but not the message"),
        ("DELETE FROM content WHERE id = 102", "message {102} still has deliveries"),
        ("DELETE FROM content WHERE id = 102", "uid 2: its content {102} is gone"),
        ("UPDATE entry SET size = size + 1 WHERE uid = 2", "uid 2: the sizes"),
        ("UPDATE entry SET mailbox = 901 WHERE uid = 2", "mailbox {901}, but no such"),
        ("UPDATE mailbox SET uid_next = 2", "its counters"),
        ("UPDATE mailbox SET account = 901", "account {901}, which is not there"),
        ("UPDATE account SET inbox = 901", "ann@example.org has no INBOX"),
        ("DELETE FROM domain", "ann@example.org is of a domain that is not ours"),
        ("UPDATE content SET data = x'00' WHERE id = 102", "should have 7 octets, and has 1"),
        ("UPDATE content SET data = null WHERE id = 102", "should have 7 octets, and has None"),
        (
            "INSERT INTO upload VALUES (102, 901, 8, '', 0)",
            "{901}: the content of its upload {102}",
        ),
        (ANOTHERS_EMAIL, "email 5 is of no entry"),
        ("UPDATE message SET accepted = '{' WHERE id = 102", "message {102} cannot be read"),
        ('UPDATE journey SET changes = \'[{"type":"x"}]\' WHERE message = 102', "of the journey"),
    ],
)
async def test_what_is_wrong_is_named(store: SqliteStore, harm: str, words: str) -> None:
    await store.writer.run(lambda connection: connection.execute(harm).fetchall())
    for number in (101, 102, SPARE):
        words = words.replace(f"{{{number}}}", format_id(number))
    report = await report_of(store)
    assert not report.sound
    problem, *_ = [each for each in report.problems if words in each.what]
    assert problem.mend


async def test_what_only_takes_space_is_harmless(store: SqliteStore) -> None:
    sql = "INSERT INTO content (id, size, place, begins, data) VALUES (901, 1, 'inline', 0, x'00')"
    await store.writer.run(lambda connection: connection.execute(sql).fetchall())
    report = await report_of(store)
    assert [problem.harmless for problem in report.problems] == [True]
    assert report.sound


@pytest.mark.parametrize("harm", ["gone", "cut", "changed"])
async def test_large_contents_are_read(store: SqliteStore, harm: str) -> None:
    assert isinstance(store.large, FileContents)
    path = store.large.path(101)
    if harm == "gone":
        path.unlink()
    elif harm == "cut":
        os.truncate(path, path.stat().st_size - 1)
    else:
        data = path.read_bytes()
        path.write_bytes(data[:-5] + b"XX" + data[-3:])
    report = await report_of(store)
    (problem,) = report.problems
    assert format_id(101) in problem.what
    words = {"gone": "No such file", "cut": "damaged", "changed": "SHA-256"}
    assert words[harm] in problem.what


async def test_a_page_that_was_overwritten(store: SqliteStore, tmp_path: Path) -> None:
    sql = "SELECT rootpage FROM sqlite_schema WHERE name = 'entry_by_content'"
    page = store.database.reader.execute(sql).get
    await store.close()
    with (tmp_path / "data" / "postroad.db").open("r+b") as file:
        file.seek((int(page) - 1) * PAGE_SIZE)
        file.write(b"\xff" * 2000)
    again = await SqliteStore.open(tmp_path / "data")
    try:
        report = await report_of(again)
        assert any("the database file is damaged" in each.what for each in report.problems)
    finally:
        await again.close()
