from pathlib import Path

import apsw
import pytest

from postroad.ports import StorageError
from postroad.storage.sql.migrations import load_migrations
from postroad.storage.sqlite.migrations import APPLICATION_ID, migrate


def connect(path: Path) -> apsw.Connection:
    return apsw.Connection(str(path))


def test_versions_are_applied_once_and_in_order(tmp_path: Path) -> None:
    path = tmp_path / "x.db"
    one = (1, "CREATE TABLE a (x); INSERT INTO a VALUES (1);")
    two = (2, "ALTER TABLE a ADD COLUMN y; UPDATE a SET y = x + 1;")
    connection = connect(path)
    migrate(connection, path, [one])
    migrate(connection, path, [one, two])
    migrate(connection, path, [one, two])
    assert connection.execute("SELECT x, y FROM a").fetchall() == [(1, 2)]
    assert connection.pragma("user_version") == 2
    assert connection.pragma("application_id") == APPLICATION_ID


def test_a_migration_that_fails_leaves_the_old_version(tmp_path: Path) -> None:
    path = tmp_path / "x.db"
    connection = connect(path)
    good = (1, "CREATE TABLE a (x);")
    migrate(connection, path, [good])
    with pytest.raises(apsw.SQLError):
        migrate(connection, path, [good, (2, "CREATE TABLE b (x); CREATE TABLE a (x);")])
    assert connection.pragma("user_version") == 1
    assert connection.execute("SELECT name FROM sqlite_schema").fetchall() == [("a",)]
    assert not connection.in_transaction


def test_a_newer_file_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "x.db"
    connection = connect(path)
    one, two = (1, "CREATE TABLE a (x);"), (2, "CREATE TABLE b (x);")
    migrate(connection, path, [one, two])
    with pytest.raises(StorageError, match=r"x\.db has schema version 2.*Install the newer"):
        migrate(connection, path, [one])


def test_somebody_elses_file_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "x.db"
    connection = connect(path)
    connection.execute("CREATE TABLE theirs (x)")
    with pytest.raises(StorageError, match="not one of Postroad's"):
        migrate(connection, path, load_migrations())
    assert connection.execute("SELECT name FROM sqlite_schema").fetchall() == [("theirs",)]


def test_the_schema_is_in_steps_without_a_gap() -> None:
    assert next(version for version, _ in load_migrations()) == 1
