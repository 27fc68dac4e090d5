"""What is known of sending domains."""

from typing import Protocol

from postroad.model import DomainHistory


class StandingStore(Protocol):
    """Reads the history of sending domains."""

    async def of(self, domain: str) -> DomainHistory | None:
        """Return the history of a domain, None where nothing was judged."""
        ...

    async def most(self, limit: int = 50) -> list[DomainHistory]:
        """Return the domains with the largest sums of junk, the largest first."""
        ...
