"""What is global: what only one node may do at a time, and how many nodes there are."""

from typing import Protocol


class Duties(Protocol):
    """Work that one of all nodes does, such as telling webhooks. A node that dies, or that is cut off,
    loses what it held within `HOLD_SECONDS`. Raises `StorageError`.
    """

    async def hold(self, duty: str) -> bool:
        """Take a duty, or keep it; False where another node has it. To be asked again before
        `HOLD_SECONDS` are over.
        """
        ...

    async def drop(self, duty: str) -> None:
        """Leave it to others; one that is not held is left alone."""
        ...

    async def nodes(self) -> int:
        """Say that this node lives, and return how many do, at least 1."""
        ...


HOLD_SECONDS = 30.0
"""So long a duty stays with a node that says no more."""
EVERY_SECONDS = 8.0
"""So often who holds a duty says so."""
