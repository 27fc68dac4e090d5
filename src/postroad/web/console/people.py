"""Accounts and aliases."""

from collections.abc import Sequence
from typing import Annotated

from litestar import delete, get, post
from litestar.params import JSONBody, QueryParameter
from litestar.types import ControllerRouterHandler
from msgspec import Meta, Struct

from postroad.web.console.asked import address_in, common
from postroad.web.console.desk import BASE, ConsoleDesk

Which = Annotated[str, QueryParameter(max_length=330)]
Text = Annotated[str, Meta(max_length=330)]
MAX_TARGETS = 100


class AccountRow(Struct, frozen=True):
    """Who has mail here."""

    address: str
    enabled: bool
    operator: bool


class AccountRows(Struct, frozen=True):
    """By address."""

    accounts: list[AccountRow]


class NewAccount(Struct, frozen=True, forbid_unknown_fields=True):
    """Without a password one is made."""

    address: Text
    password: Annotated[str, Meta(max_length=1000)] = ""


class NewPassword(Struct, frozen=True, forbid_unknown_fields=True):
    """Without a password one is made."""

    address: Text
    password: Annotated[str, Meta(max_length=1000)] = ""


class Made(Struct, frozen=True):
    """The password that was made; it is not shown again. ``""`` where it was given."""

    password: str


class AliasRow(Struct, frozen=True):
    """An address that leads to others."""

    address: str
    targets: list[str]


class AliasRows(Struct, frozen=True):
    """By address."""

    aliases: list[AliasRow]


class NewAlias(Struct, frozen=True, forbid_unknown_fields=True):
    """Where mail for an address goes."""

    address: Text
    targets: Annotated[list[Text], Meta(min_length=1, max_length=MAX_TARGETS)]


def routes(desk: ConsoleDesk) -> Sequence[ControllerRouterHandler]:
    """Return the routes."""
    return [*_accounts(desk), *_aliases(desk)]


def _accounts(desk: ConsoleDesk) -> Sequence[ControllerRouterHandler]:
    @get(f"{BASE}/accounts", **common())
    async def list_accounts() -> AccountRows:
        """List accounts."""
        return AccountRows(
            [
                AccountRow(str(each.address), each.enabled, each.operator)
                for each in await desk.accounts.list()
            ]
        )

    @post(f"{BASE}/accounts", **common(status_code=201))
    async def add_account(data: JSONBody[NewAccount]) -> Made:
        """Make an account with a mailbox."""
        address = address_in("address", data.address)
        _, password = await desk.accounts.add(address, data.password or None)
        return Made("" if data.password else password)

    @post(f"{BASE}/accounts/password", **common(status_code=200))
    async def set_password(data: JSONBody[NewPassword]) -> Made:
        """Give an account another password."""
        found = await desk.accounts.get(address_in("address", data.address))
        password = await desk.accounts.set_password(found.address, data.password or None)
        return Made("" if data.password else password)

    @delete(f"{BASE}/accounts", **common(status_code=204))
    async def remove_account(address: Which) -> None:
        """Remove an account with all its mail."""
        await desk.accounts.remove(address_in("address", address))

    return [list_accounts, add_account, set_password, remove_account]


def _aliases(desk: ConsoleDesk) -> Sequence[ControllerRouterHandler]:
    @get(f"{BASE}/aliases", **common())
    async def list_aliases() -> AliasRows:
        """List aliases."""
        return AliasRows(
            [
                AliasRow(str(each.address), [str(target) for target in each.targets])
                for each in await desk.aliases.list()
            ]
        )

    @post(f"{BASE}/aliases", **common(status_code=201))
    async def add_alias(data: JSONBody[NewAlias]) -> None:
        """Lead mail for an address to others."""
        targets = [address_in(f"targets[{n}]", each) for n, each in enumerate(data.targets)]
        await desk.aliases.add(address_in("address", data.address), targets)

    @delete(f"{BASE}/aliases", **common(status_code=204))
    async def remove_alias(address: Which) -> None:
        """Remove an alias."""
        await desk.aliases.remove(address_in("address", address))

    return [list_aliases, add_alias, remove_alias]
