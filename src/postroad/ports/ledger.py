"""The one way to change durable state."""

from typing import Protocol

from postroad.model import Group


class StorageError(Exception):
    """The store could not do it; nothing of the group was applied. The caller answers 4xx."""


class StorageFull(StorageError):
    """No space left."""


class Conflict(StorageError):
    """The group contradicts what is stored: an account that exists, a mailbox that is gone.

    The message says what to do about it; it is shown to people.
    """


class KeyTaken(Conflict):
    """The idempotency key of the group has an answer already; nothing of the group was applied."""


class Ledger(Protocol):
    """Applies changes."""

    async def commit(self, group: Group) -> None:
        """Apply all changes of the group atomically and write the journey from them.

        Returns when all is on stable storage. Groups that wait at the same time are committed
        together, yet one that fails is rolled back alone. Groups are applied in the order of the
        calls. Raises `StorageError`, and then nothing of the group was applied.
        """
        ...
