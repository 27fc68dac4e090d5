"""A connection that is spoken to as the shared code speaks to SQLite: `execute` with values, then `get`,
`fetchall` or a walk; `changes` tells how many rows the last statement changed.

No session state: statements are not prepared, nothing is set, so PgBouncer in transaction mode serves.
"""

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import psycopg
from psycopg.adapt import Loader
from psycopg.types.numeric import Int8Dumper
from psycopg.types.string import StrDumper

from postroad.storage.postgres.dialect import DIFFERENCES, arranged, spoken
from postroad.storage.postgres.words import vector
from postroad.storage.sql.statements import SQL

_WORDS = SQL["email_words_insert"]
_FORGET_CONTENT = (SQL["content_sweep_message"], SQL["content_sweep"])


class _BoolDumper(Int8Dumper):
    """Columns that say yes or no are numbers, as in SQLite."""

    def dump(self, obj: Any) -> Any:
        return b"1" if obj else b"0"


class _TextDumper(StrDumper):
    """PostgreSQL's text has no NUL: stored and searched, U+FFFD stands for it. Contents are no text."""

    def dump(self, obj: Any) -> Any:
        return super().dump(obj.replace("\0", "\ufffd"))


class _NumericLoader(Loader):
    """Sums of numbers are numbers."""

    def load(self, data: Any) -> int:
        return int(bytes(data))


class Rows:
    """What a statement returned."""

    __slots__ = ("_rows",)

    def __init__(self, rows: list[Any]) -> None:
        self._rows = rows

    @property
    def get(self) -> Any:
        """The first row, without its tuple where that has one value; None where there is none."""
        if not self._rows:
            return None
        row = self._rows[0]
        return row[0] if len(row) == 1 else row

    def fetchall(self) -> list[Any]:
        """Return all rows."""
        return self._rows

    def fetchone(self) -> Any:
        """Return the first row, None where there is none."""
        return self._rows[0] if self._rows else None

    def __iter__(self) -> Iterator[Any]:
        return iter(self._rows)


class Connection:
    """One connection, used by one thread at a time. `swept` collects large contents whose rows went."""

    def __init__(self, url: str, connect_seconds: float) -> None:
        self.raw = psycopg.connect(
            url,
            autocommit=True,
            prepare_threshold=None,
            connect_timeout=max(2, int(connect_seconds)),
            cursor_factory=psycopg.RawCursor,
        )
        self.raw.adapters.register_dumper(bool, _BoolDumper)
        self.raw.adapters.register_dumper(int, Int8Dumper)
        self.raw.adapters.register_dumper(str, _TextDumper)
        self.raw.adapters.register_loader("numeric", _NumericLoader)
        self.swept: list[int] = []
        self._changes = 0

    @property
    def broken(self) -> bool:
        """Whether it is of no use any more."""
        return self.raw.broken or self.raw.closed

    def execute(self, sql: str, values: Any = ()) -> Rows:
        """Run one statement of the shared ones, or one in their words."""
        text, names = spoken(sql)
        given = arranged(values, names)
        if sql is _WORDS:
            given = [*given[:2], *map(vector, map(str, given[2:]))]
        sweeping = sql in _FORGET_CONTENT
        if sweeping:
            text = f"{text.rstrip().removesuffix(';')} RETURNING id, place"
        cursor = self.raw.execute(text, given)
        rows = cursor.fetchall() if cursor.description is not None else []
        if sweeping:
            self.swept += [number for number, place in rows if place != "inline"]
        self._changes = max(0, cursor.rowcount)
        return Rows(rows)

    def executemany(self, sql: str, rows: Iterable[Sequence[object]]) -> Rows:
        """Run a statement for each of the rows, in one round trip; return what all of them returned."""
        if sql in _FORGET_CONTENT or sql is _WORDS:
            return Rows([row for each in rows for row in self.execute(sql, each)])
        text, _ = spoken(sql)
        with self.raw.pipeline():
            cursors = [self.raw.execute(text, row) for row in rows]
        found = [row for each in cursors if each.description is not None for row in each.fetchall()]
        self._changes = sum(max(0, each.rowcount) for each in cursors)
        return Rows(found)

    def own(self, name: str, values: Sequence[object] = ()) -> Rows:
        """Run a statement that only PostgreSQL needs."""
        return self.execute(DIFFERENCES[name], values)

    def changes(self) -> int:
        """Return how many rows the last statement changed."""
        return self._changes

    def close(self) -> None:
        """Close it."""
        self.raw.close()
