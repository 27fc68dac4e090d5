"""Copies the database as of one moment, while others write to it.

A read transaction holds that moment, so nothing that is committed meanwhile makes the copy begin anew;
the WAL cannot be moved into the file for so long, and grows. The copy is one file, without a WAL.
"""

import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import apsw

from postroad.ports import StorageError
from postroad.storage.sql.statements import SQL

STEP_PAGES = 1000

COUNTS = (
    "messages",
    "deliveries",
    "contents",
    "large_contents",
    "entries",
    "accounts",
    "journey_rows",
)


def copy_database(source: Path, target: Path, told: Callable[[int, int], None]) -> float:
    """Copy the database `source` to a new file; return the moment that it shows, in seconds since 1970.

    `told` hears how many pages are done, and of how many. The copy is on stable storage on return.
    Raises `StorageError`.
    """
    target.unlink(missing_ok=True)
    try:
        reader = apsw.Connection(str(source), flags=apsw.SQLITE_OPEN_READWRITE)
        try:
            reader.set_busy_timeout(10_000)
            reader.execute("BEGIN")
            assert reader.execute("SELECT count(*) FROM sqlite_schema").get is not None
            moment = time.time()
            _copy(reader, target, told)
        finally:
            reader.close()
    except apsw.FullError as error:
        raise StorageError(f"{target}: no space left. Free space there (df -h).") from error
    except apsw.Error as error:
        raise StorageError(f"{source}: cannot be copied to {target}: {error}") from error
    handle = os.open(target, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
    return moment


def _copy(reader: apsw.Connection, target: Path, told: Callable[[int, int], None]) -> None:
    os.close(os.open(target, os.O_CREAT | os.O_EXCL | os.O_RDWR | os.O_CLOEXEC, 0o600))
    writer = apsw.Connection(str(target), flags=apsw.SQLITE_OPEN_READWRITE)
    try:
        writer.pragma("synchronous", "off")
        with writer.backup("main", reader, "main") as backup:
            while not backup.done:
                backup.step(STEP_PAGES)
                told(backup.page_count - backup.remaining, backup.page_count)
        writer.pragma("journal_mode", "delete")
    finally:
        writer.close()


def open_snapshot(path: Path) -> apsw.Connection:
    """Open a copy to be read. Raises `StorageError`."""
    try:
        connection = apsw.Connection(
            f"file:{_quoted(path)}?immutable=1",
            flags=apsw.SQLITE_OPEN_READONLY | apsw.SQLITE_OPEN_URI,
        )
        connection.execute("SELECT count(*) FROM sqlite_schema").fetchall()
    except apsw.Error as error:
        raise StorageError(f"{path}: {error}. The copy of the database is damaged.") from error
    return connection


def large_contents(connection: apsw.Connection) -> list[tuple[int, int, int, bytes | None]]:
    """Return id, size, begin and digest of each content that is not in the database itself."""
    rows: list[Any] = connection.execute(SQL["snapshot_large"]).fetchall()
    return rows


def node_of(connection: apsw.Connection) -> str:
    """Return the name that the store gave itself."""
    return str(connection.execute(SQL["setting_get"], ("node",)).get)


def counts(connection: apsw.Connection) -> dict[str, int]:
    """Return how much of everything there is."""
    return {name: connection.execute(SQL[f"count_{name}"]).get for name in COUNTS}


def _quoted(path: Path) -> str:
    return "".join(f"%{ord(each):02x}" if each in "%?#" else each for each in str(path))
