"""Moves a whole store from one engine to the other, and lends copies of one on PostgreSQL.

The data directory stays the same: contents that are not in the database, keys and certificates are where
they were. The server must not run.
"""

import asyncio
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import apsw

from postroad.mailbox.glance import READ_OCTETS, look
from postroad.model import Words
from postroad.ports import StorageError
from postroad.runtime.config import Config
from postroad.runtime.large import make_large
from postroad.runtime.server_lock import ServerLock
from postroad.storage.durable import make_directory, sync_directory
from postroad.storage.sqlite import copying as sqlite
from postroad.storage.sqlite.store import FILE_NAME
from postroad.storage.transfer.copying import (
    MARK,
    MOVED,
    Tally,
    Target,
    Told,
    compare,
    copy_rows,
    forget_setting,
    put_setting,
    setting,
)
from postroad.storage.transfer.rows import fingerprint
from postroad.storage.transfer.words import make_words

if TYPE_CHECKING:
    from postroad.storage.postgres.copying import PostgresTarget

__all__ = ["Tally", "Told", "to_postgres", "to_sqlite"]

MOVING = FILE_NAME + ".moving"
MOVED_AWAY = FILE_NAME + ".moved"
WANTS_WORDS = "words"
"""A setting of copies whose words are still to be made: when they are restored."""


def to_postgres(config: Config, told: Told) -> Tally:
    """Move the data directory's store into the empty database `storage.url`; goes on where it was cut
    off. The file is kept under another name. Raises `StorageError`, `ServerRuns`, `OSError`.
    """
    _wants_url(config)
    data_dir = config.server.data_dir
    source = data_dir / FILE_NAME
    if not source.exists():
        raise StorageError(f"{data_dir} has no {FILE_NAME}: there is nothing to move.")
    with _alone(data_dir), _explained(source):
        tally = _into_postgres(config, source, told)
        source.rename(data_dir / MOVED_AWAY)
        sync_directory(data_dir)
        return tally


def to_sqlite(config: Config, told: Told) -> Tally:
    """Move the store in the database `storage.url` into the data directory. No node may run, on any
    machine. Raises `StorageError`, `ServerRuns`, `OSError`.
    """
    _wants_url(config)
    data_dir = config.server.data_dir
    make_directory(data_dir)
    if (data_dir / FILE_NAME).exists():
        raise StorageError(f"{data_dir / FILE_NAME} is there already; move it away first.")
    with _alone(data_dir), _explained(data_dir / MOVING):
        target = sqlite.SqliteTarget(data_dir / MOVING)
        try:
            with _moment(config) as source:
                tally = copy_rows(source, target, told)
                compare(source, target.connection, told)
                with target.connection:
                    _own_names(source, target, data_dir)
                _make_words(config, target, told)
                was = fingerprint(source)
            with _moment(config) as source:
                if fingerprint(source) != was:
                    raise StorageError(
                        "Something came into the database meanwhile. Stop all nodes, and say it again."
                    )
            target.finish(data_dir / FILE_NAME)
        finally:
            target.close()
        _say_moved(config)
        return tally


def copy_to_file(config: Config, path: Path, told: Told) -> float:
    """Make an SQLite file of the database as of one moment; return which. Raises `StorageError`."""
    path.unlink(missing_ok=True)
    with _explained(path):
        target = sqlite.SqliteTarget(path)
        try:
            with _moment(config) as source:
                at = time.time()
                copy_rows(source, target, told)
                with target.connection:
                    _own_names(source, target, config.server.data_dir)
                    put_setting(target.connection, WANTS_WORDS, "")
            target.finish()
        finally:
            target.close()
    return at


def put_back(config: Config, path: Path, told: Told) -> None:
    """Do what a restored file of `copy_to_file` still wants, or bring a restored file to PostgreSQL.
    Raises `StorageError`.
    """
    with _explained(path):
        if config.storage.url:
            _into_postgres(config, path, told)
            path.unlink()
            return
        with sqlite.moment(path, 1.0) as connection:
            if setting(connection, WANTS_WORDS) is None:
                return
        target = sqlite.SqliteTarget(path)
        try:
            _make_words(config, target, told)
            with target.connection:
                forget_setting(target.connection, WANTS_WORDS)
            target.finish()
        finally:
            target.close()


