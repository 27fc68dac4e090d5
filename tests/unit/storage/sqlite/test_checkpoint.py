from pathlib import Path

import apsw

from postroad.storage.sqlite.checkpoint import CHECKPOINT_PAGES, Checkpointer

_PAGE = 4096


def _writer(path: Path) -> apsw.Connection:
    connection = apsw.Connection(str(path))
    connection.pragma("journal_mode", "wal")
    connection.pragma("synchronous", "off")
    connection.pragma("wal_autocheckpoint", 0)
    connection.execute("CREATE TABLE page (id INTEGER PRIMARY KEY, data BLOB)")
    return connection


def _write(connection: apsw.Connection, first: int, count: int) -> None:
    rows = ((first + number, bytes(_PAGE)) for number in range(count))
    with connection:
        connection.executemany("INSERT INTO page VALUES (?, ?)", rows)


def test_the_wal_begins_anew_and_nothing_is_lost(tmp_path: Path) -> None:
    path = tmp_path / "x.db"
    writer = _writer(path)
    checkpointer = Checkpointer(path, writer)
    longest = 0
    rounds, pages = 100, CHECKPOINT_PAGES // 8
    for number in range(rounds):
        _write(writer, number * pages, pages)
        if checkpointer.due():
            checkpointer.finish()
        longest = max(longest, Path(f"{path}-wal").stat().st_size // _PAGE)
    written = writer.status(apsw.SQLITE_DBSTATUS_CACHE_WRITE)[0]
    assert written > 12 * CHECKPOINT_PAGES  # more than it would let the WAL grow to
    assert longest < 11 * CHECKPOINT_PAGES
    checkpointer.close()
    writer.close()
    with apsw.Connection(str(path)) as again:
        assert again.execute("SELECT count(*) FROM page").get == rounds * pages


def test_a_short_wal_is_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "x.db"
    writer = _writer(path)
    checkpointer = Checkpointer(path, writer)
    _write(writer, 0, CHECKPOINT_PAGES // 4)
    assert not checkpointer.due()
    checkpointer.close()
    assert Path(f"{path}-wal").stat().st_size > CHECKPOINT_PAGES // 4 * _PAGE
    writer.close()


def test_a_reader_in_the_way_only_makes_the_wal_longer(tmp_path: Path) -> None:
    path = tmp_path / "x.db"
    writer = _writer(path)
    checkpointer = Checkpointer(path, writer)
    reader = apsw.Connection(str(path))
    reader.execute("BEGIN")
    assert reader.execute("SELECT count(*) FROM page").get == 0
    for number in range(24):
        _write(writer, number * 1000, 1000)
        if checkpointer.due():
            checkpointer.finish()
    assert reader.execute("SELECT count(*) FROM page").get == 0
    reader.execute("COMMIT")
    assert reader.execute("SELECT count(*) FROM page").get == 24_000
    reader.close()
    checkpointer.close()
    writer.close()
