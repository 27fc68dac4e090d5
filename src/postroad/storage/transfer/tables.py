"""What is copied: the tables of the shared schema, their columns, and the order of their rows."""

from functools import cache

import apsw
from msgspec import Struct

from postroad.storage.sql.migrations import load_migrations

PAGE_ROWS = 2000
PAGE_CONTENTS = 64
"""Rows of ``content`` may have 256 KiB and more each."""


class Table(Struct, frozen=True):
    """A table, its columns, and those of its key, by which it is walked."""

    name: str
    columns: tuple[str, ...]
    key: tuple[str, ...]

    @property
    def page_rows(self) -> int:
        """How many rows are read and written at once."""
        return PAGE_CONTENTS if self.name == "content" else PAGE_ROWS


@cache
def tables() -> tuple[Table, ...]:
    """Return all tables but those that are made anew: settings and the words of emails."""
    connection = apsw.Connection(":memory:")
    try:
        for _, sql in load_migrations():
            connection.execute(sql)
        names = [
            name
            for (name,) in connection.execute(
                "SELECT name FROM sqlite_schema WHERE type = 'table' ORDER BY name"
            )
            if name != "setting" and not str(name).startswith("email_words")
        ]
        return tuple(_table(connection, str(name)) for name in names)
    finally:
        connection.close()


def _table(connection: apsw.Connection, name: str) -> Table:
    columns = []
    key = {}
    for _, column, _, _, _, place in connection.execute(f"PRAGMA table_info({name})"):
        columns.append(str(column))
        if place:
            key[place] = str(column)
    if not key:
        raise ValueError(f"table {name} has no primary key, so it cannot be walked")
    return Table(name, tuple(columns), tuple(key[place] for place in sorted(key)))
