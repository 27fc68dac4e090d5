"""App passwords: one for each program of an account's owner, so that a lost phone costs one of them."""

import base64
import hashlib

from postroad.model import (
    Account,
    AppPassword,
    AppPasswordAdded,
    AppPasswordRemoved,
    Group,
    Scope,
)
from postroad.ports import Clock, Directory, Entropy, Ledger
from postroad.service.errors import Refused
from postroad.service.passwords import Passwords, scram_salt_of

MAX_APP_PASSWORDS = 25
MAX_NAME_LETTERS = 64
_OCTETS = 15  # 120 bits: 24 letters in base 32


class AppPasswords:
    """Adds, lists and removes the app passwords of an account. `secret` is the store's."""

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

    async def add(self, account: Account, name: str, scopes: tuple[Scope, ...]) -> str:
        """Make an app password, good for `scopes`, and return it: it cannot be shown again.

        Raises `Refused` for a name that will not do or too many, `Conflict` where the name is taken.
        """
        name = name.strip()
        if not name or len(name) > MAX_NAME_LETTERS or not name.isprintable():
            raise Refused(f"a name of 1 to {MAX_NAME_LETTERS} printable characters is needed")
        if not scopes:
            raise Refused("an app password that is good for nothing is of no use; name a scope")
        if len(await self._directory.app_passwords(account.id)) >= MAX_APP_PASSWORDS:
            raise Refused(
                f"{account.address} has {MAX_APP_PASSWORDS} app passwords, which is the limit; "
                f"remove one first: postroad account app-password remove {account.address} NAME"
            )
        password = self._make()
        app_password = AppPassword(
            id=self._entropy.id(),
            account=account.id,
            name=name,
            scopes=tuple(sorted(set(scopes), key=lambda scope: scope.value)),
            digest=hashlib.sha256(password.encode()).digest(),
            scram=await self._passwords.scram_keys(
                password, scram_salt_of(self._secret, account.address)
            ),
            created_at=self._clock.now(),
        )
        change = AppPasswordAdded(app_password.created_at, app_password)
        await self._ledger.commit(Group((change,)))
        return password

    async def list(self, account: Account) -> list[AppPassword]:
        """Return an account's app passwords, by name."""
        return await self._directory.app_passwords(account.id)

    async def remove(self, account: Account, name: str) -> None:
        """Make an app password worthless; sessions that are open stay. Raises `Conflict`."""
        change = AppPasswordRemoved(self._clock.now(), account.id, name)
        await self._ledger.commit(Group((change,)))

    def _make(self) -> str:
        """Six groups of four letters, which can be read out and typed."""
        octets = base64.urlsafe_b64decode(self._entropy.token(_OCTETS))
        letters = base64.b32encode(octets).decode().lower()
        return "-".join(letters[start : start + 4] for start in range(0, len(letters), 4))
