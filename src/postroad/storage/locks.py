"""`ports.MailboxLocks` by flock(2) on ``locks/<mailbox>``: the kernel frees a dead holder's lock."""

import fcntl
import os
from pathlib import Path

from postroad.model import format_id
from postroad.ports import StorageError


class FileLocks:
    """One session at a time per mailbox, in all processes. See `ports.MailboxLocks`."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._held: dict[int, int] = {}
        directory.mkdir(mode=0o700, exist_ok=True)

    async def acquire(self, mailbox: int) -> bool:
        """Take the lock; False where another session has it. Raises `StorageError`."""
        if mailbox in self._held:
            return False
        path = self._directory / format_id(mailbox)
        try:
            handle = os.open(path, os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o600)
        except OSError as error:
            raise StorageError(
                f"{path}: {error.strerror}. Check the owner and the space of the data directory."
            ) from error
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            os.close(handle)
            return False
        self._held[mailbox] = handle
        return True

    def release(self, mailbox: int) -> None:
        """Give it back; one that is not held is left alone."""
        if (handle := self._held.pop(mailbox, None)) is not None:
            os.close(handle)

    def close(self) -> None:
        """Give all back."""
        for mailbox in list(self._held):
            self.release(mailbox)
