"""``postroad config``: is it right, what is in force, what can be set."""

from typing import Annotated

import typer

from postroad.cli.errors import CommandFailed, Exit
from postroad.cli.options import AsJson, ConfigFile
from postroad.cli.show import print_json, print_line

app = typer.Typer(no_args_is_help=True, help="The configuration: check, dump, describe.")


@app.command("check")
def check(as_json: AsJson = False, config: ConfigFile = None) -> None:
    """Find all mistakes in the configuration, and whether its files can be used."""
    from postroad.runtime.check import problems_of
    from postroad.runtime.config import ConfigInvalid, config_path, load_config

    try:
        problems = problems_of(load_config(config), config_path(config))
    except ConfigInvalid as error:
        problems = error.problems
    if as_json:
        print_json({"file": str(config_path(config)), "problems": problems})
        if problems:
            raise typer.Exit(Exit.CONFIG)
        return
    if problems:
        raise CommandFailed("\n".join(problems), Exit.CONFIG)
    print_line(f"{config_path(config)}: no mistakes found", style="green")


@app.command("dump")
def dump(as_json: AsJson = False, config: ConfigFile = None) -> None:
    """Print all settings that are in force, passwords hidden."""
    from postroad.runtime.config import load_config
    from postroad.runtime.config.describe import dump as as_toml
    from postroad.runtime.config.describe import to_plain

    loaded = load_config(config)
    if as_json:
        print_json(to_plain(loaded))
    else:
        print(as_toml(loaded), end="")


@app.command("describe")
def describe(
    word: Annotated[
        str, typer.Argument(metavar="WORD", help="Only settings with this in their name.")
    ] = "",
    as_json: AsJson = False,
) -> None:
    """Tell what can be set: name, type, default, variable, meaning."""
    from msgspec import to_builtins

    from postroad.runtime.config.describe import settings

    found = [each for each in settings() if word.lower() in each.name.lower()]
    if not found:
        raise CommandFailed(f"no setting has {word!r} in its name", Exit.USAGE)
    if as_json:
        print_json(to_builtins(found))
        return
    for each in found:
        default = f", default {each.default}" if each.default else ""
        bounds = f", {each.bounds}" if each.bounds else ""
        print_line(f"{each.name} ({each.type}{bounds}{default})", style="bold")
        print_line(f"    {each.description}")
        if each.environment:
            print_line(f"    {each.environment}", style="dim")
