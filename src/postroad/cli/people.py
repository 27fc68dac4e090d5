"""``postroad domain`` and ``postroad alias``."""

from typing import TYPE_CHECKING, Annotated

import typer

from postroad.cli.opened import in_office
from postroad.cli.options import AsJson, ConfigFile
from postroad.cli.show import print_json, print_table

if TYPE_CHECKING:
    from postroad.model import Alias, Domain
    from postroad.runtime.office import Office

domains = typer.Typer(no_args_is_help=True, help="Domains whose mail stays here.")
aliases = typer.Typer(no_args_is_help=True, help="Addresses that lead to other addresses.")

AddressArgument = Annotated[str, typer.Argument(metavar="ADDRESS")]
DomainArgument = Annotated[str, typer.Argument(metavar="DOMAIN")]
DomainFilter = Annotated[
    str | None, typer.Option("--domain", metavar="DOMAIN", help="Only those of this domain.")
]


# Domains


@domains.command("add")
def domain_add(
    name: DomainArgument,
    catch_all: Annotated[
        str | None,
        typer.Option(metavar="ADDRESS", help="Where mail for unknown local parts goes."),
    ] = None,
    subaddress: Annotated[
        str, typer.Option(metavar="CHARACTER", help="The + of user+tag; '' turns it off.")
    ] = "+",
    postmaster: Annotated[
        str | None,
        typer.Option(
            metavar="ADDRESS",
            help="Where mail for its postmaster goes; left out, to this server's postmaster.",
        ),
    ] = None,
    config: ConfigFile = None,
) -> None:
    """Make a domain local."""
    from postroad.model import Address, parse_domain

    parsed = parse_domain(name)
    target = Address.parse(catch_all) if catch_all else None
    responsible = Address.parse(postmaster) if postmaster else None

    async def use(office: "Office") -> None:
        await office.domains.add(parsed, catch_all=target, subaddress=subaddress)
        if responsible is not None:
            await office.aliases.add(Address("postmaster", parsed), (responsible,))

    in_office(config, use)


@domains.command("list")
def domain_list(as_json: AsJson = False, config: ConfigFile = None) -> None:
    """List local domains."""

    async def use(office: "Office") -> "list[Domain]":
        return await office.domains.list()

    found = in_office(config, use)
    if as_json:
        print_json(
            [
                {
                    "name": each.name,
                    "catch_all": str(each.catch_all) if each.catch_all else None,
                    "subaddress": each.subaddress,
                }
                for each in found
            ]
        )
        return
    rows = [(each.name, str(each.catch_all or "-"), each.subaddress or "-") for each in found]
    print_table(("DOMAIN", "CATCH-ALL", "SUBADDRESS"), rows, empty="there are no local domains")


@domains.command("remove")
def domain_remove(name: DomainArgument, config: ConfigFile = None) -> None:
    """Remove a local domain that has no accounts."""
    from postroad.model import parse_domain

    parsed = parse_domain(name)

    async def use(office: "Office") -> None:
        await office.domains.remove(parsed)

    in_office(config, use)


# Aliases


@aliases.command("add")
def alias_add(
    address: AddressArgument,
    targets: Annotated[list[str], typer.Argument(metavar="TARGET...")],
    config: ConfigFile = None,
) -> None:
    """Send mail for an address to one or more others, here or elsewhere."""
    from postroad.model import Address

    parsed = Address.parse(address)
    parsed_targets = [Address.parse(each) for each in targets]

    async def use(office: "Office") -> None:
        await office.aliases.add(parsed, parsed_targets)

    in_office(config, use)


@aliases.command("list")
def alias_list(
    domain: DomainFilter = None, as_json: AsJson = False, config: ConfigFile = None
) -> None:
    """List aliases."""

    async def use(office: "Office") -> "list[Alias]":
        return await office.aliases.list(domain_or_none(domain))

    found = in_office(config, use)
    if as_json:
        print_json(
            [
                {"address": str(each.address), "targets": [str(one) for one in each.targets]}
                for each in found
            ]
        )
        return
    rows = [(str(each.address), ", ".join(map(str, each.targets))) for each in found]
    print_table(("ADDRESS", "TARGETS"), rows, empty="there are no aliases")


@aliases.command("remove")
def alias_remove(address: AddressArgument, config: ConfigFile = None) -> None:
    """Remove an alias."""
    from postroad.model import Address

    parsed = Address.parse(address)

    async def use(office: "Office") -> None:
        await office.aliases.remove(parsed)

    in_office(config, use)


def domain_or_none(name: str | None) -> str | None:
    """Return a domain as it is stored; None where none was named."""
    from postroad.model import parse_domain

    return parse_domain(name) if name else None
