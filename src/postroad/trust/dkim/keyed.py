"""Signing with sets of keys that are known by number: all that a signing process does."""

from collections.abc import Sequence

from postroad.model import StoredKey
from postroad.trust.dkim.keys import SigningKey, load
from postroad.trust.dkim.sign import Signer


class UnknownKeys(LookupError):
    """No keys were given under that number."""


class KeyedSigners:
    """Holds the private keys, ready for use. `sign` and `sign_digest` raise `UnknownKeys`."""

    def __init__(self) -> None:
        self._signers: dict[int, Signer] = {}
        self._loaded: dict[StoredKey, SigningKey] = {}

    def __contains__(self, number: int) -> bool:
        return number in self._signers

    def __len__(self) -> int:
        return len(self._signers)

    def add(self, number: int, keys: Sequence[StoredKey]) -> None:
        """Know a set of keys by that number. Raises `InvalidKey`."""
        self._signers[number] = Signer([self._load(key) for key in keys])

    def forget(self) -> None:
        """Know no keys any more."""
        self._signers.clear()
        self._loaded.clear()

    def sign(self, number: int, now: float, head: bytes, body: bytes, *, hashed: bool) -> bytes:
        """Return the fields to put on top, as `postroad.ports.Signatory.sign` does."""
        signer = self._signer(number)
        digest = body if hashed else signer.body_digest(body)
        return signer.sign_octets(head, digest, now)

    def sign_digest(self, number: int, digest: bytes) -> bytes:
        """Return the signature of the first key of the set over a SHA-256."""
        return self._signer(number).keys[0].sign(digest)

    def _signer(self, number: int) -> Signer:
        signer = self._signers.get(number)
        if signer is None:
            raise UnknownKeys(f"there are no keys of number {number}")
        return signer

    def _load(self, key: StoredKey) -> SigningKey:
        loaded = self._loaded.get(key)
        if loaded is None:
            loaded = self._loaded[key] = load(key.domain, key.selector, key.pem)
        return loaded
