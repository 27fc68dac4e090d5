"""``postroad api-key``: who may use the HTTP API."""

from typing import TYPE_CHECKING, Annotated

import typer

from postroad.cli.errors import CommandFailed, Exit
from postroad.cli.opened import in_office
from postroad.cli.options import AsJson, ConfigFile
from postroad.cli.show import print_json, print_line, print_table, when

if TYPE_CHECKING:
    from postroad.model import ApiKey
    from postroad.runtime.office import Office

app = typer.Typer(no_args_is_help=True, help="Keys of the HTTP API.")

_ALL = "all"


@app.command("add")
def add(
    name: Annotated[str, typer.Argument(metavar="NAME", help="Your word for it.")],
    scopes: Annotated[
        list[str] | None,
        typer.Option(
            "--scope",
            metavar="send|read|manage|settings",
            help="What it is good for; may be repeated. Default: send and read.",
        ),
    ] = None,
    domains: Annotated[
        list[str] | None,
        typer.Option(
            "--domain", metavar="DOMAIN", help="Only mail of this domain; may be repeated."
        ),
    ] = None,
    as_json: AsJson = False,
    config: ConfigFile = None,
) -> None:
    """Make a key and print it. It is not shown again: what is kept is its digest."""
    from postroad.model import ApiScope, parse_domain

    known = [scope.value for scope in ApiScope]
    for scope in scopes or ():
        if scope not in known:
            raise CommandFailed(f"--scope {scope!r}: there are only {', '.join(known)}", Exit.USAGE)
    wanted = tuple(ApiScope(scope) for scope in scopes or ("send", "read"))
    of = tuple(parse_domain(each) for each in domains or ())

    async def use(office: "Office") -> str:
        return await office.api_keys.add(name, wanted, of)

    token = in_office(config, use)
    if as_json:
        print_json({"name": name.strip(), "key": token})
    else:
        print_line(token)


@app.command("list")
def list_(as_json: AsJson = False, config: ConfigFile = None) -> None:
    """List the keys."""
    from postroad.model import format_id

    async def use(office: "Office") -> "list[ApiKey]":
        return await office.api_keys.list()

    found = in_office(config, use)
    if as_json:
        print_json(
            [
                {
                    "name": key.name,
                    "id": format_id(key.id),
                    "scopes": [scope.value for scope in key.scopes],
                    "domains": list(key.domains),
                    "created_at": key.created_at,
                }
                for key in found
            ]
        )
        return
    rows = [
        (
            key.name,
            " ".join(scope.value for scope in key.scopes),
            " ".join(key.domains) or _ALL,
            when(key.created_at),
        )
        for key in found
    ]
    print_table(("NAME", "SCOPES", "DOMAINS", "SINCE (UTC)"), rows, empty="there are no keys")


@app.command("remove")
def remove(name: Annotated[str, typer.Argument(metavar="NAME")], config: ConfigFile = None) -> None:
    """Make a key worthless, within a second."""

    async def use(office: "Office") -> None:
        await office.api_keys.remove(name)

    in_office(config, use)
    print_line(f"{name} removed")
