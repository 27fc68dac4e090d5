"""What SQLite says of its own file, for `sql.verify`."""

from collections.abc import Iterator

import apsw

from postroad.storage.sql.connection import Connection
from postroad.storage.sql.verify import MAX_PER_RULE, RESTORE, Engine, Problem


def _structure(connection: Connection) -> Iterator[Problem]:
    for (line,) in connection.execute(f"PRAGMA integrity_check({MAX_PER_RULE})"):
        if line != "ok":
            yield Problem(f"the database file is damaged: {line}", RESTORE)


ENGINE = Engine(_structure, "BEGIN", apsw.Error)
