"""Writes the rows of a batch in pipeline mode: all are sent before the first is answered, so a batch
costs one round trip, whatever is in it. The statements are those of `storage.sql.kinds`.
"""

from collections.abc import Sequence
from typing import Any

from postroad.storage.postgres.connection import Connection
from postroad.storage.postgres.dialect import DIFFERENCES, spoken
from postroad.storage.sql import kinds
from postroad.storage.sql.statements import SQL

_GIVEN = {kinds.CONTENT: 6, kinds.ENTRY: 8, kinds.ENTRY_LATER: 9, kinds.MESSAGE: 7, kinds.DELIVERY: 13,
          kinds.ATTEMPT: 8, kinds.JOURNEY: 5, kinds.ENDED: 1}  # fmt: skip
_SWEEP = SQL["content_sweep_message"]


class RowRefused(Exception):
    """A row does not fit what is stored; nothing of its batch may be committed."""


def write(connection: Connection, rows: Sequence[kinds.Row]) -> None:
    """Write rows in their order. Raises `psycopg.Error` or `RowRefused`."""
    execute = connection.raw.execute
    must: list[Any] = []
    swept: list[Any] = []
    with connection.raw.pipeline():
        for row in rows:
            kind: Any = row[0]
            statements, one = _STEPS[kind]
            for text, last in statements:
                cursor = execute(text, row[1 : last + 1])
                if one:
                    must.append(cursor)
                if kind == kinds.ENDED:
                    swept.append(cursor)
    if any(cursor.rowcount != 1 for cursor in must):
        raise RowRefused
    for cursor in swept:
        connection.swept += [number for number, place in cursor.fetchall() if place != "inline"]


def _steps() -> dict[int, tuple[list[tuple[str, int]], bool]]:
    found = {}
    for kind, (statements, must) in kinds.DOES.items():
        steps = []
        for name, values in statements:
            if values == [f"NEW.c{number}" for number in range(1, _GIVEN[kind] + 1)]:
                text, _ = spoken(SQL[name])
            else:
                given = [value.replace("NEW.c", "$") for value in values]
                text = kinds.given(DIFFERENCES.get(name, SQL[name]), given)
            if kind == kinds.ENDED:
                text = f"{text.rstrip().removesuffix(';')} RETURNING id, place"
            last = max(number for number in range(1, 14) if f"${number}" in text)
            steps.append((text, last))
        found[kind] = (steps, must)
    return found


_STEPS = _steps()
