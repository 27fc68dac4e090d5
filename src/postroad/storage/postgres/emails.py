"""`ports.EmailStore`: as on SQLite, but for how words are searched."""

from collections.abc import Sequence
from typing import Any

from postroad.model import Combined, Condition, Field, Sort
from postroad.storage.postgres.words import query
from postroad.storage.sql.email_query import _COLUMNS, Selection
from postroad.storage.sql.emails import SqlEmails


class PostgresSelection(Selection):
    """Finds words in the columns of ``email_words`` by their index of one account."""

    def _words(self, field: Field, phrases: list[str]) -> str:
        searches = [query(phrase) for phrase in phrases]
        if not all(searches):
            return "FALSE"  # a phrase of nothing but signs is in no email
        self.values.append(f"a{self._account}")
        found = ["account = ?"]
        for search in searches:
            columns = _COLUMNS[field].split()
            self.values += [search] * len(columns)
            either = " OR ".join(f"{column} @@ ?::text::tsquery" for column in columns)
            found.append(f"({either})")
        return f"id IN (SELECT rowid FROM email_words WHERE {' AND '.join(found)})"


class PostgresEmails(SqlEmails):
    """Reads emails. See `ports.EmailStore`. Raises `StorageError`."""

    async def find(
        self,
        account: int,
        where: Condition | Combined | None,
        sort: Sequence[Sort],
        limit: int | None = None,
        offset: int = 0,
    ) -> list[tuple[int, int]]:
        """Return id and thread of the emails that fit, in order; of the first, `offset` are left out."""
        selection = PostgresSelection(account, where)
        ordered = f"SELECT id, thread {selection.sql} {selection.order(sort)} LIMIT ? OFFSET ?"
        values = (*selection.values, limit, offset)
        rows: Any = await self._database.browse(lambda c: c.execute(ordered, values).fetchall())
        return [(email, thread) for email, thread in rows]

    async def count(
        self, account: int, where: Condition | Combined | None, threads: bool = False
    ) -> int:
        """Return how many emails fit, or how many threads have one that fits."""
        selection = PostgresSelection(account, where)
        what = "count(DISTINCT thread)" if threads else "count(*)"
        sql = f"SELECT {what} {selection.sql}"
        found: Any = await self._database.browse(lambda c: c.execute(sql, selection.values).get)
        return int(found)
