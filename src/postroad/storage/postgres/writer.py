"""Natural group commit, as on SQLite: whatever waits when the last commit ends goes into the next one.

A batch is one transaction, applied in the writer's thread. If an item fails, the batch is rolled back
and applied again with a savepoint for each, so that only the failing one is refused.

Each transaction writes a name of its own into ``commit_id``. Where the connection is lost while the
answer to COMMIT is awaited, that name tells on the next connection whether it was done: nothing is
guessed and nothing done twice. If the server is still busy with it, the name's index makes us wait for
its end.
Transactions that PostgreSQL gives up on (40001, 40P01) begin anew.
"""

import contextlib
import secrets
import threading
import time
from collections.abc import Callable, Sequence
from queue import SimpleQueue
from typing import Any

import psycopg
from psycopg import errors

from postroad.ports import StorageError
from postroad.storage.postgres.connection import Connection
from postroad.storage.postgres.database import LOST, Database
from postroad.storage.postgres.dialect import DIFFERENCES, spoken
from postroad.storage.postgres.writing import RowRefused, write
from postroad.storage.sql.apply import apply
from postroad.storage.sql.batches import Batches, Item
from postroad.storage.sql.explain import explain
from postroad.storage.sql.rows import Rows

COMMITS_KEPT_SECONDS = 3600.0
_FORGET_EVERY = 1000  # batches
_FIRST_PAUSE_SECONDS = 0.02
_LONGEST_PAUSE_SECONDS = 1.0
_TURN_TAKE, _ = spoken(DIFFERENCES["turn_take"])
_COMMIT_INSERT, _ = spoken(DIFFERENCES["commit_insert"])
_AGAIN = (errors.SerializationFailure, errors.DeadlockDetected)


