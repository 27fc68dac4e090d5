"""One server at a time on a data directory: two would each take the other's mail for their own.

The lock is the operating system's, on the file ``server.lock``. The workers inherit it, so it is free
only when the last of them has ended, however that was. Commands of an operator do not ask for it.
"""

import contextlib
import fcntl
import os
from pathlib import Path

FILE_NAME = "server.lock"


class ServerRuns(Exception):
    """Another server has the data directory; the message says what to do."""


class ServerLock:
    """Holds the lock from its birth until `close`, or until this process and all it forked are gone.

    Raises `ServerRuns`, or `OSError` where the file cannot be made.
    """

    def __init__(self, data_dir: Path) -> None:
        self.path = data_dir / FILE_NAME
        self._file = os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            holder = os.read(self._file, 32).decode("ascii", "replace").strip()
            os.close(self._file)
            raise ServerRuns(
                f"a server runs on {data_dir} already (process {holder or 'unknown'}, or one of its "
                "workers); stop it first, or give this one another server.data_dir"
            ) from None
        except OSError:
            os.close(self._file)
            raise
        with contextlib.suppress(OSError):  # a full disk: it is only for people to read
            os.ftruncate(self._file, 0)
            os.pwrite(self._file, b"%d\n" % os.getpid(), 0)

    def close(self) -> None:
        """Let it go, here; workers that still run keep it."""
        os.close(self._file)
