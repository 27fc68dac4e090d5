"""Who has mail here, as questions to the store. Local parts are compared as `Address.folded` does."""

from typing import Protocol

from postroad.model import Account, Address, Alias, AppPassword, Domain


class Directory(Protocol):
    """Looks up domains, accounts and aliases."""

    async def domain(self, name: str) -> Domain | None:
        """Return the local domain of that name (lower-case A-labels)."""
        ...

    async def account(self, address: Address) -> Account | None:
        """Return the account of exactly that address."""
        ...

    async def account_by_id(self, account: int) -> Account | None:
        """Return the account of that id."""
        ...

    async def app_passwords(self, account: int) -> list[AppPassword]:
        """Return the app passwords of an account, by name."""
        ...

    async def alias(self, address: Address) -> Alias | None:
        """Return the alias of exactly that address."""
        ...

    async def domains(self) -> list[Domain]:
        """Return all, by name."""
        ...

    async def accounts(self, domain: str | None = None) -> list[Account]:
        """Return all, or those of a domain, by address."""
        ...

    async def aliases(self, domain: str | None = None) -> list[Alias]:
        """Return all, or those of a domain, by address."""
        ...
