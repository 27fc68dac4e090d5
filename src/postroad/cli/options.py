"""Options that several commands share."""

from pathlib import Path
from typing import Annotated

import typer

ConfigFile = Annotated[
    Path | None,
    typer.Option(
        "--config",
        "-c",
        envvar="POSTROAD_CONFIG",
        show_envvar=True,
        metavar="FILE",
        help="Configuration file; /etc/postroad/postroad.toml if not given.",
    ),
]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON.")]
