"""What was sent from which of our addresses."""

from typing import Protocol

from msgspec import Struct


class Spent(Struct, frozen=True, order=True):
    """How many recipients of a provider a source address served (or was about to) on one day."""

    source: str
    provider: str
    count: int


class SourceStore(Protocol):
    """Reads what `SourceSpent` counted."""

    async def spent(self, day: int, source: str, provider: str) -> int:
        """Return the count of one source at one provider on a day (days since 1970, UTC)."""
        ...

    async def of_day(self, day: int) -> list[Spent]:
        """Return all counts of a day, by source and provider."""
        ...
