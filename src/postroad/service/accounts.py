"""Accounts: who has a mailbox here."""

import asyncio

from postroad.model import (
    Account,
    AccountAdded,
    AccountRemoved,
    Address,
    GrantEnded,
    Group,
    OperatorSet,
    PasswordSet,
    ScramKeys,
    SessionsEnded,
)
from postroad.ports import Clock, Directory, Entropy, Ledger
from postroad.service.errors import Refused
from postroad.service.passwords import MAX_PASSWORD_OCTETS, Passwords, scram_salt_of

GENERATED_PASSWORD_OCTETS = 15


class Accounts:
    """Adds, lists and removes accounts. `secret` is the store's, see `service.passwords`."""

    def __init__(
        self,
        *,
        ledger: Ledger,
        directory: Directory,
        clock: Clock,
        entropy: Entropy,
        passwords: Passwords,
        secret: bytes,
    ) -> None:
        self._ledger = ledger
        self._directory = directory
        self._clock = clock
        self._entropy = entropy
        self._passwords = passwords
        self._secret = secret

    async def add(
        self, address: Address, password: str | None = None, *, operator: bool = False
    ) -> tuple[Account, str]:
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
        password_hash, scram = await self._hashed(address, password)
        account = Account(
            id=self._entropy.id(),
            address=address,
            password_hash=password_hash,
            inbox=self._entropy.id(),
            scram=scram,
            operator=operator,
        )
        await self._ledger.commit(Group((AccountAdded(self._clock.now(), account),)))
        return account, password

    async def set_password(
        self, address: Address, password: str | None = None, *, but: int = 0
    ) -> str:
        """Change a password; return it (made here where None). Who was logged in with a browser is not
        any more, except by the session `but`, and what was granted to programs is over. Raises
        `Refused`.
        """
        account = await self.get(address)
        password = self._usable(password)
        hashed = await self._hashed(account.address, password)
        now = self._clock.now()
        changes = (
            PasswordSet(now, account.id, *hashed),
            SessionsEnded(now, account.id, but=but),
            GrantEnded(now, account.id),
        )
        await self._ledger.commit(Group(changes))
        return password

    async def set_operator(self, address: Address, operator: bool, by: str) -> None:
        """Let an account use the operators' console, or not any more. `by` is who says so. Raises
        `Refused`.
        """
        account = await self.get(address)
        change = OperatorSet(self._clock.now(), account.id, operator, by)
        await self._ledger.commit(Group((change,)))

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

    async def _hashed(self, address: Address, password: str) -> tuple[str, ScramKeys]:
        """Return what is stored of a password: its hash, and its keys for SCRAM."""
        salt = scram_salt_of(self._secret, address)
        password_hash, scram = await asyncio.gather(
            self._passwords.hash(password), self._passwords.scram_keys(password, salt)
        )
        return password_hash, scram

    def _usable(self, password: str | None) -> str:
        if password is None:
            made = self._entropy.token(GENERATED_PASSWORD_OCTETS)
            while made.startswith("-"):  # programs would take it for an option
                made = self._entropy.token(GENERATED_PASSWORD_OCTETS)
            return made
        if not password:
            raise Refused("the password is empty")
        if len(password.encode()) > MAX_PASSWORD_OCTETS:
            raise Refused(f"the password is longer than {MAX_PASSWORD_OCTETS} octets")
        if any(ord(letter) < 32 or ord(letter) == 127 for letter in password):
            # NUL parts the fields of SASL PLAIN; CR and LF end commands.
            raise Refused("the password has a control character, which no mail client can send")
        return password
