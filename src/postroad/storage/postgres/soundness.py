"""What PostgreSQL says of its own structures, for `sql.verify`: it checks pages as they are read, if it
keeps checksums.
"""

from collections.abc import Iterator

import psycopg

from postroad.storage.postgres.dialect import DIFFERENCES
from postroad.storage.sql.connection import Connection
from postroad.storage.sql.verify import MAX_PER_RULE, RESTORE, Engine, Problem


def _structure(connection: Connection) -> Iterator[Problem]:
    if connection.execute("SHOW data_checksums").get != "on":
        yield Problem(
            "PostgreSQL keeps no checksums of its pages, so a disk that changes bytes goes unnoticed",
            "stop PostgreSQL, and say: pg_checksums --enable",
            harmless=True,
        )
    for (sequence,) in connection.execute(DIFFERENCES["verify_journey_twice"], (MAX_PER_RULE,)):
        yield Problem(f"row {sequence} of the journey is there twice", RESTORE)


ENGINE = Engine(_structure, "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY", psycopg.Error)
