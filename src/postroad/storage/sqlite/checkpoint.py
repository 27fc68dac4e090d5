"""Moves what was committed from the WAL into the file, beside the writer and not in its way.

SQLite's own checkpoint is part of the commit that makes the WAL long enough: all that wait for this
commit wait 10 to 200 ms more, several times a second under load. Here a thread with a connection of
its own copies the pages while the writer goes on appending; the few that came meanwhile are copied
behind the next commit, and the one after it begins the WAL anew. Losing all of this costs nothing but
the WAL's length: what is committed is found in it. So a disk that fails here is no error of a commit; it
is told, and the next commit has it tried again.
"""

import contextlib
import threading
from collections.abc import Callable
from pathlib import Path

import apsw

CHECKPOINT_PAGES = 4000  # 1000: a tenth slower
_MOST_PAGES = 10 * CHECKPOINT_PAGES  # then the writer waits, or the WAL would grow for ever


class Checkpointer:
    """One thread for the database of one writer; `told` is called, in either thread, with what is wrong
    when it cannot go on. Raises `apsw.Error` where the file cannot be opened once more.
    """

    def __init__(self, path: Path, writer: apsw.Connection, told: Callable[[str], None]) -> None:
        self._path = path
        self._writer = writer
        self._told = told
        self._connection = apsw.Connection(str(path), flags=apsw.SQLITE_OPEN_READWRITE)
        self._failing = False
        self._wanted = threading.Event()
        self._begun_at = 0  # how many pages the writer had written when the WAL began
        self._busy = False
        self._few_left = False
        self._closing = False
        self._thread = threading.Thread(target=self._run, name="postroad-checkpoint", daemon=True)
        self._thread.start()

    def due(self) -> bool:
        """Called by the thread that committed: begin what can be done beside it, and return whether it
        is to call `finish` before anything else is written.
        """
        # A hook of SQLite's would tell the length of the WAL, but would have to win the interpreter's
        # lock in the midst of the commit.
        written, _ = self._writer.status(apsw.SQLITE_DBSTATUS_CACHE_WRITE)
        pages = written - self._begun_at
        if pages < CHECKPOINT_PAGES:
            return False
        if self._few_left or pages >= _MOST_PAGES:
            return True
        if not self._busy:
            self._busy = True
            self._wanted.set()
        return False

    def finish(self) -> None:
        """Copy the rest, on the writer's connection."""
        self._few_left = False
        if self._checkpoint(self._writer):
            self._begun_at, _ = self._writer.status(apsw.SQLITE_DBSTATUS_CACHE_WRITE)

    def close(self) -> None:
        """End the thread; a checkpoint under way is finished."""
        self._closing = True
        self._wanted.set()
        self._thread.join()
        with contextlib.suppress(apsw.Error):  # the last one to close has one more checkpoint made
            self._connection.close()

    def _run(self) -> None:
        while True:
            self._wanted.wait()
            self._wanted.clear()
            if self._closing:
                return
            try:
                self._checkpoint(self._connection)
            finally:
                self._few_left = True
                self._busy = False

    def _checkpoint(self, connection: apsw.Connection) -> bool:
        """Copy what nobody keeps from being copied; return whether that is all.

        Another process may be at it, or the disk fail: the commit stands in the WAL, and the next one
        tries again.
        """
        try:
            pages, copied = connection.wal_checkpoint(mode=apsw.SQLITE_CHECKPOINT_PASSIVE)
        except apsw.BusyError:
            return False
        except apsw.Error as error:
            if not self._failing:  # said once, not at each commit
                self._told(str(error))
            self._failing = True
            return False
        if not 0 <= pages == copied:
            return False
        self._failing = False
        return True
