"""Brings a database file to the current schema: forward-only, plain SQL, ``PRAGMA user_version``.

``schema/NNNN_name.sql`` makes version NNNN out of the one before; each runs in one transaction, so a
crash leaves the old version or the new one. A file that is not ours, or newer than this program, is
refused with a `StorageError` that says what to do.
"""

from pathlib import Path

import apsw

from postroad.ports import StorageError

APPLICATION_ID = 0x506F7374  # "Post", shown by file(1)


def migrate(connection: apsw.Connection, path: Path, migrations: list[tuple[int, str]]) -> None:
    """Apply what is missing. Safe to run in several processes at once."""
    newest = migrations[-1][0]
    connection.execute("BEGIN IMMEDIATE")
    try:
        version = int(connection.pragma("user_version"))
        _refuse_strangers(connection, path, version, newest)
        for number, sql in migrations[version:]:
            connection.execute(sql)
            connection.execute(f"PRAGMA user_version = {number}")
        if version < newest:
            connection.execute(f"PRAGMA application_id = {APPLICATION_ID}")
        connection.execute("COMMIT")
    except BaseException:
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        raise


def _refuse_strangers(connection: apsw.Connection, path: Path, version: int, newest: int) -> None:
    application = int(connection.pragma("application_id"))
    tables = connection.execute("SELECT count(*) FROM sqlite_schema").get
    if application != APPLICATION_ID and (version or tables):
        raise StorageError(
            f"{path} is an SQLite database, but not one of Postroad's. "
            "Point the data directory elsewhere, or move that file away."
        )
    if version > newest:
        raise StorageError(
            f"{path} has schema version {version}; this Postroad knows versions up to {newest}. "
            "Install the newer Postroad again, or restore the backup made before the upgrade."
        )
