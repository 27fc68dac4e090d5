"""Hashing passwords: slow on purpose, so in threads, where nobody waits for it but who must."""

import asyncio
import base64
import hmac
import secrets
from concurrent.futures import ThreadPoolExecutor

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError
from argon2.low_level import ARGON2_VERSION

from postroad.model import Address, ScramKeys
from postroad.wire.sasl import derive_keys

MAX_PASSWORD_OCTETS = 1024
SCRAM_ITERATIONS = 100_000
"""How often SCRAM hashes a password (RFC 7677 asks for 4096 at least), which the client does at each
login: 30 ms on a desktop, a third of a second on an old phone.

The same for everybody, and no setting: where it differed between accounts that were made at different
times and those that do not exist, it would tell which exist.
"""

_SALT_OCTETS = 16


class Passwords:
    """Hashes and checks passwords with argon2, two at a time (each takes 64 MiB)."""

    def __init__(
        self, hasher: PasswordHasher | None = None, scram_iterations: int = SCRAM_ITERATIONS
    ) -> None:
        self._hasher = hasher or PasswordHasher()
        self._scram_iterations = scram_iterations
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

    async def scram_keys(self, password: str, salt: bytes) -> ScramKeys:
        """Return the keys to store for logins by SCRAM."""
        return await asyncio.get_running_loop().run_in_executor(
            self._pool, derive_keys, password, salt, self._scram_iterations
        )

    def fake_scram_keys(self, secret: bytes, name: str) -> ScramKeys:
        """Return keys that no password fits, for a user who does not exist; as costly as real ones."""
        salt = scram_salt(secret, name)
        stored = hmac.digest(secret, b"scram stored\0" + salt, "sha256")
        server = hmac.digest(secret, b"scram server\0" + salt, "sha256")
        return ScramKeys(salt, self._scram_iterations, stored, server)

    def close(self) -> None:
        """Let the threads end."""
        self._pool.shutdown(wait=False, cancel_futures=True)

    def _verify(self, encoded: str | None, password: str) -> bool:
        try:
            self._hasher.verify(encoded or self._nobody, password)
        except (VerificationError, InvalidHashError):
            return False
        return encoded is not None


def scram_salt(secret: bytes, name: str) -> bytes:
    """Return the salt of a user's passwords: the same for all of them, and for users who do not exist
    made in the same way. `name` is folded; `secret` is the store's.
    """
    return hmac.digest(secret, b"scram salt\0" + name.encode(), "sha256")[:_SALT_OCTETS]


def scram_salt_of(secret: bytes, address: Address) -> bytes:
    """Return `scram_salt` of an account's address."""
    return scram_salt(secret, address.folded)


def _hash_of_nobody(hasher: PasswordHasher) -> str:
    """A hash that no password fits and that takes the usual time to find out; made without that time."""
    salt, digest = (
        base64.b64encode(secrets.token_bytes(octets)).rstrip(b"=").decode()
        for octets in (hasher.salt_len, hasher.hash_len)
    )
    costs = f"m={hasher.memory_cost},t={hasher.time_cost},p={hasher.parallelism}"
    return f"$argon2{hasher.type.name.lower()}$v={ARGON2_VERSION}${costs}${salt}${digest}"
