import resource
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

import apsw
import pytest
from structlog.testing import capture_logs

from postroad.storage.sqlite.checkpoint import CHECKPOINT_PAGES, Checkpointer
from postroad.storage.sqlite.database import tell_of_checkpoints

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
    checkpointer = Checkpointer(path, writer, tell_of_checkpoints)
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
    checkpointer = Checkpointer(path, writer, tell_of_checkpoints)
    _write(writer, 0, CHECKPOINT_PAGES // 4)
    assert not checkpointer.due()
    checkpointer.close()
    assert Path(f"{path}-wal").stat().st_size > CHECKPOINT_PAGES // 4 * _PAGE
    writer.close()


class FailingVFS(apsw.VFS):
    """A disk on which nothing reaches the database file itself for a while."""

    def __init__(self, name: str) -> None:
        super().__init__(name, "unix")
        self.failing = False

    def xOpen(self, name: str | apsw.URIFilename | None, flags: list[int]) -> apsw.VFSFile:
        return FailingFile(self, name, flags)


class FailingFile(apsw.VFSFile):
    def __init__(
        self, vfs: FailingVFS, name: str | apsw.URIFilename | None, flags: list[int]
    ) -> None:
        super().__init__("unix", name, flags)
        self._vfs = vfs
        self._is_log = name is not None and str(_filename(name)).endswith("-wal")

    def xWrite(self, data: bytes, offset: int) -> None:
        if self._vfs.failing and not self._is_log:
            raise apsw.IOError("I/O error, says the test")
        super().xWrite(data, offset)


def _filename(name: str | apsw.URIFilename) -> str:
    return name.filename() if isinstance(name, apsw.URIFilename) else name


def test_a_disk_that_fails_is_tried_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    vfs = FailingVFS("failing")
    monkeypatch.setattr(apsw, "Connection", partial(apsw.Connection, vfs="failing"))
    path = tmp_path / "x.db"
    writer = _writer(path)
    checkpointer = Checkpointer(path, writer, tell_of_checkpoints)
    vfs.failing = True
    with capture_logs() as logs:
        for number in range(12):
            _write(writer, number * 1000, 1000)
            if checkpointer.due():
                checkpointer.finish()
        until(lambda: not checkpointer._busy)
    assert [each["event"] for each in logs] == ["the log of the database cannot be moved into it"]
    grown = Path(f"{path}-wal").stat().st_size
    vfs.failing = False
    for number in range(12, 30):
        _write(writer, number * 1000, 1000)
        if checkpointer.due():
            checkpointer.finish()
        until(lambda: not checkpointer._busy)
    assert Path(f"{path}-wal").stat().st_size < grown + 8000 * _PAGE
    assert checkpointer._thread.is_alive()
    checkpointer.close()
    writer.close()
    with apsw.Connection(str(path)) as again:
        assert again.execute("SELECT count(*) FROM page").get == 30_000


def test_what_it_needs_is_opened_at_the_start(tmp_path: Path) -> None:
    """Later there may be no file descriptor left for it."""
    path = tmp_path / "x.db"
    writer = _writer(path)
    checkpointer = Checkpointer(path, writer, tell_of_checkpoints)
    limits = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (0, limits[1]))
    try:
        _write(writer, 0, CHECKPOINT_PAGES + 100)
        assert not checkpointer.due()
        until(lambda: not checkpointer._busy)
        assert checkpointer._few_left
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, limits)
    _write(writer, 10_000, 1)
    assert checkpointer.due()
    checkpointer.finish()
    assert begins_anew(writer, path, 20_000)
    checkpointer.close()
    writer.close()


def until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 30
    while not condition():
        assert time.monotonic() < deadline, "it did not happen"
        time.sleep(0.005)


def begins_anew(writer: apsw.Connection, path: Path, first: int) -> bool:
    """Whether the next pages are written where the WAL begins: it does not grow by them."""
    before = Path(f"{path}-wal").stat().st_size
    _write(writer, first, 50)
    return Path(f"{path}-wal").stat().st_size == before


def test_a_reader_in_the_way_only_makes_the_wal_longer(tmp_path: Path) -> None:
    path = tmp_path / "x.db"
    writer = _writer(path)
    checkpointer = Checkpointer(path, writer, tell_of_checkpoints)
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
    # As soon as nobody is in the way, and not only after as many pages again.
    _write(writer, 24_000, 1)
    until(lambda: not checkpointer._busy)
    assert checkpointer.due()
    checkpointer.finish()
    assert begins_anew(writer, path, 25_000)
    reader.close()
    checkpointer.close()
    writer.close()
