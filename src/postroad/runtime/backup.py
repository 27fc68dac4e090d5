"""Backup, restore and verification of the data directory that a configuration names."""

from functools import partial
from pathlib import Path

import apsw

from postroad.ports import StorageError
from postroad.runtime.config import Config
from postroad.runtime.large import make_large
from postroad.runtime.moving import copy_to_file, postgres, put_back
from postroad.runtime.server_lock import ServerLock, ServerRuns
from postroad.storage.backup.check import verify_backup
from postroad.storage.backup.make import Made, make_backup
from postroad.storage.backup.manifest import Manifest, Progress
from postroad.storage.backup.restore import AlreadyStored, restore_backup
from postroad.storage.durable import make_directory
from postroad.storage.sql.verify import Problem, Report, verify
from postroad.storage.sqlite.soundness import ENGINE
from postroad.storage.sqlite.store import FILE_NAME

__all__ = ["AlreadyStored", "Made", "Manifest", "Problem", "Progress", "Report", "ServerRuns"]


async def backup(config: Config, target: Path, progress: Progress) -> Made:
    """Back up into a directory, or a file named ``*.tar``; servers may run. Raises `StorageError`,
    `OSError`.
    """
    data_dir = config.server.data_dir
    if config.storage.url:
        make_directory(data_dir)
    large = make_large(config, data_dir)
    try:
        if not config.storage.url:
            return await make_backup(data_dir, large, target, progress)
        with postgres(config) as connection:
            from postroad.storage.postgres.keeping import keep_contents

            with keep_contents(connection):
                copy = partial(copy_to_file, config)
                return await make_backup(data_dir, large, target, progress, copy)
    finally:
        large.close()


def restore(config: Config, source: Path, progress: Progress) -> Manifest:
    """Put a backup into the data directory, which must have no store and no server; with `storage.url`
    its rows go into that database, which must be empty.

    Raises `StorageError`, `OSError`, `ServerRuns`.
    """
    data_dir = config.server.data_dir
    make_directory(data_dir)
    lock = ServerLock(data_dir)
    try:
        return restore_backup(
            source, data_dir, progress, lambda path, _: put_back(config, path, progress)
        )
    finally:
        lock.close()


async def verify_data(config: Config, progress: Progress) -> Report:
    """Look at all that is stored; servers may run. Raises `StorageError`, `OSError`."""
    data_dir = config.server.data_dir
    path = data_dir / FILE_NAME
    if config.storage.url:
        make_directory(data_dir)
    elif not path.exists():
        raise StorageError(f"{data_dir} has no {FILE_NAME}: there is nothing to verify.")
    large = make_large(config, data_dir)
    try:
        if config.storage.url:
            with postgres(config) as connection:
                from postroad.storage.postgres.soundness import ENGINE as POSTGRES

                return await verify(connection, large.read, progress, POSTGRES)
        connection = apsw.Connection(str(path), flags=apsw.SQLITE_OPEN_READWRITE)
        try:
            connection.set_busy_timeout(int(config.storage.busy_timeout_seconds * 1000))
            return await verify(connection, large.read, progress, ENGINE)
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
