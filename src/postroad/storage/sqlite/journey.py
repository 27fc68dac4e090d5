"""`ports.JourneyStore`, and the pruning of what retention no longer wants.

Searches may read much and run in a thread.
"""

from functools import partial
from typing import Any

import apsw
import msgspec

from postroad.model import Accepted, Message, decode_change
from postroad.ports import JourneyEvent
from postroad.storage.search import bracketed, fold
from postroad.storage.sqlite.apply import Sweep
from postroad.storage.sqlite.database import Database
from postroad.storage.sqlite.statements import SQL
from postroad.storage.sqlite.writer import Writer

PRUNE_STEP_MESSAGES = 200

_decode_accepted = msgspec.json.Decoder(Accepted).decode


class SqliteJourney:
    """Searches the journey. See `ports.JourneyStore`. Raises `StorageError`."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def events(self, message: int) -> list[JourneyEvent]:
        """Return all events of a message, in the order they were committed."""
        rows = await self._database.browse(
            lambda c: c.execute(SQL["journey_of_message"], (message,)).fetchall()
        )
        return [_event(row) for row in rows]

    async def find(
        self,
        *,
        message_id: str | None = None,
        address: str | None = None,
        since: float | None = None,
        limit: int = 20,
    ) -> list[Message]:
        """Return messages by Message-ID header, by sender or recipient, or both; newest first."""
        values: list[object] = [float("-inf") if since is None else since, limit]
        name = "find_newest"
        if address is not None:
            name = "find_by_address"
            values.append(fold(address))
        if message_id is not None:
            name = "find_by_message_id" if address is None else "find_by_both"
            values.append(bracketed(message_id))
        rows: Any = await self._database.browse(lambda c: c.execute(SQL[name], values).fetchall())
        return [_decode_accepted(text).message for (text,) in rows]

    async def after(self, sequence: int, limit: int = 1000) -> list[JourneyEvent]:
        """Return events of all messages committed after `sequence`."""
        rows = await self._database.browse(
            lambda c: c.execute(SQL["journey_after"], (sequence, limit)).fetchall()
        )
        return [_event(row) for row in rows]


def _event(row: Any) -> JourneyEvent:
    sequence, at, change = row
    return JourneyEvent(sequence, at, decode_change(change))


async def prune(writer: Writer, before: float) -> int:
    """Remove messages that were accepted and ended before `before`, with their journeys.

    Works in small steps, so that mail goes on between them. Returns how many messages went.
    """
    pruned, last = 0, -1
    while True:
        step = partial(_prune_step, before=before, last=last)
        messages = await writer.run(step, long=True)
        if not messages:
            return pruned
        pruned += len(messages)
        last = messages[-1]


def _prune_step(connection: apsw.Connection, sweep: Sweep, before: float, last: int) -> list[int]:
    found: Any = connection.execute(SQL["prunable"], (before, last, PRUNE_STEP_MESSAGES)).fetchall()
    for statement in ("prune_journey", "prune_delivery", "prune_message"):
        connection.executemany(SQL[statement], found)
    connection.execute(SQL["prune_expunged"], (before, PRUNE_STEP_MESSAGES))
    return [message for (message,) in found]
