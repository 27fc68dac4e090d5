"""Accounts: who has a mailbox here."""

from postroad.model import (
    Account,
    AccountAdded,
    AccountRemoved,
    Address,
    Group,
    PasswordSet,
)
from postroad.ports import Clock, Directory, Entropy, Ledger
from postroad.service.authenticate import MAX_PASSWORD_OCTETS, Passwords
from postroad.service.errors import Refused

GENERATED_PASSWORD_OCTETS = 15


class Accounts:
    """Adds, lists and removes accounts."""

    def __init__(
        self,
        *,
        ledger: Ledger,
        directory: Directory,
        clock: Clock,
        entropy: Entropy,
        passwords: Passwords,
    ) -> None:
        self._ledger = ledger
        self._directory = directory
        self._clock = clock
        self._entropy = entropy
        self._passwords = passwords

    async def add(self, address: Address, password: str | None = None) -> tuple[Account, str]:
        """Make an account with its INBOX; return it with its password (made here where None).

        Raises `Refused` where the domain is not local or the password is unusable, `Conflict` where
        the address is taken.
        """
        if await self._directory.domain(address.domain) is None:
            raise Refused(
                f"{address.domain} is not a local domain; "
                f"add it first: postroad domain add {address.domain}"
            )
        password = self._usable(password)
        account = Account(
            id=self._entropy.id(),
            address=address,
            password_hash=await self._passwords.hash(password),
            inbox=self._entropy.id(),
        )
        await self._ledger.commit(Group((AccountAdded(self._clock.now(), account),)))
        return account, password

    async def set_password(self, address: Address, password: str | None = None) -> str:
        """Change a password; return it (made here where None). Raises `Refused`."""
        account = await self.get(address)
        password = self._usable(password)
        encoded = await self._passwords.hash(password)
        change = PasswordSet(self._clock.now(), account.id, encoded)
        await self._ledger.commit(Group((change,)))
        return password

    async def remove(self, address: Address) -> None:
        """Remove an account with all its mail. Raises `Refused`."""
        account = await self.get(address)
        await self._ledger.commit(Group((AccountRemoved(self._clock.now(), account.id),)))

    async def get(self, address: Address) -> Account:
        """Return an account. Raises `Refused` where there is none."""
        account = await self._directory.account(address)
        if account is None:
            raise Refused(f"there is no account {address}; see: postroad account list")
        return account

    async def list(self, domain: str | None = None) -> list[Account]:
        """Return all accounts, or those of one domain."""
        return await self._directory.accounts(domain)

    def _usable(self, password: str | None) -> str:
        if password is None:
            return self._entropy.token(GENERATED_PASSWORD_OCTETS)
        if not password:
            raise Refused("the password is empty")
        if len(password.encode()) > MAX_PASSWORD_OCTETS:
            raise Refused(f"the password is longer than {MAX_PASSWORD_OCTETS} octets")
        if any(ord(letter) < 32 or ord(letter) == 127 for letter in password):
            # NUL parts the fields of SASL PLAIN; CR and LF end commands.
            raise Refused("the password has a control character, which no mail client can send")
        return password
