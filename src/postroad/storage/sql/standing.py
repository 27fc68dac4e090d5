"""`ports.StandingStore`, and how what was judged is added inside the writer's open transaction."""

from typing import Any

from postroad.model import DomainHistory, DomainsJudged
from postroad.storage.sql.connection import Connection, Database
from postroad.storage.sql.statements import SQL


class SqlStanding:
    """See `ports.StandingStore`. Raises `StorageError`."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def of(self, domain: str) -> DomainHistory | None:
        """Return the history of a domain, None where nothing was judged."""
        rows = self._database.read(SQL["standing_of"], (domain,))
        return DomainHistory(*rows[0]) if rows else None

    async def most(self, limit: int = 50) -> list[DomainHistory]:
        """Return the domains with the largest sums of junk, the largest first."""
        rows: Any = await self._database.browse(
            lambda c: c.execute(SQL["standing_most"], (limit,)).fetchall()
        )
        return [DomainHistory(*row) for row in rows]


def write_judged(connection: Connection, change: DomainsJudged) -> None:
    """Add what was judged, and forget the domains that were longest not judged."""
    for judged in change.judged:
        rows: Any = connection.execute(SQL["standing_of"], (judged.domain,)).fetchall()
        known = DomainHistory(*rows[0]) if rows else DomainHistory(judged.domain, 0, 0, change.at)
        new = known.later(judged, change.at, change.half_life_seconds)
        connection.execute(SQL["standing_put"], (new.domain, new.good, new.junk, new.at))
    connection.execute(SQL["standing_keep_newest"], (change.keep,))
