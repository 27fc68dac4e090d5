"""While a backup is made no content is removed, so that all is there that the copied database names.

Two sides of one lock of the operating system, on a file in the data directory: a backup holds it alone;
whoever removes contents that nobody needs any more takes part in it for that moment, or leaves them
for later. It is free as soon as its holder has ended, however that was.
"""

import fcntl
import os
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from postroad.ports import StorageError

FILE_NAME = "backup.lock"
WAIT_SECONDS = 5.0
_PAUSE_SECONDS = 0.003


class Keeping:
    """The lock in one data directory. Raises `OSError` where its file cannot be made."""

    def __init__(self, directory: Path) -> None:
        self.path = directory / FILE_NAME
        self._file = os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        self._threads = threading.Lock()  # one descriptor is one holder, whatever its threads do

    @contextmanager
    def removing(self) -> Iterator[bool]:
        """Whether contents may be removed within; no backup begins before the end of it."""
        with self._threads:
            try:
                fcntl.flock(self._file, fcntl.LOCK_SH | fcntl.LOCK_NB)
            except BlockingIOError:
                yield False
                return
            try:
                yield True
            finally:
                fcntl.flock(self._file, fcntl.LOCK_UN)

    def close(self) -> None:
        """Forget it."""
        os.close(self._file)


@contextmanager
def keep_contents(directory: Path) -> Iterator[None]:
    """Within, nobody removes a content of that data directory.

    Raises `StorageError` where another backup is under way, or the file cannot be made.
    """
    path = directory / FILE_NAME
    try:
        file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise StorageError(f"{path}: {error.strerror}") from error
    try:
        if not _held(file):
            raise StorageError(
                f"another backup of {directory} is under way; wait until it has ended"
            )
        yield
    finally:
        os.close(file)


def _held(file: int) -> bool:
    """Whoever is removing has done so in a moment; a backup takes longer."""
    ends_at = time.monotonic() + WAIT_SECONDS
    while True:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if time.monotonic() > ends_at:
                return False
            time.sleep(_PAUSE_SECONDS)
        else:
            return True
