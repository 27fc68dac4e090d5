"""Writes the rows of a whole batch with one statement, so that a thread needs the interpreter's lock but
twice for a commit: to begin, and to say that it is done.

SQLite lets go of that lock at every step, and a thread may have to wait for each to win it back from a
busy event loop. Therefore a temporary view takes rows of any kind, each behind a number that says what
is to be done with it, and its triggers do that: they are made of the same named statements that others
execute one by one. Where the statement stands alone it is a transaction of its own, commit and all.

A row that does not fit what is stored raises `apsw.ConstraintError`, and nothing of the statement was
done.
"""

from collections.abc import Sequence
from functools import cache
from itertools import chain
from typing import Any, cast

import apsw

from postroad.storage.sql.kinds import BLANK, DOES, WIDTH, Row, given
from postroad.storage.sql.statements import SQL

_SIZES = (4, 6, 8, 12, 16, 24, 32, 48, 64, 96, 128, 192, 256, 384, 512)  # rows of a statement
MAX_ROWS = _SIZES[-1]  # of one statement; SQLite takes 32,766 values

_ONE_CHANGED = "SELECT RAISE(ABORT, 'a row does not fit') WHERE changes() <> 1;"


def prepare(connection: apsw.Connection, swept: list[int]) -> None:
    """Make view and triggers, for this connection alone. `swept` is given the ids of contents whose
    rows are deleted, by whatever statement, and whose bytes are elsewhere.
    """
    connection.pragma("temp_store", "memory")
    connection.create_scalar_function("content_file_left", cast(Any, swept.append), 1)
    names = ", ".join(f"NULL AS c{number}" for number in range(WIDTH))
    connection.execute(f"CREATE TEMP VIEW writing AS SELECT {names}")
    for kind, (statements, must) in DOES.items():
        steps = []
        for name, values in statements:
            steps.append(given(SQL[name], values))
            if must:
                steps.append(_ONE_CHANGED)
        connection.execute(
            f"CREATE TEMP TRIGGER writing_{kind} INSTEAD OF INSERT ON writing "
            f"WHEN NEW.c0 = {kind} BEGIN {' '.join(steps)} END"
        )
    connection.execute(
        "CREATE TEMP TRIGGER content_file AFTER DELETE ON content WHEN OLD.place <> 'inline' "
        "BEGIN SELECT content_file_left(OLD.id); END"
    )


def write(connection: apsw.Connection, rows: Sequence[Row]) -> None:
    """Write rows in their order; with at most `MAX_ROWS` by one statement."""
    for begin in range(0, len(rows), MAX_ROWS):
        part = rows[begin : begin + MAX_ROWS]
        size = next(size for size in _SIZES if size >= len(part))
        values = chain(chain.from_iterable(part), chain.from_iterable([BLANK] * (size - len(part))))
        connection.execute(_statement(size), tuple(values))


@cache
def _statement(size: int) -> str:
    one = f"({','.join('?' * WIDTH)})"
    return f"INSERT INTO writing VALUES {','.join([one] * size)}"