class Writer(Batches):
    """Applies items in the order of `put`. Bound to the event loop in which it was made."""

    def __init__(
        self,
        database: Database,
        unlink: Callable[[Sequence[int]], None],
        *,
        retry_seconds: float,
    ) -> None:
        super().__init__(database.name)
        self._database = database
        self._unlink = unlink
        self._retry_seconds = retry_seconds
        self._connection: Connection | None = None
        self._done = 0
        self._keeping = False  # a backup is made: what is not removed now is swept
        self._work: SimpleQueue[list[Item] | None] = SimpleQueue()
        self._thread = threading.Thread(target=self._run, name="postroad-writer", daemon=True)
        self._thread.start()

    def _end_thread(self) -> None:
        self._work.put(None)
        self._thread.join()

    # In the event loop's thread.

    def _next_batch(self) -> None:
        if self._waiting:
            self._work.put(self._take())
        else:
            self._rest()

    def _settle(self, batch: list[Item], seconds: float, failure: Exception | None) -> None:
        if failure is None:
            self.batches.observe(len(batch))
            self.seconds.observe(seconds)
        for item in batch:
            item.settle(failure or item.error)
        self._next_batch()

    # In the writer's thread.

    def _run(self) -> None:
        while (batch := self._work.get()) is not None:
            began = time.monotonic()
            failure: Exception | None = None
            swept: list[int] = []
            try:
                swept = self._transact(batch, began + self._retry_seconds)
            except psycopg.Error as error:
                failure = self._database.storage_error(error)
            except Exception as error:
                failure = StorageError(f"{self._database.name}: {type(error).__name__}: {error}")
            seconds = time.monotonic() - began
            self._loop.call_soon_threadsafe(self._settle, batch, seconds, failure)
            if swept:
                self._unlink(swept)
        self._drop()

    def _transact(self, batch: list[Item], ends_at: float) -> list[int]:
        """Commit the batch; return the large contents whose rows went. Raises `psycopg.Error`."""
        name = secrets.token_hex(16)
        each = sent = False
        swept: list[int] = []
        pause = _FIRST_PAUSE_SECONDS
        while True:
            try:
                connection = self._connected()
                if sent and connection.own("commit_find", (name,)).get is not None:
                    return swept
                if not (sent or each) and self._is_plain(batch):
                    self._apply_rows(connection, batch, name)
                elif not self._apply(connection, batch, name, each):
                    return swept  # it is there: the answer was lost, and it had not ended before
                swept = [] if self._keeping else connection.swept[:]
                sent = True
                connection.raw.execute("COMMIT")
                return swept
            except (*LOST, *_AGAIN) as error:
                again = isinstance(error, _AGAIN)
                if not again or not self._roll_back():
                    self._drop()
                sent = sent and not again
                if time.monotonic() + pause > ends_at:
                    raise
                time.sleep(pause)
                pause = min(2 * pause, _LONGEST_PAUSE_SECONDS)
            except Exception:
                if not self._roll_back():
                    self._drop()
                if each:
                    raise
                each = True  # whose fault it is shows when each has its own savepoint

    def _is_plain(self, batch: list[Item]) -> bool:
        """Whether it is nothing but rows, and it is not time to forget names of commits."""
        plain = all(item.rows is not None for item in batch)
        return plain and (self._done + 1) % _FORGET_EVERY != 0

    def _apply_rows(self, connection: Connection, batch: list[Item], name: str) -> None:
        """Apply a batch of nothing but rows, the usual case, in an open transaction: in one round trip,
        from its beginning on.
        """
        connection.swept.clear()
        rows: list[Any] = []
        for item in batch:
            item.error = item.result = None
            if item.rows is not None:
                rows += item.rows.rows
        execute = connection.raw.execute
        with connection.raw.pipeline():
            execute("BEGIN")
            turn = execute(_TURN_TAKE)
            execute(_COMMIT_INSERT, (name, time.time()))
            write(connection, rows)
        row: Any = turn.fetchone()
        self._keeping = bool(row[0])
        self._done += 1

    def _apply(self, connection: Connection, batch: list[Item], name: str, each: bool) -> bool:
        """Apply in an open transaction; False where one of that name was committed before."""
        connection.swept.clear()
        for item in batch:
            item.error = item.result = None
        connection.raw.execute("BEGIN")
        self._keeping = bool(connection.own("turn_take").get)
        self._done += 1
        if self._done % _FORGET_EVERY == 0:
            connection.own("commit_forget", (time.time() - COMMITS_KEPT_SECONDS,))
        try:
            connection.own("commit_insert", (name, time.time()))
        except errors.UniqueViolation:
            connection.raw.execute("ROLLBACK")
            return False
        if each:
            self._apply_each(connection, batch)
            return True
        rows: list[Any] = []
        for item in batch:
            if item.rows is not None:
                rows += item.rows.rows
                continue
            if rows:
                write(connection, rows)
                rows = []
            _apply_item(connection, item)
        if rows:
            write(connection, rows)
        return True

    def _apply_each(self, connection: Connection, batch: list[Item]) -> None:
        for item in batch:
            mark = len(connection.swept)
            connection.raw.execute("SAVEPOINT item")
            try:
                _apply_item(connection, item)
            except (*LOST, *_AGAIN):
                raise
            except Exception as error:
                connection.raw.execute("ROLLBACK TO item")
                del connection.swept[mark:]
                item.error = self._explained(connection, item, error)
            connection.raw.execute("RELEASE item")

    def _explained(self, connection: Any, item: Item, error: Exception) -> Exception:
        if isinstance(error, RowRefused | psycopg.IntegrityError):
            return explain(connection, item.parts)
        return self._database.storage_error(error) if isinstance(error, psycopg.Error) else error

    def _connected(self) -> Connection:
        if self._connection is None:
            self._connection = self._database.connect()
        return self._connection

    def _roll_back(self) -> bool:
        """Whether the connection is still of use."""
        if self._connection is None:
            return False
        try:
            self._connection.raw.execute("ROLLBACK")
        except psycopg.Error:
            return False
        return True

    def _drop(self) -> None:
        if self._connection is not None:
            with contextlib.suppress(psycopg.Error):
                self._connection.close()
            self._connection = None


def _apply_item(connection: Any, item: Item) -> None:
    if item.rows is not None:
        write(connection, item.rows.rows)
    elif item.job is not None:
        item.result = item.job(connection)
    else:
        for step in item.steps:
            if isinstance(step, Rows):
                write(connection, step.rows)
            else:
                apply(connection, step)
