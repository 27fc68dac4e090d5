"""`storage.postgres.dialect`."""

from postroad.storage.postgres.dialect import arranged, schema, spoken
from postroad.storage.sql.statements import SQL


def test_parameters_are_numbered() -> None:
    assert spoken("SELECT ?, ?")[0] == "SELECT $1, $2"
    assert spoken("SELECT ?2, ?1")[0] == "SELECT $2, $1"
    sql, names = spoken("SELECT :b, :a, :b, 'x'::text")
    assert sql == "SELECT $1, $2, $1, 'x'::text"
    assert arranged({"a": 1, "b": 2}, names) == [2, 1]


def test_what_sqlite_spells_otherwise() -> None:
    assert spoken("max(0, ?1)")[0] == "greatest(0, $1)"
    assert spoken("SELECT max(at) FROM login")[0] == "SELECT max(at) FROM login"
    assert spoken("x LIMIT -1 OFFSET ?2")[0] == "x OFFSET $2"


def test_no_statement_keeps_a_parameter_of_sqlite() -> None:
    # Those of FTS5 are made anew in `emails`.
    assert [name for name, sql in SQL.items() if "?" in spoken(sql)[0]] == []


def test_every_table_of_sqlite_is_made() -> None:
    made = "\n".join(schema())
    for table in ("message", "delivery", "journey", "email_words", "mark", "setting"):
        assert f"CREATE TABLE {table} (" in made
    assert "WITHOUT ROWID" not in made
    assert "fts5" not in made
    assert "TRIGGER" not in made
