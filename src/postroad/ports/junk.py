"""What is known of an account's junk."""

from collections.abc import Sequence
from typing import Protocol

from postroad.model import JunkTotals, TokenCount


class JunkStore(Protocol):
    """Reads what was learned. Raises `StorageError`."""

    async def totals(self, account: int) -> JunkTotals:
        """Return how much an account's owner taught; all 0 where nothing was."""
        ...

    async def taught(self, account: int) -> JunkTotals:
        """Return the same without counting the tokens (they are 0), which takes a moment."""
        ...

    async def counts(self, account: int, tokens: Sequence[str]) -> list[TokenCount]:
        """Return those of the tokens that are known, in no order."""
        ...

    async def lesson(self, account: int, digest: bytes) -> bool | None:
        """Return whether a message was learned as spam (True) or as ham, None where it was not."""
        ...

    async def most(self, account: int, limit: int) -> list[TokenCount]:
        """Return the tokens that were in most messages, most first, then by the alphabet."""
        ...
