"""Natural group commit: whatever waits when the last commit ends goes into the next one.

A batch is one transaction. Of nothing but rows, the usual case, it is one statement (`writing`), run
by a process that does nothing else (`writer_link`), or else by the writer thread, from beginning to
commit without the interpreter's lock. Other statements run in the event loop's thread, and only COMMIT,
where the disk is waited for, in the writer thread: SQLite lets go of that lock at every step, and a
thread may have to wait to win it back from a busy event loop, hundreds of times per batch
(``docs/notes/010-group-commit.md`` has the figures). There is no timer: while the writer is idle a
batch begins at the end of the loop's current turn, so that one turn's groups go together.

If an item fails, the batch is rolled back and its items are applied again, each in its own savepoint;
so only the failing one is rejected. If COMMIT itself fails, each item gets a transaction of its own.
Long items (removing an account) run wholly in the thread, alone.
"""

import threading
import time
from collections.abc import Callable, Sequence
from functools import partial
from queue import SimpleQueue

import apsw
import structlog

from postroad.ports import StorageError
from postroad.storage.sql.apply import apply
from postroad.storage.sql.batches import Batches, Item
from postroad.storage.sql.explain import explain
from postroad.storage.sql.kinds import JOURNEY, Row
from postroad.storage.sql.rows import Rows
from postroad.storage.sql.statements import SQL
from postroad.storage.sqlite.database import Database, tell_of_checkpoints
from postroad.storage.sqlite.writer_link import WriterLink
from postroad.storage.sqlite.writing import MAX_ROWS, prepare, write

log = structlog.get_logger("postroad.storage")

_SHORTEST_PAUSE_SECONDS = 0.0003
_LONGEST_PAUSE_SECONDS = 0.01


