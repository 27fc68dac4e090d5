"""``postroad standing``: what is known of sending domains."""

from typing import TYPE_CHECKING, Annotated

import typer

from postroad.cli.errors import CommandFailed, Exit
from postroad.cli.opened import in_office
from postroad.cli.options import AsJson, ConfigFile
from postroad.cli.show import print_json, print_table, when

if TYPE_CHECKING:
    from postroad.model import DomainHistory
    from postroad.runtime.office import Office

app = typer.Typer(
    no_args_is_help=True, help="What is known of sending domains, where abuse.standing is on."
)


@app.command("list")
def standing_list(
    limit: Annotated[int, typer.Option(min=1, help="At most so many.")] = 50,
    as_json: AsJson = False,
    config: ConfigFile = None,
) -> None:
    """List the domains that sent most junk; what is old weighs less."""

    async def use(office: "Office") -> "list[DomainHistory]":
        return await office.standing.worst(limit)

    found = in_office(config, use)
    if as_json:
        print_json(
            [
                {
                    "domain": each.domain,
                    "good": round(each.good, 2),
                    "junk": round(each.junk, 2),
                    "junk_share": round(each.junk_share, 4),
                    "at": each.at,
                }
                for each in found
            ]
        )
        return
    rows = [
        (
            each.domain,
            f"{each.good:.1f}",
            f"{each.junk:.1f}",
            f"{each.junk_share:.0%}",
            when(each.at),
        )
        for each in found
    ]
    columns = ("DOMAIN", "GOOD", "JUNK", "SHARE", "LAST JUDGED (UTC)")
    print_table(columns, rows, empty="no domain was judged")


@app.command("mark")
def standing_mark(
    domain: Annotated[str, typer.Argument(metavar="DOMAIN")],
    junk: Annotated[int, typer.Option(min=0, help="So many messages were junk.")] = 0,
    good: Annotated[int, typer.Option(min=0, help="So many messages were good.")] = 0,
    config: ConfigFile = None,
) -> None:
    """Tell what people found of a domain's mail: it counts as if it had been seen."""
    from postroad.model import parse_domain
    from postroad.runtime.guards import standing_settings

    parsed = parse_domain(domain)
    if not (junk or good):
        raise CommandFailed("say --junk or --good and how many", Exit.USAGE)

    async def use(office: "Office") -> None:
        settings = standing_settings(office.config.abuse)
        await office.standing.mark(parsed, settings, good=good, junk=junk)

    in_office(config, use)
