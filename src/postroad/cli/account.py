"""``postroad account``: accounts, their passwords and app passwords, and who logged in."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from postroad.cli.errors import CommandFailed, Exit
from postroad.cli.opened import in_office, operator
from postroad.cli.options import AsJson, ConfigFile
from postroad.cli.people import AddressArgument, DomainFilter, domain_or_none
from postroad.cli.show import clean, print_json, print_table, when

if TYPE_CHECKING:
    from postroad.model import Account, AppPassword, Login
    from postroad.runtime.office import Office

app = typer.Typer(no_args_is_help=True, help="Accounts: who has a mailbox here.")
app_passwords = typer.Typer(
    no_args_is_help=True, help="Passwords for single programs, each of which can be taken back."
)
app.add_typer(app_passwords, name="app-password")

PasswordFile = Annotated[
    Path | None,
    typer.Option(
        "--password-file",
        metavar="FILE",
        help="Take the first line of this file (- is standard input) for the password.",
    ),
]
AppPasswordName = Annotated[
    str, typer.Argument(metavar="NAME", help="What the program is called, as in 'phone'.")
]
_EVERYTHING = ["smtp", "pop3", "jmap"]


@app.command("add")
def account_add(
    address: AddressArgument,
    password_file: PasswordFile = None,
    is_operator: Annotated[
        bool, typer.Option("--operator", help="It may use the operators' console.")
    ] = False,
    as_json: AsJson = False,
    config: ConfigFile = None,
) -> None:
    """Make an account. Without a password file a password is made and printed, once."""
    from postroad.model import Address

    parsed = Address.parse(address)
    given = _read_password(password_file)

    async def use(office: "Office") -> str:
        _, password = await office.accounts.add(parsed, given, operator=is_operator)
        return password

    _print_password(str(parsed), in_office(config, use), given, as_json)


@app.command("password")
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


@app.command("change")
def account_change(
    address: AddressArgument,
    is_operator: Annotated[
        bool | None,
        typer.Option("--operator/--no-operator", help="Whether it may use the operators' console."),
    ] = None,
    no_second_factor: Annotated[
        bool,
        typer.Option("--no-second-factor", help="Do without it: for somebody who lost all codes."),
    ] = False,
    config: ConfigFile = None,
) -> None:
    """Change what an account may do, or take its second factor away."""
    from postroad.model import Address

    parsed = Address.parse(address)
    if is_operator is None and not no_second_factor:
        raise CommandFailed("nothing to change; say --operator or another option", Exit.USAGE)

    async def use(office: "Office") -> None:
        if is_operator is not None:
            await office.accounts.set_operator(parsed, is_operator, operator())
        if no_second_factor:
            await office.second_factors.remove(await office.accounts.get(parsed))

    in_office(config, use)


@app.command("list")
def account_list(
    domain: DomainFilter = None, as_json: AsJson = False, config: ConfigFile = None
) -> None:
    """List accounts."""

    async def use(office: "Office") -> "list[Account]":
        return await office.accounts.list(domain_or_none(domain))

    found = in_office(config, use)
    if as_json:
        print_json(
            [
                {
                    "address": str(each.address),
                    "enabled": each.enabled,
                    "operator": each.operator,
                    "second_factor": each.second_factor,
                }
                for each in found
            ]
        )
        return
    rows = [
        (
            str(each.address),
            "yes" if each.enabled else "no",
            "yes" if each.operator else "no",
            "yes" if each.second_factor else "no",
        )
        for each in found
    ]
    columns = ("ADDRESS", "ENABLED", "OPERATOR", "SECOND FACTOR")
    print_table(columns, rows, empty="there are no accounts")


@app.command("remove")
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


@app.command("logins")
def account_logins(
    address: Annotated[
        str | None, typer.Argument(metavar="ADDRESS", help="Only those of this account.")
    ] = None,
    failed: Annotated[bool, typer.Option("--failed", help="Only those that were refused.")] = False,
    limit: Annotated[int, typer.Option(min=1, help="At most so many.")] = 50,
    as_json: AsJson = False,
    config: ConfigFile = None,
) -> None:
    """Tell who logged in or tried to, the newest first; a running server writes it every few seconds."""
    from postroad.service.authenticate import folded

    username = folded(address) if address else None

    async def use(office: "Office") -> "list[Login]":
        return await office.logins.newest(username, failed=failed, limit=limit)

    found = in_office(config, use)
    if as_json:
        print_json(
            [
                {
                    "at": each.at,
                    "last_at": each.last_at,
                    "count": each.count,
                    "username": each.username,
                    "result": each.result.value,
                    "mechanism": each.mechanism,
                    "server": each.server,
                    "client": each.client,
                    "app_password": each.app_password or None,
                }
                for each in found
            ]
        )
        return
    rows = [
        (
            when(each.last_at),
            str(each.count),
            each.username or "-",
            each.result.value,
            each.mechanism,
            each.server,
            each.client or "-",
            each.app_password or "-",
        )
        for each in found
    ]
    columns = ("UTC", "TIMES", "USER", "RESULT", "MECHANISM", "SERVER", "CLIENT", "APP PASSWORD")
    print_table(columns, rows, empty="there are no logins")


@app_passwords.command("add")
def app_password_add(
    address: AddressArgument,
    name: AppPasswordName,
    scopes: Annotated[
        list[str] | None,
        typer.Option(
            "--scope",
            metavar="smtp|pop3|jmap",
            help="What it is good for; may be repeated. Default: all.",
        ),
    ] = None,
    as_json: AsJson = False,
    config: ConfigFile = None,
) -> None:
    """Make an app password and print it, once."""
    from postroad.model import Address, Scope

    parsed = Address.parse(address)
    unknown = [scope for scope in scopes or () if scope not in _EVERYTHING]
    if unknown:
        known = ", ".join(_EVERYTHING)
        raise CommandFailed(f"--scope {unknown[0]!r}: there are only {known}", Exit.USAGE)
    chosen = tuple(Scope(scope) for scope in scopes or _EVERYTHING)

    async def use(office: "Office") -> str:
        account = await office.accounts.get(parsed)
        return await office.app_passwords.add(account, name, chosen)

    password = in_office(config, use)
    if as_json:
        print_json({"address": str(parsed), "name": name, "password": password})
    else:
        print(f"{clean(name)!r} logs in as {parsed} with the app password {password}")


@app_passwords.command("list")
def app_password_list(
    address: AddressArgument, as_json: AsJson = False, config: ConfigFile = None
) -> None:
    """List the app passwords of an account."""
    from postroad.model import Address

    parsed = Address.parse(address)

    async def use(office: "Office") -> "list[AppPassword]":
        return await office.app_passwords.list(await office.accounts.get(parsed))

    found = in_office(config, use)
    if as_json:
        print_json(
            [
                {
                    "name": each.name,
                    "scopes": [scope.value for scope in each.scopes],
                    "created_at": each.created_at,
                    "used_at": each.used_at,
                }
                for each in found
            ]
        )
        return
    rows = [
        (
            each.name,
            " ".join(scope.value for scope in each.scopes),
            when(each.created_at),
            "never" if each.used_at is None else when(each.used_at),
        )
        for each in found
    ]
    columns = ("NAME", "SCOPES", "MADE (UTC)", "LAST USED (UTC)")
    print_table(columns, rows, empty=f"{parsed} has no app passwords")


@app_passwords.command("remove")
def app_password_remove(
    address: AddressArgument, name: AppPasswordName, config: ConfigFile = None
) -> None:
    """Make an app password worthless, at once."""
    from postroad.model import Address

    parsed = Address.parse(address)

    async def use(office: "Office") -> None:
        await office.app_passwords.remove(await office.accounts.get(parsed), name)

    in_office(config, use)


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
