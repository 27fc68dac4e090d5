"""Copies a store's rows, and compares them. Runs in one thread; raises what the engines raise, or
`StorageError`.
"""

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from typing import Any, Protocol, TypeAlias

import msgspec
from msgspec import Struct

from postroad.ports import StorageError
from postroad.storage.sql.connection import Connection
from postroad.storage.sql.statements import SQL
from postroad.storage.transfer.rows import count, fingerprint, key_of, pages, summed
from postroad.storage.transfer.tables import Table, tables

Told: TypeAlias = Callable[[str, int, int], None]
"""Told what is under way, how many rows are done, and of how many."""

MARK = "transfer"
"""The setting of a store into which a copy is under way, or that was moved elsewhere."""
MOVED = "moved"
_OWN = ("turn", "schema", "node", "owner", "keep", MARK)


class Mark(Struct, frozen=True):
    """How far a copy came: the source as it was, the table under way, and the key of the last row."""

    source: str
    table: str
    after: tuple[Any, ...] | None


class Target(Protocol):
    """A store of ours that takes the rows, and serves nobody meanwhile."""

    @property
    def connection(self) -> Connection:
        """Speaks to it."""

    def insert(self, table: Table, rows: Sequence[Any]) -> None:
        """Add rows."""

    def transaction(self) -> AbstractContextManager[object]:
        """What is done within is done whole, or not at all."""

    def settle(self) -> None:
        """Do what is to be done behind the last row."""


class Tally(Struct, frozen=True):
    """Rows copied now, and rows that are there in all, by table."""

    copied: int
    tables: dict[str, int]


def copy_rows(source: Connection, target: Target, told: Told) -> Tally:
    """Copy all rows of the moment that `source` shows; goes on where an earlier copy of that moment
    was cut off. Raises `StorageError` where the target has a store already.
    """
    was = fingerprint(source)
    mark = _begun(target, was)
    total = sum(count(source, table) for table in tables())
    done = copied = 0
    for table in tables():
        if mark.table > table.name:
            done += count(target.connection, table)
            continue
        after = mark.after if mark.table == table.name else None
        if after is not None:
            done += count(target.connection, table)
        for page in pages(source, table, after):
            with target.transaction():
                target.insert(table, page)
                _set(target, Mark(was, table.name, tuple(key_of(table, page[-1]))))
            done += len(page)
            copied += len(page)
            told("database", done, total)
    with target.transaction():
        for name, value in source.execute("SELECT name, value FROM setting").fetchall():
            if name not in _OWN:
                put_setting(target.connection, name, value)
        target.settle()
        _set(target, Mark(was, "~", None))  # behind all tables
    return Tally(copied, {table.name: count(target.connection, table) for table in tables()})


def compare(source: Connection, target: Connection, told: Told) -> None:
    """Compare all tables by their hashes. Raises `StorageError` that names those that differ."""
    total = sum(count(source, table) for table in tables())
    done, wrong = 0, []
    for table in tables():
        ours, theirs = summed(source, table), summed(target, table)
        if ours != theirs:
            wrong.append(f"{table.name} ({ours.rows} rows, and {theirs.rows} in the copy)")
        done += ours.rows
        told("comparing", done, total)
    if wrong:
        raise StorageError(
            f"The copy differs in {', '.join(wrong)}. Something changed the one or the other meanwhile: "
            "stop all servers, empty the target, and begin again."
        )


def setting(connection: Connection, name: str) -> str | None:
    """Return what a store knows by a name."""
    value: str | None = connection.execute(SQL["setting_get"], (name,)).get
    return value


def put_setting(connection: Connection, name: str, value: str) -> None:
    """Have a store know something by a name from now on."""
    connection.execute(SQL["setting_set"], (name, value))


def forget_setting(connection: Connection, name: str) -> None:
    """Have a store know it no more."""
    connection.execute(SQL["setting_forget"], (name,))


def _begun(target: Target, source: str) -> Mark:
    """Return how far an earlier copy came; begin where there was none."""
    known = setting(target.connection, MARK)
    filled = [table.name for table in tables() if count(target.connection, table)]
    if known is None or known.startswith(MOVED):
        if filled:
            raise StorageError(
                f"The target has a store already ({filled[0]} is not empty). Name an empty database."
            )
        mark = Mark(source, "", None)
    else:
        mark = msgspec.msgpack.decode(bytes.fromhex(known), type=Mark)
        if mark.source == source:
            return mark
        mark = Mark(source, "", None)
        with target.transaction():
            for name in filled:
                target.connection.execute(f"DELETE FROM {name}")
            target.connection.execute("DELETE FROM email_words")
    with target.transaction():
        _set(target, mark)
    return mark


def _set(target: Target, mark: Mark) -> None:
    put_setting(target.connection, MARK, msgspec.msgpack.encode(mark).hex())
