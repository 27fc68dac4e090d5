"""What the store keeps for owners of accounts beside their mail."""

from typing import Protocol

from postroad.model import Quota, Vacation


class OwnerStore(Protocol):
    """Reads quotas and vacations. Raises `StorageError`."""

    async def quota(self, account: int) -> Quota:
        """Return what an operator set for an account."""
        ...

    async def quotas(self, since: float) -> list[tuple[int, Quota]]:
        """Return what was set at that time or later, with the INBOX of each account."""
        ...

    async def vacation(self, account: int) -> Vacation:
        """Return what an account answers."""
        ...

    async def answered(self, account: int, sender: str) -> float | None:
        """Return when a sender (folded) was answered last, None where that is not known (any more)."""
        ...

    async def answers(self, account: int, since: float) -> int:
        """Return how many senders were answered at that time or later."""
        ...
