"""A directory in memory and a clock that stands still, for the tests of services."""

from postroad.model import Account, Address, Alias, AppPassword, Domain


class FakeDirectory:
    def __init__(self) -> None:
        self.known_domains: dict[str, Domain] = {}
        self.known_accounts: dict[str, Account] = {}
        self.known_app_passwords: list[AppPassword] = []
        self.known_aliases: dict[str, Alias] = {}

    def add_domain(self, name: str, *, catch_all: str = "", subaddress: str = "+") -> None:
        target = Address.parse(catch_all) if catch_all else None
        self.known_domains[name] = Domain(name, target, subaddress)

    def add_account(self, address: str, *, password_hash: str = "", enabled: bool = True) -> int:
        number = len(self.known_accounts) + 1
        account = Account(number, Address.parse(address), password_hash, number + 100, enabled)
        self.known_accounts[account.address.folded] = account
        return account.inbox

    def add_alias(self, address: str, *targets: str) -> None:
        alias = Alias(Address.parse(address), tuple(map(Address.parse, targets)))
        self.known_aliases[alias.address.folded] = alias

    async def domain(self, name: str) -> Domain | None:
        return self.known_domains.get(name)

    async def account(self, address: Address) -> Account | None:
        return self.known_accounts.get(address.folded)

    async def account_by_id(self, account: int) -> Account | None:
        return next((a for a in self.known_accounts.values() if a.id == account), None)

    async def app_passwords(self, account: int) -> list[AppPassword]:
        return [each for each in self.known_app_passwords if each.account == account]

    async def alias(self, address: Address) -> Alias | None:
        return self.known_aliases.get(address.folded)

    async def domains(self) -> list[Domain]:
        return list(self.known_domains.values())

    async def accounts(self, domain: str | None = None) -> list[Account]:
        return [a for a in self.known_accounts.values() if domain in (None, a.address.domain)]

    async def aliases(self, domain: str | None = None) -> list[Alias]:
        return [a for a in self.known_aliases.values() if domain in (None, a.address.domain)]


class FakeClock:
    def __init__(self) -> None:
        self.at = 1000.0

    def now(self) -> float:
        return self.at

    def monotonic(self) -> float:
        return self.at

    async def sleep(self, seconds: float) -> None:
        self.at += seconds
