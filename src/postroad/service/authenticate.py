"""Logging in by address and password.

Unknown users cost the same time and get the same words as wrong passwords. Guessing is throttled by
client and account together, and by client over all accounts; another client of the same account is only
slowed down, never locked out. Passwords are hashed by argon2 in a thread, so that nobody else waits.
"""

import asyncio
import base64
import hashlib
import hmac
import secrets
from collections import OrderedDict
from concurrent.futures import ThreadPoolExecutor

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError
from argon2.low_level import ARGON2_VERSION
from msgspec import Struct

from postroad.model import Account, Address, InvalidAddress
from postroad.ports import Clock, Directory

MAX_PASSWORD_OCTETS = 1024


class Throttled(Exception):
    """Too many failures; try again after `seconds`."""

    def __init__(self, seconds: float) -> None:
        super().__init__(f"too many failed logins, wait {seconds:.0f} s")
        self.seconds = seconds


class AuthenticatorSettings(Struct, frozen=True):
    """Failures that are free, for one client on one account and for one client on all; then each
    failure doubles the wait, up to `max_wait_seconds`. A login that succeeded is remembered, as a keyed
    hash in memory, for `remember_seconds`, so that polling clients cost no argon2 each time.
    """

    free_failures: int = 5
    free_failures_per_client: int = 20
    first_wait_seconds: float = 2.0
    max_wait_seconds: float = 900.0
    remember_seconds: float = 300.0
    max_remembered: int = 10_000


class Passwords:
    """Hashes and checks passwords with argon2, two at a time (each takes 64 MiB)."""

    def __init__(self, hasher: PasswordHasher | None = None) -> None:
        self._hasher = hasher or PasswordHasher()
        self._pool = ThreadPoolExecutor(2, thread_name_prefix="argon2")
        self._nobody = _hash_of_nobody(self._hasher)

    async def hash(self, password: str) -> str:
        """Return the encoded hash to store."""
        return await asyncio.get_running_loop().run_in_executor(
            self._pool, self._hasher.hash, password
        )

    async def matches(self, encoded: str | None, password: str) -> bool:
        """Whether the password fits; None stands for a user that does not exist, and takes as long."""
        return await asyncio.get_running_loop().run_in_executor(
            self._pool, self._verify, encoded, password
        )

    def close(self) -> None:
        """Let the threads end."""
        self._pool.shutdown(wait=False, cancel_futures=True)

    def _verify(self, encoded: str | None, password: str) -> bool:
        try:
            self._hasher.verify(encoded or self._nobody, password)
        except (VerificationError, InvalidHashError):
            return False
        return encoded is not None


def _hash_of_nobody(hasher: PasswordHasher) -> str:
    """A hash that no password fits and that takes the usual time to find out; made without that time."""
    salt, digest = (
        base64.b64encode(secrets.token_bytes(octets)).rstrip(b"=").decode()
        for octets in (hasher.salt_len, hasher.hash_len)
    )
    costs = f"m={hasher.memory_cost},t={hasher.time_cost},p={hasher.parallelism}"
    return f"$argon2{hasher.type.name.lower()}$v={ARGON2_VERSION}${costs}${salt}${digest}"


class _Failures(Struct):
    count: int = 0
    until: float = 0.0


class Authenticator:
    """Verifies logins for all servers of a process."""

    def __init__(
        self,
        *,
        directory: Directory,
        clock: Clock,
        passwords: Passwords,
        settings: AuthenticatorSettings | None = None,
    ) -> None:
        self._directory = directory
        self._clock = clock
        self._passwords = passwords
        self._settings = settings or AuthenticatorSettings()
        self._failures: OrderedDict[tuple[str, str], _Failures] = OrderedDict()
        self._remembered: OrderedDict[str, tuple[bytes, float]] = OrderedDict()
        self._key = secrets.token_bytes(32)

    async def verify(self, username: str, password: str, *, client: str) -> Account | None:
        """Return the account that may log in, or None.

        `username` is the account's address; `client` is what failures are counted by (an IP address).
        Raises `Throttled` without looking at the password.
        """
        name = username.strip().lower()[:320]
        self._refuse_if_throttled(client, name)
        account = await self._account(username)
        usable = account is not None and account.enabled
        if len(password.encode()) > MAX_PASSWORD_OCTETS:
            usable, password = False, ""
        if account is not None and usable and self._is_remembered(account, password):
            return account
        encoded = account.password_hash if account is not None and usable else None
        if not await self._passwords.matches(encoded, password):
            self._failed(client, name)
            return None
        assert account is not None
        self._failures.pop((client, name), None)
        self._remember(account, password)
        return account

    async def _account(self, username: str) -> Account | None:
        try:
            return await self._directory.account(Address.parse(username.strip()))
        except InvalidAddress:
            return None

    def _refuse_if_throttled(self, client: str, name: str) -> None:
        now = self._clock.monotonic()
        for key in ((client, name), (client, "")):
            failures = self._failures.get(key)
            if failures is not None and failures.until > now:
                raise Throttled(failures.until - now)

    def _failed(self, client: str, name: str) -> None:
        settings = self._settings
        now = self._clock.monotonic()
        for key, free in (
            ((client, name), settings.free_failures),
            ((client, ""), settings.free_failures_per_client),
        ):
            failures = self._failures.setdefault(key, _Failures())
            self._failures.move_to_end(key)
            if now > failures.until + settings.max_wait_seconds:
                failures.count = 0  # long ago
            failures.count += 1
            failures.until = now
            if failures.count >= free:
                doublings = min(failures.count - free, 30)
                wait = settings.first_wait_seconds * 2**doublings
                failures.until += min(wait, settings.max_wait_seconds)
        while len(self._failures) > settings.max_remembered:
            self._failures.popitem(last=False)

    def _digest(self, account: Account, password: str) -> bytes:
        # The stored hash is part of it: a changed password forgets the old one at once.
        text = f"{account.id}\0{account.password_hash}\0{password}".encode()
        return hmac.digest(self._key, text, hashlib.sha256)

    def _is_remembered(self, account: Account, password: str) -> bool:
        known = self._remembered.get(str(account.address))
        if known is None or known[1] < self._clock.monotonic():
            return False
        return hmac.compare_digest(known[0], self._digest(account, password))

    def _remember(self, account: Account, password: str) -> None:
        until = self._clock.monotonic() + self._settings.remember_seconds
        self._remembered[str(account.address)] = (self._digest(account, password), until)
        while len(self._remembered) > self._settings.max_remembered:
            self._remembered.popitem(last=False)
