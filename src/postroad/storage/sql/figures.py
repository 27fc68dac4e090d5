"""`ports.FigureStore`, and what changes it inside the writer's open transaction."""

from typing import Any

from postroad.model import Figure, FiguresCounted
from postroad.ports.figures import FigurePoint
from postroad.storage.bounds import FIGURE_DAYS
from postroad.storage.sql.connection import Connection, Database
from postroad.storage.sql.statements import SQL

_NONE = (0, 0, 0, 0, 0)


class SqlFigures:
    """See `ports.FigureStore`. Raises `StorageError`."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def over_time(
        self, span: int, since: int, until: int, step_seconds: int
    ) -> list[FigurePoint]:
        """Return sums for each step in which there was anything."""
        values = (span, since, until, step_seconds)

        def read(connection: Connection) -> tuple[list[Any], list[Any]]:
            return (
                connection.execute(SQL["figure_over_time"], values).fetchall(),
                connection.execute(SQL["figure_seconds_over_time"], values).fetchall(),
            )

        sums, seconds = await self._database.browse(read)
        counts = {row[0]: row[1:] for row in sums}
        parts: dict[int, dict[int, int]] = {}
        for at, part, count in seconds:
            parts.setdefault(at, {})[part] = count
        return [
            FigurePoint.of(at, counts.get(at, _NONE), parts.get(at, {}))
            for at in sorted(counts.keys() | parts.keys())
        ]

    async def totals(self, span: int, since: int, until: int) -> list[Figure]:
        """Return sums by stream and provider."""
        values = (span, since, until)
        rows: Any = await self._database.browse(
            lambda c: c.execute(SQL["figure_totals"], values).fetchall()
        )
        return [Figure(*row) for row in rows]


def write_counted(connection: Connection, change: FiguresCounted) -> None:
    """Add to the sums of both spans, and forget the old."""
    for span, days in FIGURE_DAYS.items():
        at = int(change.at) // span * span
        rows = [
            (
                *(span, at, f.stream, f.provider),
                *(f.accepted, f.delivered, f.deferred, f.bounced, f.unknown),
            )
            for f in change.figures
        ]
        connection.executemany(SQL["figure_add"], rows)
        parts = [(span, at, part, n) for part, n in enumerate(change.seconds) if n]
        connection.executemany(SQL["figure_seconds_add"], parts)
        oldest = (span, at - days * 86_400)
        connection.execute(SQL["figure_forget"], oldest)
        connection.execute(SQL["figure_seconds_forget"], oldest)
