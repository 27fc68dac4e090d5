"""``postroad migrate``: the whole store from SQLite to PostgreSQL, or back."""

from enum import Enum
from typing import Annotated

import typer

from postroad.cli.backup import load_settings, show_progress
from postroad.cli.errors import CommandFailed, Exit
from postroad.cli.options import AsJson, ConfigFile
from postroad.cli.show import print_json, print_line


class Engine(Enum):
    """Where to."""

    POSTGRES = "postgres"
    SQLITE = "sqlite"


To = Annotated[
    Engine,
    typer.Argument(
        metavar="postgres|sqlite",
        help="postgres: from the data directory into storage.url, an empty database; sqlite: back.",
        show_default=False,
    ),
]


def migrate(to: To, as_json: AsJson = False, config: ConfigFile = None) -> None:
    """Move the whole store to the other engine; servers must be stopped. What was cut off goes on."""
    from postroad.runtime import moving
    from postroad.runtime.server_lock import ServerRuns

    given = load_settings(config)
    move = moving.to_postgres if to is Engine.POSTGRES else moving.to_sqlite
    with show_progress(as_json) as told:
        try:
            tally = move(given, told)
        except ServerRuns as error:
            raise CommandFailed(str(error), Exit.TEMPFAIL) from error
    rows = sum(tally.tables.values())
    if as_json:
        print_json({"copied_rows": tally.copied, "rows": rows, "tables": tally.tables})
        return
    print_line(
        f"{rows} rows are there, {tally.copied} of them copied now; every table's hash is right"
    )
    if to is Engine.POSTGRES:
        print_line(
            f"the file is kept as {given.server.data_dir / moving.MOVED_AWAY}; postroad serve"
        )
    else:
        print_line("take storage.url out of the configuration, then: postroad serve")