class Writer(Batches):
    """Applies items in the order of `put`. Bound to the event loop in which it was made. `apart`: rows
    are written by a process of its own.
    """

    def __init__(
        self,
        database: Database,
        unlink: Callable[[Sequence[int]], None],
        *,
        apart: bool = False,
    ) -> None:
        super().__init__(str(database.path))
        self._database = database
        self._connection = database.writer
        self._swept: list[int] = []  # large contents whose rows went, in the open transaction
        prepare(self._connection, self._swept)
        self._connection.set_busy_timeout(0)  # who waits is ours to say
        self._turn = database.turn
        self._unlink = unlink
        self._began = 0.0
        self._work: SimpleQueue[Callable[[], None] | None] = SimpleQueue()
        self._thread = threading.Thread(target=self._run, name="postroad-writer", daemon=True)
        self._thread.start()
        self._apart: list[Item] = []  # the batch that the process writes
        self._link = self._start_process() if apart else None

    @property
    def process(self) -> WriterLink | None:
        """The process that writes rows, None where there is none."""
        return self._link

    async def close(self) -> None:
        """Finish what waits, then end process and thread."""
        await super().close()
        if self._link is not None:
            await self._link.close()

    def _start_process(self) -> WriterLink | None:
        path = self._database.path
        try:
            return WriterLink(
                path, self._loop, self._process_wrote, self._process_ended, tell_of_checkpoints
            )
        except OSError as error:
            log.error(
                "the process that writes cannot be started; going on without", error=str(error)
            )
            return None

    def _end_thread(self) -> None:
        self._work.put(None)
        self._thread.join()

    # In the event loop's thread.

    def _next_batch(self) -> None:
        while self._waiting:
            batch = self._take()
            self._began = time.monotonic()
            if batch[0].long:
                self._work.put(partial(self._apply_in_thread, batch))
                return
            if self._begin_whole(batch) or self._begin(batch, each=False):
                return
        self._rest()

    def _begin_whole(self, batch: list[Item]) -> bool:
        """Have it written in the thread, if it is nothing but rows and no other process writes."""
        rows: list[Row] = []
        for item in batch:
            if item.rows is None:
                return False
            rows += item.rows.rows
        if not 0 < len(rows) <= MAX_ROWS:
            return False
        try:
            if not self._turn.take(wait=False):
                return False
        except OSError:
            return False  # `_begin` comes to the same, and says so
        link = self._link
        if link is not None and link.ready and link.write(rows):
            self._apart = batch
        else:
            self._work.put(partial(self._write_in_thread, batch, rows))
        return True

    def _process_wrote(self, error: apsw.Error | None, swept: Sequence[int]) -> None:
        batch, self._apart = self._apart, []
        if swept:
            self._work.put(partial(self._unlink, swept))
        if error is None:
            self._committed(batch, None)
        else:
            self._not_written(batch, error)

    def _process_ended(self) -> None:
        """Go on without it. Whether its last batch is stored need not be guessed: it is dead by now."""
        log.error("the process that writes has ended; the server's own thread writes from now on")
        self._link = None
        batch, self._apart = self._apart, []
        if not batch:
            return
        try:
            stored = self._is_stored(batch)
        except StorageError as error:
            self._failed(batch, error)
            self._next_batch()
            return
        if stored:
            self._committed(batch, None)
        elif not self._begin(batch, each=False):
            self._next_batch()

    def _is_stored(self, batch: list[Item]) -> bool:
        """Whether a batch is stored, whole as it is or not at all: its rows have some of a journey."""
        rows = (row for item in batch for part in item.parts for row in part.rows)
        told = next(row for row in rows if row[0] == JOURNEY)
        _, _, at, message, kind, *_ = told
        return bool(self._database.read(SQL["journey_told"], (message, at, kind)))

    def _begin(self, batch: list[Item], *, each: bool) -> bool:
        """Begin and go on as far as the thread; False where nothing is left to commit."""
        try:
            free = self._turn.take(wait=False)
            if free:
                self._connection.execute("BEGIN IMMEDIATE")
        except apsw.BusyError:
            free = False
        except (apsw.Error, OSError) as error:
            self._turn.give()
            self._settle(batch, error)
            return False
        if not free:  # another process writes: wait for it in the thread, not here
            self._work.put(partial(self._begin_in_thread, batch, each))
            return True
        return self._apply(batch, each=each)

    def _fits(self, item: Item, first: Item) -> bool:
        """Nothing but rows goes by one statement, and not with what does not."""
        return (item.rows is not None) is (first.rows is not None)

    def _apply(self, batch: list[Item], *, each: bool) -> bool:
        """Apply and hand COMMIT to the thread; False where nothing is left to commit."""
        if each:
            try:
                self._apply_each(batch)
            except apsw.Error as error:
                self._failed(batch, error)
                return False
        else:
            try:
                for item in batch:
                    _apply_item(self._connection, item)
            except Exception:  # whose fault it is shows when each has its own savepoint
                self._roll_back()
                return self._begin(batch, each=True)
        self._work.put(partial(self._commit_in_thread, batch))
        return True

    def _apply_each(self, batch: list[Item]) -> None:
        """Apply each item in its savepoint. Raises `apsw.Error` where the transaction itself is lost."""
        connection = self._connection
        swept = self._swept
        for item in batch:
            mark = len(swept)
            connection.execute("SAVEPOINT item")
            try:
                _apply_item(connection, item)
            except Exception as error:
                if isinstance(error, apsw.Error) and not connection.in_transaction:
                    raise  # SQLite gave up on all of it: disk full, I/O error
                connection.execute("ROLLBACK TO item")
                del swept[mark:]
                item.error = self._explained(item, error)
            connection.execute("RELEASE item")

    def _roll_back(self) -> None:
        if self._connection.in_transaction:
            self._connection.execute("ROLLBACK")
        self._swept.clear()
        self._turn.give()

    def _explained(self, item: Item, error: Exception) -> Exception:
        if isinstance(error, apsw.ConstraintError):
            return explain(self._connection, item.parts)
        if isinstance(error, apsw.Error):
            return self._database.storage_error(error)
        return error

    def _failed(self, batch: list[Item], error: Exception) -> None:
        """The transaction is lost: give each of several items another try alone."""
        self._roll_back()
        if len(batch) == 1:
            self._settle(batch, error)
            return
        for item in reversed(batch):
            item.alone = True
            item.error = None
            self._waiting.appendleft(item)

    def _committed(self, batch: list[Item], error: Exception | None) -> None:
        if error is None:
            self._turn.give()
            self._settle(batch, None)
        else:
            self._failed(batch, error)
        self._next_batch()

    def _not_written(self, batch: list[Item], error: apsw.Error) -> None:
        """The one statement was refused; nothing of it is there."""
        self._roll_back()
        if isinstance(error, apsw.BusyError):  # somebody who takes no turns
            going_on = self._begin(batch, each=False)
        elif isinstance(error, apsw.ConstraintError):
            going_on = self._begin(batch, each=True)
        else:
            self._failed(batch, error)
            going_on = False
        if not going_on:
            self._next_batch()

    def _settle(self, batch: list[Item], error: Exception | None) -> None:
        failure = None if error is None else self._database.storage_error(error)
        if error is None:
            self.batches.observe(len(batch))
            self.seconds.observe(time.monotonic() - self._began)
        for item in batch:
            item.settle(item.error or failure)

    def _begun(self, batch: list[Item], each: bool, error: Exception | None) -> None:
        if error is not None:
            self._settle(batch, error)
        elif self._apply(batch, each=each):
            return
        self._next_batch()

    # In the writer thread.

    def _run(self) -> None:
        while (work := self._work.get()) is not None:
            work()

    def _write_in_thread(self, batch: list[Item], rows: list[Row]) -> None:
        try:
            write(self._connection, rows)
        except apsw.Error as error:
            self._loop.call_soon_threadsafe(self._not_written, batch, error)
        else:
            self._done_in_thread(batch)

    def _commit_in_thread(self, batch: list[Item]) -> None:
        try:
            self._connection.execute("COMMIT")
        except apsw.Error as error:
            self._loop.call_soon_threadsafe(self._committed, batch, error)
        else:
            self._done_in_thread(batch)

    def _done_in_thread(self, batch: list[Item]) -> None:
        swept = self._swept[:]
        self._swept.clear()
        checkpointer = self._database.checkpointer
        if checkpointer.due():
            # Nobody whose commit this was need wait for it.
            self._loop.call_soon_threadsafe(self._settle, batch, None)
            self._turn.give()
            checkpointer.finish()
            self._loop.call_soon_threadsafe(self._committed, [], None)
        else:
            self._loop.call_soon_threadsafe(self._committed, batch, None)
        if swept:
            self._unlink(swept)

    def _begin_in_thread(self, batch: list[Item], each: bool) -> None:
        error: Exception | None = None
        try:
            self._wait_for_lock()
        except (apsw.Error, OSError) as caught:
            self._turn.give()
            error = caught
        self._loop.call_soon_threadsafe(self._begun, batch, each, error)

    def _apply_in_thread(self, batch: list[Item]) -> None:
        try:
            self._wait_for_lock()
            self._apply_each(batch)
        except (apsw.Error, OSError) as error:
            self._loop.call_soon_threadsafe(self._committed, batch, error)
        else:
            self._commit_in_thread(batch)

    def _wait_for_lock(self) -> None:
        """Begin as soon as other processes let us. Raises `apsw.BusyError` when that takes too long.

        Those of our own kind wait for their turn. Of others we only see that the file is taken; SQLite's
        own waiting sleeps for up to a tenth of a second between two looks.
        """
        self._turn.take(wait=True)
        ends_at = time.monotonic() + self._database.busy_timeout_seconds
        pause = _SHORTEST_PAUSE_SECONDS
        while True:
            try:
                self._connection.execute("BEGIN IMMEDIATE")
                return
            except apsw.BusyError:
                if time.monotonic() > ends_at:
                    raise
            time.sleep(pause)
            pause = min(pause * 1.2, _LONGEST_PAUSE_SECONDS)


def _apply_item(connection: apsw.Connection, item: Item) -> None:
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
