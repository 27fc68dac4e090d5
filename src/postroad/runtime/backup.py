"""Backup, restore and verification of the data directory that a configuration names."""

from pathlib import Path

import apsw

from postroad.ports import StorageError
from postroad.runtime.config import Config
from postroad.runtime.large import make_large
from postroad.runtime.server_lock import ServerLock, ServerRuns
from postroad.storage.backup.check import verify_backup
from postroad.storage.backup.make import Made, make_backup
from postroad.storage.backup.manifest import Manifest, Progress
from postroad.storage.backup.restore import AlreadyStored, restore_backup
from postroad.storage.durable import make_directory
from postroad.storage.sqlite.store import FILE_NAME
from postroad.storage.sqlite.verify import Problem, Report, verify

__all__ = ["AlreadyStored", "Made", "Manifest", "Problem", "Progress", "Report", "ServerRuns"]


async def backup(config: Config, target: Path, progress: Progress) -> Made:
    """Back up into a directory, or a file named ``*.tar``; a server may run. Raises `StorageError`,
    `OSError`.
    """
    _only_sqlite(config)
    large = make_large(config, config.server.data_dir)
    try:
        return await make_backup(config.server.data_dir, large, target, progress)
    finally:
        large.close()


def restore(config: Config, source: Path, progress: Progress) -> Manifest:
    """Put a backup into the data directory, which must have no store and no server.

    Raises `StorageError`, `OSError`, `ServerRuns`.
    """
    _only_sqlite(config)
    data_dir = config.server.data_dir
    make_directory(data_dir)
    lock = ServerLock(data_dir)
    try:
        return restore_backup(source, data_dir, progress)
    finally:
        lock.close()


async def verify_data(config: Config, progress: Progress) -> Report:
    """Look at all of the data directory; a server may run. Raises `StorageError`, `OSError`."""
    path = config.server.data_dir / FILE_NAME
    _only_sqlite(config)
    if not path.exists():
        raise StorageError(
            f"{config.server.data_dir} has no {FILE_NAME}: there is nothing to verify."
        )
    large = make_large(config, config.server.data_dir)
    try:
        connection = apsw.Connection(str(path), flags=apsw.SQLITE_OPEN_READWRITE)
        try:
            connection.set_busy_timeout(int(config.storage.busy_timeout_seconds * 1000))
            return await verify(connection, large.read, progress)
        finally:
            connection.close()
    except apsw.Error as error:
        raise StorageError(
            f"{path}: {error}. It is damaged, or no database of Postroad's."
        ) from error
    finally:
        large.close()


async def verify_copy(path: Path, progress: Progress) -> Report:
    """Look at all of a backup. Raises `StorageError`, `OSError`."""
    return await verify_backup(path, progress)


def _only_sqlite(config: Config) -> None:
    if config.storage.url:
        raise StorageError(
            "storage.url names a PostgreSQL database: back it up and check it by its own tools "
            "(pg_basebackup, pg_amcheck), together with the contents beside it."
        )
