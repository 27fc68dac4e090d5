"""Whose turn it is to write, among the processes that share one file.

SQLite lets one process write at a time, but those that find it taken can only look again and again,
and whoever wrote last is the likeliest to come first. A lock of the operating system wakes the one that
waits as soon as the other has committed; it goes with the process that holds it, however that ends.
"""

import fcntl
import os
from pathlib import Path


class Turn:
    """An advisory lock on a file beside the database. Taking it again while it is held does nothing."""

    def __init__(self, path: Path) -> None:
        self._file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        self._held = False

    def take(self, *, wait: bool) -> bool:
        """Return whether it is ours; with `wait` that takes as long as another process writes.

        Raises `OSError`.
        """
        if not self._held:
            try:
                fcntl.flock(self._file, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
            except BlockingIOError:
                return False
            self._held = True
        return True

    def give(self) -> None:
        """Let the next one write."""
        if self._held:
            self._held = False
            fcntl.flock(self._file, fcntl.LOCK_UN)

    def close(self) -> None:
        """Forget it."""
        os.close(self._file)
