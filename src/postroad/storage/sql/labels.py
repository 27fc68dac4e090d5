"""`ports.LabelStore`, and how its changes are applied inside the writer's open transaction."""

from collections.abc import Sequence
from functools import partial
from typing import Any

import msgspec

from postroad.model import AnswerKept, KeptAnswer
from postroad.ports import MessageQuery
from postroad.storage.conflicts import answer_kept
from postroad.storage.sql.connection import Connection, Database
from postroad.storage.sql.statements import SQL

_encode = msgspec.json.Encoder().encode


class SqlLabels:
    """See `ports.LabelStore`. Raises `StorageError`."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def find(self, query: MessageQuery, limit: int) -> Sequence[int]:
        """Return the ids of messages that fit, the newest first."""
        names, values = _statements(query, limit)
        found = await self._database.browse(partial(_found, names=names, values=values))
        return sorted(found, reverse=True)[:limit]

    async def answer(self, scope: str, key: str, now: float) -> KeptAnswer | None:
        """Return what was answered to a request with that key, while it is kept."""
        rows = self._database.read(SQL["answer_get"], (scope, key, now))
        return KeptAnswer(scope, key, *rows[0]) if rows else None


def _found(connection: Connection, names: Sequence[str], values: dict[str, Any]) -> set[int]:
    rows: Any = [row for name in names for row in connection.execute(SQL[name], values)]
    return {number for (number,) in rows}


def _statements(query: MessageQuery, limit: int) -> tuple[Sequence[str], dict[str, Any]]:
    """Return the statements that begin with the index of what is rarest by all that is known."""
    marks = list(query.marks)
    names: Sequence[str] = ("find_all",)
    if query.recipient:
        names = ("find_by_recipient", "find_by_original")
    elif marks:
        # Metadata are mostly unique, tags and words are not.
        marks.sort(key=lambda mark: "mts".index(mark[0]))
        names = ("find_by_mark",)
    return names, {
        "recipient": query.recipient,
        "mark": marks[0] if marks else "",
        "marks": _encode(marks).decode() if marks else None,
        "states": _encode([each.value for each in query.states]).decode() if query.states else None,
        "domains": _encode(query.sender_domains).decode() if query.sender_domains else None,
        "first": query.first,
        "last": query.last,
        "limit": limit,
    }


def keep(connection: Connection, change: AnswerKept) -> None:
    """Raises `KeyTaken` where the key has an answer that is still kept."""
    kept = change.answer
    connection.execute(SQL["answer_forget"], (change.at,))
    row = (kept.scope, kept.key, kept.digest, kept.answer, kept.expires_at)
    connection.execute(SQL["answer_insert"], row)
    if not connection.changes():
        raise answer_kept(kept.key)