def _into_postgres(config: Config, path: Path, told: Told) -> Tally:
    from postroad.storage.postgres.store import node_name

    with sqlite.moment(path, config.storage.busy_timeout_seconds) as source:
        oldest = source.execute("SELECT min(at) FROM journey").get
        target = _postgres(config, oldest)
        try:
            tally = copy_rows(source, target, told)
            compare(source, target.connection, told)
            _make_words(config, target, told)
            owner = setting(source, "node") or ""
            node_name(config.server.data_dir / "node", owner)
            with target.transaction():
                if owner:
                    put_setting(target.connection, "owner", owner)
                forget_setting(target.connection, WANTS_WORDS)
                forget_setting(target.connection, MARK)
        finally:
            target.close()
    return tally


def _own_names(source: Any, target: Target, data_dir: Path) -> None:
    """What a store of one machine calls itself is what all nodes were called together."""
    owner = setting(source, "owner")
    if owner is None:
        raise StorageError("The database has no store of Postroad's.")
    put_setting(target.connection, "node", owner)


def _make_words(config: Config, target: Target, told: Told) -> None:
    large = make_large(config, config.server.data_dir)
    try:
        asyncio.run(make_words(target, large.read, READ_OCTETS, _words_of, told))
    finally:
        large.close()


def _words_of(data: bytes) -> Words:
    return look(data, email=0, thread=0, mailbox=0, uid=0).words


def _wants_url(config: Config) -> None:
    if not config.storage.url:
        raise StorageError("storage.url names no PostgreSQL database; set it in the configuration.")


def _say_moved(config: Config) -> None:
    target = _postgres(config, None)
    try:
        with target.transaction():
            put_setting(target.connection, MARK, f"{MOVED} {os.uname().nodename}")
    finally:
        target.close()


def _postgres(config: Config, oldest: float | None) -> "PostgresTarget":
    from postroad.storage.postgres.copying import PostgresTarget
    from postroad.storage.postgres.database import without_password

    url = config.storage.url
    return PostgresTarget(url, without_password(url), config.storage.retry_seconds, oldest)


@contextmanager
def _moment(config: Config) -> Iterator[Any]:
    from postroad.storage.postgres.copying import moment

    with moment(config.storage.url, config.storage.retry_seconds) as connection:
        yield connection


@contextmanager
def postgres(config: Config) -> Iterator[Any]:
    """Lend a connection to the database `storage.url`, whose store is made where it is missing.

    Raises `StorageError`.
    """
    with _explained(config.server.data_dir):
        from postroad.storage.postgres.database import Database
        from postroad.storage.postgres.schema import prepare

        database = Database(config.storage.url, connect_seconds=config.storage.retry_seconds)
        try:
            with database.connection() as connection:
                prepare(connection, database.name, time.time())
                yield connection
        finally:
            database.close()


@contextmanager
def _alone(data_dir: Path) -> Iterator[None]:
    lock = ServerLock(data_dir)
    try:
        yield
    finally:
        lock.close()


@contextmanager
def _explained(path: Path) -> Iterator[None]:
    try:
        import psycopg
    except ImportError as error:
        psycopg_errors: tuple[type[Exception], ...] = ()
        missing: ImportError | None = error
    else:
        psycopg_errors, missing = (psycopg.Error,), None
    try:
        yield
    except apsw.Error as error:
        raise StorageError(f"{path}: {error}") from error
    except psycopg_errors as error:
        raise StorageError(f"PostgreSQL (storage.url): {error}") from error
    except ImportError as error:
        if missing is None:
            raise
        raise StorageError(
            f"PostgreSQL needs more packages ({missing}): pip install 'postroad[postgres]'"
        ) from error
