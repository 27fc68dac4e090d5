"""`ports.StandingStore` in memory."""

from postroad.model import DomainHistory
from postroad.storage.memory.state import State


class MemoryStanding:
    """See `ports.StandingStore`."""

    def __init__(self, state: State) -> None:
        self._state = state

    async def of(self, domain: str) -> DomainHistory | None:
        """Return the history of a domain, None where nothing was judged."""
        return self._state.standing.get(domain)

    async def most(self, limit: int = 50) -> list[DomainHistory]:
        """Return the domains with the largest sums of junk, the largest first."""
        found = sorted(
            self._state.standing.values(), key=lambda each: (each.junk, each.domain), reverse=True
        )
        return found[:limit]
