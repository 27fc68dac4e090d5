"""``postroad account``, ``domain`` and ``alias``."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from postroad.cli.errors import CommandFailed, Exit
from postroad.cli.opened import in_office
from postroad.cli.options import AsJson, ConfigFile
from postroad.cli.show import print_json, print_table

if TYPE_CHECKING:
    from postroad.model import Account, Alias, Domain
    from postroad.runtime.office import Office

accounts = typer.Typer(no_args_is_help=True, help="Accounts: who has a mailbox here.")
domains = typer.Typer(no_args_is_help=True, help="Domains whose mail stays here.")
aliases = typer.Typer(no_args_is_help=True, help="Addresses that lead to other addresses.")

AddressArgument = Annotated[str, typer.Argument(metavar="ADDRESS")]
DomainArgument = Annotated[str, typer.Argument(metavar="DOMAIN")]
DomainFilter = Annotated[
    str | None, typer.Option("--domain", metavar="DOMAIN", help="Only those of this domain.")
]
PasswordFile = Annotated[
    Path | None,
    typer.Option(
        "--password-file",
        metavar="FILE",
        help="Take the first line of this file (- is standard input) for the password.",
    ),
]


# Accounts


@accounts.command("add")
def account_add(
    address: AddressArgument,
    password_file: PasswordFile = None,
    as_json: AsJson = False,
    config: ConfigFile = None,
) -> None:
    """Make an account. Without a password file a password is made and printed, once."""
    from postroad.model import Address

    parsed = Address.parse(address)
    given = _read_password(password_file)

    async def use(office: "Office") -> str:
        _, password = await office.accounts.add(parsed, given)
        return password

    _print_password(str(parsed), in_office(config, use), given, as_json)


@accounts.command("password")
def account_password(
    address: AddressArgument,
    password_file: PasswordFile = None,
    as_json: AsJson = False,
    config: ConfigFile = None,
) -> None:
    """Change an account's password. Without a password file one is made and printed, once."""
    from postroad.model import Address

    parsed = Address.parse(address)
    given = _read_password(password_file)

    async def use(office: "Office") -> str:
        return await office.accounts.set_password(parsed, given)

    _print_password(str(parsed), in_office(config, use), given, as_json)


@accounts.command("list")
def account_list(
    domain: DomainFilter = None, as_json: AsJson = False, config: ConfigFile = None
) -> None:
    """List accounts."""

    async def use(office: "Office") -> "list[Account]":
        return await office.accounts.list(_domain_or_none(domain))

    found = in_office(config, use)
    if as_json:
        print_json([{"address": str(each.address), "enabled": each.enabled} for each in found])
        return
    rows = [(str(each.address), "yes" if each.enabled else "no") for each in found]
    print_table(("ADDRESS", "ENABLED"), rows, empty="there are no accounts")


@accounts.command("remove")
def account_remove(
    address: AddressArgument,
    yes: Annotated[
        bool, typer.Option("--yes", help="Do not ask; needed where nobody can answer.")
    ] = False,
    config: ConfigFile = None,
) -> None:
    """Remove an account with all its mail."""
    from postroad.model import Address

    parsed = Address.parse(address)
    if not yes:
        if not sys.stdin.isatty():
            raise CommandFailed(
                f"this removes {parsed} with all its mail; say --yes if you mean it", Exit.USAGE
            )
        typer.confirm(f"Remove {parsed} with all its mail?", abort=True)

    async def use(office: "Office") -> None:
        await office.accounts.remove(parsed)

    in_office(config, use)


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
        return await office.aliases.list(_domain_or_none(domain))

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


def _domain_or_none(name: str | None) -> str | None:
    from postroad.model import parse_domain

    return parse_domain(name) if name else None


def _read_password(file: Path | None) -> str | None:
    if file is None:
        return None
    text = sys.stdin.readline() if str(file) == "-" else file.read_text(encoding="utf-8")
    return text.split("\n", 1)[0].rstrip("\r")


def _print_password(address: str, password: str, given: str | None, as_json: bool) -> None:
    if as_json:
        print_json({"address": address, "password": password if given is None else None})
    elif given is None:
        print(f"{address} logs in with the password {password}")
