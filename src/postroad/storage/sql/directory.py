"""`ports.Directory` on the reader connection, in the event loop's thread.

Each look-up is one or two pages by primary key, mostly from the page cache: about 10 µs, less than
handing it to a thread. Nothing is cached here, so what the command line commits in another process is
seen by the next look-up.
"""

from typing import Any

import msgspec

from postroad.model import Account, Address, Alias, AppPassword, Domain, Scope, ScramKeys
from postroad.storage.sql.connection import Database
from postroad.storage.sql.statements import SQL

_decode_address = msgspec.json.Decoder(Address).decode
_decode_scopes = msgspec.json.Decoder(tuple[Scope, ...]).decode
_decode_scram = msgspec.json.Decoder(ScramKeys).decode
_decode_addresses = msgspec.json.Decoder(tuple[Address, ...]).decode


class SqlDirectory:
    """Looks up domains, accounts and aliases. See `ports.Directory`. Raises `StorageError`."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def domain(self, name: str) -> Domain | None:
        """Return the local domain of that name (lower-case A-labels)."""
        rows = self._database.read(SQL["domain_get"], (name,))
        return _domain(rows[0]) if rows else None

    async def account(self, address: Address) -> Account | None:
        """Return the account of exactly that address."""
        rows = self._database.read(SQL["account_get"], (address.folded,))
        return _account(rows[0]) if rows else None

    async def account_by_id(self, account: int) -> Account | None:
        """Return the account of that id."""
        rows = self._database.read(SQL["account_get_by_id"], (account,))
        return _account(rows[0]) if rows else None

    async def app_passwords(self, account: int) -> list[AppPassword]:
        """Return the app passwords of an account, by name."""
        return [
            _app_password(row) for row in self._database.read(SQL["app_password_all"], (account,))
        ]

    async def alias(self, address: Address) -> Alias | None:
        """Return the alias of exactly that address."""
        rows = self._database.read(SQL["alias_get"], (address.folded,))
        return _alias(rows[0]) if rows else None

    async def domains(self) -> list[Domain]:
        """Return all, by name."""
        return [_domain(row) for row in await self._all("domain_all")]

    async def accounts(self, domain: str | None = None) -> list[Account]:
        """Return all, or those of a domain, by address."""
        return [_account(row) for row in await self._all("account_all", domain)]

    async def aliases(self, domain: str | None = None) -> list[Alias]:
        """Return all, or those of a domain, by address."""
        return [_alias(row) for row in await self._all("alias_all", domain)]

    async def _all(self, statement: str, domain: str | None = None) -> list[Any]:
        sql = SQL[statement if domain is None else f"{statement}_of_domain"]
        values = () if domain is None else (domain,)
        return await self._database.browse(lambda c: c.execute(sql, values).fetchall())


def _domain(row: Any) -> Domain:
    name, catch_all, subaddress = row
    return Domain(name, None if catch_all is None else _decode_address(catch_all), subaddress)


def _account(row: Any) -> Account:
    number, local_part, domain, password_hash, inbox, enabled, scram, *flags = row
    keys = None if scram is None else _decode_scram(scram)
    operator, second_factor = map(bool, flags)
    address = Address(local_part, domain)
    return Account(
        number, address, password_hash, inbox, bool(enabled), keys, operator, second_factor
    )


def _app_password(row: Any) -> AppPassword:
    number, account, name, scopes, digest, scram, *times = row
    return AppPassword(
        number, account, name, _decode_scopes(scopes), digest, _decode_scram(scram), *times
    )


def _alias(row: Any) -> Alias:
    local_part, domain, targets = row
    return Alias(Address(local_part, domain), _decode_addresses(targets))
