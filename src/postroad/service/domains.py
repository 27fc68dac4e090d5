"""Local domains and their aliases."""

from collections.abc import Sequence

from postroad.model import (
    Address,
    Alias,
    AliasAdded,
    AliasRemoved,
    Domain,
    DomainAdded,
    DomainRemoved,
    Group,
)
from postroad.ports import Clock, Directory, Ledger
from postroad.service.errors import Refused
from postroad.service.recipients import MAX_ALIAS_TARGETS


class Domains:
    """Adds, lists and removes local domains."""

    def __init__(self, *, ledger: Ledger, directory: Directory, clock: Clock) -> None:
        self._ledger = ledger
        self._directory = directory
        self._clock = clock

    async def add(
        self, name: str, *, catch_all: Address | None = None, subaddress: str = "+"
    ) -> Domain:
        """Make a domain local. `name` is in lower-case A-labels (see `model.parse_domain`).

        Raises `Conflict` where it is there already, `Refused` where a setting makes no sense.
        """
        if len(subaddress) > 1:
            raise Refused(f"the subaddress separator {subaddress!r} is not one character")
        domain = Domain(name, catch_all, subaddress)
        await self._ledger.commit(Group((DomainAdded(self._clock.now(), domain),)))
        return domain

    async def remove(self, name: str) -> None:
        """Remove a domain. Raises `Refused` where it is not there, `Conflict` where it has accounts."""
        if await self._directory.domain(name) is None:
            raise Refused(f"{name} is not a local domain; see: postroad domain list")
        await self._ledger.commit(Group((DomainRemoved(self._clock.now(), name),)))

    async def get(self, name: str) -> Domain | None:
        """Return a local domain."""
        return await self._directory.domain(name)

    async def list(self) -> list[Domain]:
        """Return all local domains."""
        return await self._directory.domains()


class Aliases:
    """Adds, lists and removes aliases."""

    def __init__(self, *, ledger: Ledger, directory: Directory, clock: Clock) -> None:
        self._ledger = ledger
        self._directory = directory
        self._clock = clock

    async def add(self, address: Address, targets: Sequence[Address]) -> Alias:
        """Send mail for `address` to all `targets`. Replaces an alias of that address.

        Raises `Refused` for a domain that is not local or impossible targets, `Conflict` where an
        account has the address.
        """
        if await self._directory.domain(address.domain) is None:
            raise Refused(
                f"{address.domain} is not a local domain; "
                f"add it first: postroad domain add {address.domain}"
            )
        if not targets:
            raise Refused(f"the alias {address} has no target")
        if len(targets) > MAX_ALIAS_TARGETS:
            raise Refused(f"the alias {address} has more than {MAX_ALIAS_TARGETS} targets")
        if any(target.folded == address.folded for target in targets):
            raise Refused(f"the alias {address} would lead to itself")
        alias = Alias(address, tuple(dict.fromkeys(targets)))
        await self._ledger.commit(Group((AliasAdded(self._clock.now(), alias),)))
        return alias

    async def remove(self, address: Address) -> None:
        """Remove an alias. Raises `Refused` where there is none."""
        if await self._directory.alias(address) is None:
            raise Refused(f"there is no alias {address}; see: postroad alias list")
        await self._ledger.commit(Group((AliasRemoved(self._clock.now(), address),)))

    async def list(self, domain: str | None = None) -> list[Alias]:
        """Return all aliases, or those of one domain."""
        return await self._directory.aliases(domain)
