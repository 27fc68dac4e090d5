"""`ports.SourceStore`, and what changes it inside the writer's open transaction."""

from typing import Any

from postroad.model import SourceSpent
from postroad.ports.sources import Spent
from postroad.storage import conflicts
from postroad.storage.bounds import SOURCE_DAYS
from postroad.storage.sql.connection import Connection, Database
from postroad.storage.sql.statements import SQL


class SqlSources:
    """See `ports.SourceStore`. Raises `StorageError`."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def spent(self, day: int, source: str, provider: str) -> int:
        """Return the count of one source at one provider on a day."""
        rows = self._database.read(SQL["source_spent_get"], (day, source, provider))
        return int(rows[0][0]) if rows else 0

    async def of_day(self, day: int) -> list[Spent]:
        """Return all counts of a day, by source and provider."""
        rows: Any = await self._database.browse(
            lambda c: c.execute(SQL["source_spent_of_day"], (day,)).fetchall()
        )
        return [Spent(*row) for row in rows]


def write_spent(connection: Connection, change: SourceSpent) -> None:
    """Add to the count of a day. Raises `Conflict` where that would be more than the cap."""
    row = (change.day, change.source, change.provider, change.count, change.cap)
    connection.execute(SQL["source_spent_add"], row)
    if not connection.changes():
        raise conflicts.cap_reached(change.source, change.provider, change.cap)
    connection.execute(SQL["source_spent_forget"], (change.day - SOURCE_DAYS,))
