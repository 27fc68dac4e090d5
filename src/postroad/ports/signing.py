"""Who makes signatures, in this process or in one of its own."""

from collections.abc import Awaitable
from typing import Protocol

from postroad.model import KeySet


class SigningFailed(Exception):
    """No signature was made; says why. Nothing may go out unsigned because of that."""


class Signatory(Protocol):
    """Makes signatures. All methods raise `SigningFailed`, at the call or where it is awaited."""

    def sign(
        self, keys: KeySet, now: float, head: bytes, body: bytes, *, hashed: bool = False
    ) -> Awaitable[bytes]:
        """Return the signature fields to put on top of a message, one of each key; ``b""`` where it has
        no From. `head` is the header with its blank line, `body` the rest or, where `hashed`, the
        SHA-256 of the rest in relaxed form. `now` is in seconds since 1970.
        """
        ...

    def sign_digest(self, keys: KeySet, digest: bytes) -> Awaitable[bytes]:
        """Return the signature of the first of the keys over a SHA-256."""
        ...
