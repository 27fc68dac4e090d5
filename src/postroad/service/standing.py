"""Writing down what was judged of sending domains, and what an operator says of them."""

import structlog

from postroad.model import DomainHistory, DomainsJudged, Group, Judged
from postroad.policy.checks.standing import Standings, StandingSettings
from postroad.ports import Clock, Ledger, StandingStore, StorageError

log = structlog.get_logger("postroad.service.standing")


class StandingDesk:
    """Writes and shows the history of domains."""

    def __init__(self, *, ledger: Ledger, store: StandingStore, clock: Clock) -> None:
        self._ledger = ledger
        self._store = store
        self._clock = clock

    async def write(self, standings: Standings) -> None:
        """Write what waits; a store that fails costs these counts, which is told in the log."""
        waiting = standings.take()
        if not waiting:
            return
        try:
            await self._commit(waiting, standings.settings)
        except StorageError as error:
            log.error("judgements could not be written down", error=str(error))
        finally:
            standings.let_go()

    async def mark(self, domain: str, settings: StandingSettings, *, good: int, junk: int) -> None:
        """Add messages that people found good or junk. Raises `StorageError`."""
        await self._commit((Judged(domain, good, junk),), settings)

    async def worst(self, limit: int) -> list[DomainHistory]:
        """Return the domains with most junk, the worst first."""
        return await self._store.most(limit)

    async def _commit(self, judged: tuple[Judged, ...], settings: StandingSettings) -> None:
        change = DomainsJudged(self._clock.now(), judged, settings.half_life_seconds, settings.keep)
        await self._ledger.commit(Group((change,)))
