"""How a connection to the file is set up, for each process that has one."""

from pathlib import Path

import apsw

from postroad.storage.sqlite.checkpoint import CHECKPOINT_PAGES

PAGE_SIZE = 4096
CACHE_KIB = 65_536  # so that a batch of large contents is not written to the WAL before its commit
BROWSE_CACHE_KIB = 8_192  # a walk through a million rows reads each page once, and need not keep it


def open_connection(
    path: Path, busy_timeout_seconds: float, cache_kib: int = CACHE_KIB
) -> apsw.Connection:
    """Open a file that is there. Raises `apsw.Error`."""
    connection = apsw.Connection(str(path), flags=apsw.SQLITE_OPEN_READWRITE)
    connection.set_busy_timeout(int(busy_timeout_seconds * 1000))
    connection.pragma("cache_size", -cache_kib)
    # Else values that are bound count as part of the plan, and statements are compiled again and again.
    connection.config(apsw.SQLITE_DBCONFIG_ENABLE_QPSG, 1)
    return connection


def make_durable(connection: apsw.Connection) -> None:
    """Have commits wait for the disk, and leave checkpoints to `checkpoint`."""
    connection.pragma("synchronous", "full")  # or a power cut would take what we acknowledged
    connection.pragma("wal_autocheckpoint", 0)
    # A WAL that need not grow is synced sooner.
    connection.pragma("journal_size_limit", 4 * CHECKPOINT_PAGES * PAGE_SIZE)
