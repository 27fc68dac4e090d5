"""Connections, and what PostgreSQL says turned into `StorageError`s that people can act on.

Reads run in threads, each with a connection for as long as it needs; a read that loses its connection is
asked again, once, on a new one.
"""

import asyncio
import queue
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any, TypeVar

import psycopg
from psycopg import errors

from postroad.ports import StorageError, StorageFull
from postroad.storage.postgres.connection import Connection

T = TypeVar("T")

READERS = 8
LOST = (errors.OperationalError, errors.InterfaceError, errors.AdminShutdown)


class Database:
    """Where the store is. Threads take connections from `connection`."""

    def __init__(self, url: str, *, connect_seconds: float) -> None:
        self.url = url
        self.connect_seconds = connect_seconds
        self.pool = ThreadPoolExecutor(READERS, "postroad-read")
        self.name = without_password(url)
        self._free: queue.LifoQueue[Connection] = queue.LifoQueue()
        self._closed = threading.Event()

    def connect(self) -> Connection:
        """Open a connection. Raises `psycopg.Error`."""
        return Connection(self.url, self.connect_seconds)

    @contextmanager
    def connection(self) -> Iterator[Connection]:
        """Lend a connection to this thread."""
        try:
            connection = self._free.get_nowait()
        except queue.Empty:
            connection = self.connect()
        try:
            yield connection
        finally:
            if connection.broken or self._closed.is_set():
                connection.close()
            else:
                self._free.put(connection)

    def storage_error(self, error: BaseException) -> StorageError:
        """Return what to raise for an error of PostgreSQL."""
        if isinstance(error, StorageError):
            return error
        if isinstance(error, errors.DiskFull):
            return StorageFull(f"{self.name}: {error}. Nothing of it was stored. Free space there.")
        if isinstance(error, LOST):
            return StorageError(
                f"{self.name}: {error}. Check that PostgreSQL runs and may be reached from here."
            )
        return StorageError(f"{self.name}: {type(error).__name__}: {error}")

    def attempt(self, read: Callable[[Any], T]) -> T:
        """Run reads in this thread, which is none of the event loop. Raises `StorageError`."""
        for last in (False, True):
            try:
                with self.connection() as connection:
                    return read(connection)
            except LOST as error:
                if last:
                    raise self.storage_error(error) from error
            except psycopg.Error as error:
                raise self.storage_error(error) from error
        raise AssertionError("the last try returns or raises")

    def read(self, sql: str, values: Sequence[object]) -> list[Any]:
        """Run one read in this thread, which is none of the event loop. Raises `StorageError`."""
        return self.attempt(lambda connection: connection.execute(sql, values).fetchall())

    async def browse(self, read: Callable[[Any], T]) -> T:
        """Run reads in a thread. Raises `StorageError`."""
        return await asyncio.get_running_loop().run_in_executor(self.pool, self.attempt, read)

    async def elsewhere(self, work: Callable[[], T]) -> T:
        """Run something that waits for the database in a thread."""
        return await asyncio.get_running_loop().run_in_executor(self.pool, work)

    def close(self) -> None:
        """Close all connections."""
        self._closed.set()
        self.pool.shutdown()
        while True:
            try:
                self._free.get_nowait().close()
            except queue.Empty:
                return


class InThread:
    """The same for code that runs in one of the threads: nothing in it waits for the event loop."""

    def __init__(self, database: Database) -> None:
        self.read = database.read
        self.attempt = database.attempt

    async def browse(self, read: Callable[[Any], T]) -> T:
        """Run reads where it is called."""
        return self.attempt(read)


def threaded(database: Database, port: T, *, but: Sequence[str] = ()) -> T:
    """Return a port whose methods run in threads; `port` was made with `InThread`.

    A method that waits for nothing but the database comes to its end at its first step.
    """
    made: Any = _Threaded(database, port, frozenset(but))
    result: T = made
    return result


class _Threaded:
    def __init__(self, database: Database, port: object, but: frozenset[str]) -> None:
        self._database = database
        self._port = port
        self._but = but

    def __getattr__(self, name: str) -> Any:
        method = getattr(self._port, name)
        if name in self._but:
            return method
        pool = self._database.pool

        def run(*values: Any, **named: Any) -> Any:
            def step() -> Any:
                waiting = method(*values, **named)
                try:
                    waiting.send(None)
                except StopIteration as end:
                    return end.value
                waiting.close()
                raise RuntimeError(f"{name} waits for something")

            return asyncio.get_running_loop().run_in_executor(pool, step)

        setattr(self, name, run)
        return run


def without_password(url: str) -> str:
    """Return how people are told of the database at `url`."""
    try:
        known = psycopg.conninfo.conninfo_to_dict(url)
    except psycopg.Error:
        return "PostgreSQL"
    return f"PostgreSQL database {known.get('dbname', '')} at {known.get('host', 'this machine')}"
