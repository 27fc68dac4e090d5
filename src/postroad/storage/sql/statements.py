"""Loads the named SQL statements of ``queries/*.sql``.

A statement begins with ``-- :name <name>``; comment lines may follow. A file that does not keep to
this, or two statements of one name, raise at import: a broken installation, not a running one.
"""

import re
from importlib.resources import files

_NAME = re.compile(r"^-- :name (\w+)\s*$", re.MULTILINE)


def parse_statements(text: str) -> dict[str, str]:
    """Return the statements of one file by name, without comments before them."""
    parts = _NAME.split(text)
    statements: dict[str, str] = {}
    for name, body in zip(parts[1::2], parts[2::2], strict=True):
        lines = [line for line in body.strip().splitlines() if not line.startswith("--")]
        if not lines or not lines[-1].endswith(";") or name in statements:
            raise ValueError(
                f"SQL statement {name!r} is empty, does not end in ';' or is there twice"
            )
        statements[name] = "\n".join(lines)
    return statements


def _load() -> dict[str, str]:
    statements: dict[str, str] = {}
    folder = files("postroad.storage.sql") / "queries"
    for file in sorted(folder.iterdir(), key=lambda entry: entry.name):
        if file.name.endswith(".sql"):
            found = parse_statements(file.read_text(encoding="utf-8"))
            if twice := statements.keys() & found.keys():
                raise ValueError(f"SQL statements {sorted(twice)} are there twice")
            statements.update(found)
    return statements


SQL = _load()
