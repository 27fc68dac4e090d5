"""`ports.JourneyStore`, and the pruning of what retention no longer wants.

Searches may read much and run in a thread.
"""

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Iterable, Iterator, Sequence
from functools import partial
from typing import Any

import msgspec

from postroad.model import Accepted, Change, Deposited, Message, decode_changes
from postroad.ports import JourneyEvent
from postroad.storage.search import bracketed, fold
from postroad.storage.sql.batches import Batches
from postroad.storage.sql.connection import Connection, Database
from postroad.storage.sql.statements import SQL

PRUNE_PAGE_MESSAGES = 1000
PRUNE_STEP_MESSAGES = 100
PRUNE_STEP_ROWS = 1000  # of deliveries and journey: a few milliseconds of the writer
PAGE_EVENTS = 1000

_decode_accepted = msgspec.json.Decoder(Accepted).decode


class SqlJourney:
    """Searches the journey. See `ports.JourneyStore`. Raises `StorageError`."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def events(self, message: int) -> list[JourneyEvent]:
        """Return all events of a message, in the order they were committed."""
        rows = await self._database.browse(
            lambda c: c.execute(SQL["journey_of_message"], (message,)).fetchall()
        )
        return _events(rows)

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
        events = _events(rows)  # the first row may have begun before
        return [event for event in events if event.sequence > sequence][:limit]

    async def pages(self, until: float) -> AsyncIterator[list[JourneyEvent]]:
        """Yield what happened to deliveries up to `until`, page by page, each a short read."""
        last = 0
        while True:
            values = (last, until, PAGE_EVENTS)
            seen, page = await self._database.browse(partial(_page, values=values))
            if page:
                yield page
            if seen is None:
                return
            last = seen


def _page(
    connection: Connection, values: tuple[float, ...]
) -> tuple[int | None, list[JourneyEvent]]:
    """Return the sequence that was looked at last (None at the journey's end), and the events."""
    rows: Any = connection.execute(SQL["journey_page"], values).fetchall()
    until = values[1]
    events = [
        event
        for event in _events(rows)
        if event.at <= until and not isinstance(event.change, Deposited)
    ]
    return rows[-1][0] if rows else None, events


def _events(rows: Any) -> list[JourneyEvent]:
    """Return the events of rows of sequence, accepted and changes, each of which may be null."""
    events = []
    for last, accepted, text in rows:
        changes: list[Change] = [] if accepted is None else [_decode_accepted(accepted)]
        if text is not None:
            changes += decode_changes(text)
        first = last - len(changes) + 1
        events += [
            JourneyEvent(first + place, change.at, change) for place, change in enumerate(changes)
        ]
    return events


async def prune(database: Database, writer: Batches, before: float) -> int:
    """Remove messages that were accepted and ended before `before`, with their journeys.

    What can go is looked for beside the writer; it only removes, a few rows at a time (or one message
    with all its rows), and is left to others for at least as long between two steps. Returns how many
    messages went.
    """
    pruned, last = 0, -1
    while True:
        found, last, more = await database.browse(partial(_prunable, before=before, last=last))
        for chosen in _steps(found):
            pruned += await _paced(writer, partial(_prune_step, before=before, chosen=chosen))
        if not more:
            break
    while await _paced(writer, partial(_prune_expunged, before=before)):
        pass
    return pruned


def _prunable(
    connection: Connection, before: float, last: int
) -> tuple[list[tuple[int, int]], int, bool]:
    """Return messages that can go and how many rows go with each, the last that was looked at, and
    whether to look further.

    Ids sort by time: where all that were looked at are too young, those behind them are too.
    """
    rows: Any = connection.execute(SQL["prunable"], (before, last, PRUNE_PAGE_MESSAGES)).fetchall()
    found = [(message, count) for message, _, gone, count in rows if gone]
    more = len(rows) == PRUNE_PAGE_MESSAGES and any(old for _, old, _, _ in rows)
    return found, rows[-1][0] if rows else last, more


def _steps(found: Iterable[tuple[int, int]]) -> Iterator[list[tuple[int]]]:
    """Yield the messages of one step after the other."""
    chosen: list[tuple[int]] = []
    rows = 0
    for message, count in found:
        if chosen and (rows + count > PRUNE_STEP_ROWS or len(chosen) == PRUNE_STEP_MESSAGES):
            yield chosen
            chosen, rows = [], 0
        chosen.append((message,))
        rows += count
    if chosen:
        yield chosen


async def _paced(writer: Batches, step: Callable[[Connection], int]) -> int:
    began = time.perf_counter()
    count: int = await writer.run(step, long=True)
    await asyncio.sleep(time.perf_counter() - began)
    return count


def _prune_step(connection: Connection, before: float, chosen: Sequence[tuple[int]]) -> int:
    """Look again, now that nobody else writes, and remove."""
    values = [(message, before) for (message,) in chosen]
    found = connection.executemany(SQL["prunable_still"], values).fetchall()
    for statement in ("prune_journey", "prune_delivery", "prune_message"):
        connection.executemany(SQL[statement], found)
    return len(found)


def _prune_expunged(connection: Connection, before: float) -> int:
    connection.execute(SQL["prune_expunged"], (before, PRUNE_STEP_MESSAGES))
    return connection.changes()
