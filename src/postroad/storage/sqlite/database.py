"""Opens the SQLite file and turns what SQLite says into `StorageError`s that people can act on.

Three connections: the writer's, a reader for short look-ups in the event loop's thread, and one for
long reads (searches, large listings) that run in a thread.
"""

import asyncio
import contextlib
import os
import threading
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, TypeVar

import apsw
import structlog

from postroad.ports import StorageError, StorageFull
from postroad.storage.durable import make_directory
from postroad.storage.sql.migrations import load_migrations
from postroad.storage.sqlite.checkpoint import Checkpointer
from postroad.storage.sqlite.connecting import (
    BROWSE_CACHE_KIB,
    PAGE_SIZE,
    make_durable,
    open_connection,
)
from postroad.storage.sqlite.migrations import migrate
from postroad.storage.sqlite.turn import Turn

log = structlog.get_logger("postroad.storage")

T = TypeVar("T")


class Database:
    """An open database file. `writer` belongs to `Writer`; reads go through `reader` or `browse`."""

    def __init__(self, path: Path, *, busy_timeout_seconds: float) -> None:
        self.path = path
        self.busy_timeout_seconds = busy_timeout_seconds
        try:
            _create(path)
            self.turn = Turn(path.with_name(f"{path.name}-turn"))
            self.writer = open_connection(path, busy_timeout_seconds)
            _prepare_writer(self.writer, path)
            self.checkpointer = Checkpointer(path, self.writer, tell_of_checkpoints)
            self.reader = open_connection(path, busy_timeout_seconds)
            self._browser = open_connection(path, busy_timeout_seconds, BROWSE_CACHE_KIB)
        except (apsw.Error, OSError) as error:
            raise self.storage_error(error) from error
        self._browser_lock = threading.Lock()

    def storage_error(self, error: BaseException) -> StorageError:
        """Return what to raise for an error of SQLite or of the operating system."""
        if isinstance(error, StorageError):
            return error
        for kinds, kind, mend in _MENDS:
            if isinstance(error, kinds):
                return kind(f"{self.path}: {error}. {mend}")
        return StorageError(f"{self.path}: {type(error).__name__}: {error}")

    def read(self, sql: str, values: Sequence[object]) -> list[Any]:
        """Run a short read in the event loop's thread and return its rows. Raises `StorageError`."""
        try:
            return self.reader.execute(sql, values).fetchall()
        except apsw.Error as error:
            raise self.storage_error(error) from error

    def attempt(self, read: Callable[[apsw.Connection], T]) -> T:
        """Run several short reads in the event loop's thread. Raises `StorageError`."""
        try:
            return read(self.reader)
        except apsw.Error as error:
            raise self.storage_error(error) from error

    async def browse(self, read: Callable[[apsw.Connection], T]) -> T:
        """Run a read that may take long in a thread, one at a time. Raises `StorageError`."""

        def run() -> T:
            with self._browser_lock:
                return read(self._browser)

        try:
            return await asyncio.to_thread(run)
        except apsw.Error as error:
            raise self.storage_error(error) from error

    def close(self) -> None:
        """Move the WAL into the file, as far as nobody else reads it, and close."""
        self.reader.close()
        with self._browser_lock:
            self._browser.close()
        self.checkpointer.close()
        # On a disk in trouble the WAL cannot be moved; it stays, and the next start finds it.
        with contextlib.suppress(apsw.Error):
            self.writer.close()
        self.turn.close()


_MENDS: tuple[tuple[tuple[type[BaseException], ...], type[StorageError], str], ...] = (
    (
        (apsw.FullError,),
        StorageFull,
        "Nothing of it was stored. Free space on that file system (df -h), then try again.",
    ),
    (
        (apsw.BusyError, apsw.LockedError),
        StorageError,
        "Another process holds the file; find it with: fuser -v on the file. Nothing was stored.",
    ),
    (
        (apsw.CorruptError, apsw.NotADBError),
        StorageError,
        "The file is damaged or no SQLite database. Stop Postroad, keep a copy, and restore a backup "
        "(or try: sqlite3 FILE .recover).",
    ),
    (
        (apsw.ReadOnlyError, apsw.PermissionsError, apsw.CantOpenError, PermissionError),
        StorageError,
        "Postroad must own the data directory (0700) and may write there; check its owner, and that "
        "the file system is not mounted read-only.",
    ),
    (
        (apsw.IOError, OSError),
        StorageError,
        "The disk reports an error; look at dmesg. Nothing was stored.",
    ),
)


def tell_of_checkpoints(error: str) -> None:
    """Log that the WAL cannot be moved into the file."""
    log.error("the log of the database cannot be moved into it", error=error)


def _create(path: Path) -> None:
    """Make directory and file ours alone; the WAL and its index take the file's permissions."""
    make_directory(path.parent)
    os.close(os.open(path, os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o600))


def _prepare_writer(connection: apsw.Connection, path: Path) -> None:
    connection.pragma("page_size", PAGE_SIZE)  # only a new file takes it
    connection.pragma("journal_mode", "wal")
    make_durable(connection)
    migrate(connection, path, load_migrations())
