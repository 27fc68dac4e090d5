"""Rows of a table in the order of its key, and what they are told apart by."""

import hashlib
from collections.abc import Iterator, Sequence
from typing import Any

import msgspec
from msgspec import Struct

from postroad.storage.sql.connection import Connection
from postroad.storage.transfer.tables import Table, tables

_encode = msgspec.msgpack.Encoder().encode


class Sum(Struct, frozen=True):
    """How many rows a table has, and the SHA-256 of all of them in order."""

    rows: int
    sha256: str


def pages(
    connection: Connection, table: Table, after: Sequence[Any] | None = None
) -> Iterator[list[Any]]:
    """Yield the rows behind that key, page by page."""
    columns = ", ".join(f'"{each}"' for each in table.columns)
    key = ", ".join(f'"{each}"' for each in table.key)
    places = [table.columns.index(each) for each in table.key]
    given = ", ".join(f"?{number}" for number in range(1, len(places) + 1))
    start = f"SELECT {columns} FROM {table.name}"
    order = f"ORDER BY {key} LIMIT {table.page_rows}"
    while True:
        if after is None:
            rows = connection.execute(f"{start} {order}").fetchall()
        else:
            where = f"WHERE ({key}) > ({given})"
            rows = connection.execute(f"{start} {where} {order}", tuple(after)).fetchall()
        if not rows:
            return
        yield rows
        after = [rows[-1][place] for place in places]


def key_of(table: Table, row: Sequence[Any]) -> list[Any]:
    """Return what `pages` goes on behind."""
    return [row[table.columns.index(each)] for each in table.key]


def count(connection: Connection, table: Table) -> int:
    """Return how many rows it has."""
    number: int = connection.execute(f"SELECT count(*) FROM {table.name}").get
    return number


def summed(connection: Connection, table: Table) -> Sum:
    """Read all of a table. Characters that PostgreSQL cannot hold count as what it holds instead."""
    digest, number = hashlib.sha256(), 0
    for page in pages(connection, table):
        for row in page:
            digest.update(_encode([_plain(value) for value in row]))
        number += len(page)
    return Sum(number, digest.hexdigest())


def fingerprint(connection: Connection) -> str:
    """Return what is another one as soon as mail moved: the journey's end, and counts of all."""
    end: int = connection.execute("SELECT coalesce(max(sequence), 0) FROM journey").get
    return " ".join(map(str, [end, *(count(connection, table) for table in tables())]))


def _plain(value: Any) -> Any:
    return value.replace("\0", "\ufffd") if isinstance(value, str) else value
