"""``postroad serve`` and ``postroad lab``."""

from pathlib import Path
from typing import Annotated

import typer

from postroad.cli.options import AsJson, ConfigFile


def serve(
    config: ConfigFile = None,
    directory: Annotated[
        Path | None,
        typer.Option(
            "--dir",
            metavar="DIR",
            help="Use the configuration in this directory; where there is none, the first run makes it.",
        ),
    ] = None,
) -> int:
    """Run the mail server until SIGTERM or SIGINT; SIGHUP reads configuration and certificate anew.

    Where there is no configuration at all, a page on this machine asks for what it needs; its address is
    shown here.
    """
    from postroad.runtime.lifecycle import serve as run

    return run(config, directory)


def lab(
    once: Annotated[
        bool, typer.Option("--once", help="Send one message along the whole road, then end.")
    ] = False,
    keep: Annotated[
        Path | None,
        typer.Option("--keep", metavar="DIR", help="Keep stores, certificates and logs here."),
    ] = None,
    as_json: AsJson = False,
) -> int:
    """Open a private internet on loopback: DNS, certificates, domains, clients, servers."""
    from postroad.lab.command import lab as run

    return run(once=once, json=as_json, keep=keep)
