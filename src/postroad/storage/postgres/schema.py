"""Makes an empty database a store, and the journey's parts by time.

Whoever comes first makes it; others wait meanwhile. The lock for that is held by a transaction, and
taken only when a store is opened.
"""

from datetime import UTC, datetime

from postroad.ports import StorageError
from postroad.storage.postgres.connection import Connection
from postroad.storage.postgres.dialect import schema
from postroad.storage.sql.migrations import load_migrations
from postroad.storage.sql.statements import SQL
from postroad.storage.transfer.copying import MARK, MOVED

_LOCK = 7_367_120_011
MONTHS_AHEAD = 3


def prepare(connection: Connection, name: str, now: float, *, receiving: bool = False) -> None:
    """Make or check the schema; `receiving`: for a copy of another store. Raises `StorageError` or
    `psycopg.Error`.
    """
    run = connection.raw.execute
    newest = max(number for number, _ in load_migrations())
    if connection.execute("SHOW synchronous_commit").get == "off":
        raise StorageError(
            f"{name}: synchronous_commit is off, so what we acknowledge could be lost. Turn it on for "
            "this role: ALTER ROLE ... SET synchronous_commit = on"
        )
    with connection.raw.transaction():
        run(f"SELECT pg_advisory_xact_lock({_LOCK})")
        if connection.execute("SELECT to_regclass('setting')::text").get is None:
            for statement in schema():
                run(statement)
            run(
                "INSERT INTO setting (name, value) VALUES ('turn', ''), ('schema', $1)",
                (str(newest),),
            )
        version = int(
            connection.execute("SELECT value FROM setting WHERE name = 'schema'").get or 0
        )
        if version != newest:
            raise StorageError(
                f"{name} has schema version {version}; this Postroad knows version {newest}."
            )
        mark = connection.execute(SQL["setting_get"], (MARK,)).get
        if mark is not None and not receiving:
            raise StorageError(
                f"{name} was moved to SQLite and serves nobody any more: take storage.url out of the "
                "configuration, or empty the database."
                if mark.startswith(MOVED)
                else f"{name}: a copy into it has not ended. Run it again: postroad migrate postgres"
            )
        make_parts(connection, now)


def make_parts(connection: Connection, now: float) -> None:
    """Make the journey's parts of this month and those to come, where they are missing."""
    there = {name for (name,) in connection.own("partition_names")}
    at = datetime.fromtimestamp(now, UTC)
    for ahead in range(MONTHS_AHEAD):
        begins, ends = (_month(at.year, at.month + ahead + more) for more in (0, 1))
        name = f"journey_{begins:%Y_%m}"
        held = "SELECT 1 FROM journey_other WHERE at >= ?1 AND at < ?2 LIMIT 1"
        limits = (begins.timestamp(), ends.timestamp())
        if name in there or connection.execute(held, limits).get is not None:
            continue
        connection.raw.execute(
            f"CREATE TABLE {name} PARTITION OF journey FOR VALUES FROM ({limits[0]}) TO ({limits[1]})"
        )


def drop_parts(connection: Connection, before: float) -> None:
    """Drop the parts of past months of which nothing is left."""
    for (name,) in connection.own("partition_names").fetchall():
        if name == "journey_other":
            continue
        year, month = map(int, name.split("_")[1:])
        if _month(year, month + 1).timestamp() > before:
            continue
        if connection.execute(f"SELECT 1 FROM {name} LIMIT 1").get is None:
            connection.raw.execute(f"DROP TABLE {name}")


def _month(year: int, month: int) -> datetime:
    return datetime(year + (month - 1) // 12, (month - 1) % 12 + 1, 1, tzinfo=UTC)
