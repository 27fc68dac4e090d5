"""PostgreSQL as the source and the target of a copy of a whole store (`storage.transfer`)."""

import time
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from typing import Any

from postroad.storage.postgres.connection import Connection
from postroad.storage.postgres.schema import make_parts, prepare
from postroad.storage.transfer.tables import Table, tables

_MONTH_SECONDS = 28 * 86_400.0
_MAX_MONTHS = 240


@contextmanager
def moment(url: str, connect_seconds: float) -> Iterator[Connection]:
    """Lend a connection that shows one moment. Raises `psycopg.Error`."""
    connection = Connection(url, connect_seconds)
    try:
        connection.raw.execute("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY")
        yield connection
    finally:
        connection.close()


class PostgresTarget:
    """An empty database that takes the rows. Raises `StorageError`, `psycopg.Error`."""

    def __init__(self, url: str, name: str, connect_seconds: float, oldest: float | None) -> None:
        """`oldest`: of the journey that will come, so that it gets its parts."""
        self.connection = Connection(url, connect_seconds)
        try:
            prepare(self.connection, name, time.time(), receiving=True)
            at = max(oldest or time.time(), time.time() - _MAX_MONTHS * _MONTH_SECONDS)
            while at < time.time():
                make_parts(self.connection, at)
                at += _MONTH_SECONDS
        except BaseException:
            self.connection.close()
            raise

    def insert(self, table: Table, rows: Sequence[Any]) -> None:
        """Add rows."""
        columns = ", ".join(f'"{each}"' for each in table.columns)
        with (
            self.connection.raw.cursor() as cursor,
            cursor.copy(f"COPY {table.name} ({columns}) FROM STDIN") as copy,
        ):
            for row in rows:
                copy.write_row(row)

    def transaction(self) -> AbstractContextManager[object]:
        """What is done within is done whole, or not at all."""
        return self.connection.raw.transaction()

    def settle(self) -> None:
        """Numbers that the database gives go on behind those that came; its planner knows the tables."""
        rows = self.connection.execute(
            "SELECT table_name, column_name FROM information_schema.columns"
            " WHERE table_schema = current_schema() AND is_identity = 'YES'"
        ).fetchall()
        for table, column in rows:
            self.connection.execute(
                f"SELECT setval(pg_get_serial_sequence('{table}', '{column}'),"
                f" (SELECT coalesce(max({column}), 0) + 1 FROM {table}), false)"
            )
        self.connection.raw.execute("ANALYZE " + ", ".join(table.name for table in tables()))

    def close(self) -> None:
        """Let go of it."""
        self.connection.close()
