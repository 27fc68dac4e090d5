"""Keys that sign mail: from their making to their end."""

from enum import Enum

from msgspec import Struct


class KeyState(Enum):
    """waiting -> published -> signing -> retired."""

    WAITING = "waiting"  # for its record to be seen in the DNS
    PUBLISHED = "published"  # and waiting until all caches know it
    SIGNING = "signing"
    RETIRED = "retired"  # its record stays until mail that it signed has arrived everywhere


class StoredKey(Struct, frozen=True, omit_defaults=True):
    """A private key (PEM), the domain that it signs for, and the selector that it is published under.

    Times are seconds since 1970. `algorithm` is as in DKIM: ``rsa-sha256`` or ``ed25519-sha256``.
    """

    domain: str
    selector: str
    algorithm: str
    pem: str
    created_at: float
    published_at: float | None = None
    signs_from: float | None = None
    signs_until: float | None = None

    def state(self, now: float) -> KeyState:
        """Return how it stands at that time."""
        if self.signs_until is not None and now >= self.signs_until:
            return KeyState.RETIRED
        if self.signs_from is not None and now >= self.signs_from:
            return KeyState.SIGNING
        return KeyState.WAITING if self.published_at is None else KeyState.PUBLISHED

    def __repr__(self) -> str:
        return f"StoredKey({self.domain!r}, {self.selector!r}, {self.algorithm!r})"


class KeySet(Struct, frozen=True):
    """The keys that sign together for a domain. `number` tells it from every other of this process, and
    `words` names the keys for the journey.
    """

    number: int
    keys: tuple[StoredKey, ...]
    words: str

    def __repr__(self) -> str:
        return f"KeySet({self.number}, {self.words!r})"
