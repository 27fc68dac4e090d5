"""SQLite as the source and the target of a copy of a whole store (`storage.transfer`)."""

import contextlib
import os
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Any

import apsw

from postroad.storage.durable import sync_directory
from postroad.storage.sql.migrations import load_migrations
from postroad.storage.sqlite.migrations import migrate
from postroad.storage.transfer.copying import MARK, forget_setting
from postroad.storage.transfer.tables import Table

# What triggers write of a message is there already, or comes again.
_IGNORE = ("mark", "message")


@contextmanager
def moment(path: Path, busy_timeout_seconds: float) -> Iterator[apsw.Connection]:
    """Lend a connection that shows one moment, whatever is committed meanwhile. Raises `apsw.Error`."""
    connection = apsw.Connection(str(path), flags=apsw.SQLITE_OPEN_READWRITE)
    try:
        connection.set_busy_timeout(int(busy_timeout_seconds * 1000))
        connection.execute("BEGIN")
        yield connection
    finally:
        connection.close()


class SqliteTarget:
    """A file, new or of a copy that was cut off, that takes the rows. Raises `apsw.Error`, `OSError`."""

    def __init__(self, path: Path) -> None:
        self.path = path
        os.close(os.open(path, os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o600))
        self.connection = apsw.Connection(str(path), flags=apsw.SQLITE_OPEN_READWRITE)
        try:
            self.connection.pragma("journal_mode", "wal")
            self.connection.pragma("synchronous", "normal")  # a power cut takes whole pages back
            migrate(self.connection, path, load_migrations())
        except BaseException:
            self.connection.close()
            raise

    def insert(self, table: Table, rows: Sequence[Any]) -> None:
        """Add rows."""
        columns = ", ".join(f'"{each}"' for each in table.columns)
        values = ", ".join("?" * len(table.columns))
        how = "INSERT OR IGNORE" if table.name in _IGNORE else "INSERT"
        self.connection.executemany(
            f"{how} INTO {table.name} ({columns}) VALUES ({values})", rows
        ).fetchall()

    def transaction(self) -> AbstractContextManager[object]:
        """What is done within is done whole, or not at all."""
        return self.connection

    def settle(self) -> None:
        """SQLite has nothing to do."""

    def finish(self, name: Path | None = None) -> None:
        """Make it one file on stable storage, and give it its name."""
        with self.connection:
            forget_setting(self.connection, MARK)
        self.connection.pragma("journal_mode", "delete")
        self.connection.close()
        handle = os.open(self.path, os.O_RDONLY | os.O_CLOEXEC)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)
        if name is not None:
            self.path.rename(name)
            sync_directory(name.parent)

    def close(self) -> None:
        """Let go of it; what came so far stays."""
        with contextlib.suppress(apsw.Error):
            self.connection.close()
