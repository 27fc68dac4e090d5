"""The schema: ``schema/NNNN_name.sql`` makes version NNNN out of the one before, in plain SQL."""

import re
from importlib.resources import files

_FILE_NAME = re.compile(r"(\d{4})_\w+\.sql")


def load_migrations() -> list[tuple[int, str]]:
    """Return (version, SQL) of all migrations, in order; versions count from 1 without a gap."""
    folder = files("postroad.storage.sql") / "schema"
    found = sorted(
        (int(match[1]), file.read_text(encoding="utf-8"))
        for file in folder.iterdir()
        if (match := _FILE_NAME.fullmatch(file.name))
    )
    if [version for version, _ in found] != list(range(1, len(found) + 1)):
        raise ValueError(f"schema migrations have a gap: {[version for version, _ in found]}")
    return found
