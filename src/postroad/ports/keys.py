"""Where the keys are that sign mail."""

from collections.abc import Hashable
from typing import Protocol

from postroad.model import StoredKey


class KeyStore(Protocol):
    """Keeps private keys. All methods raise `StorageError`. `changes` counts those of this process."""

    changes: int

    def generation(self) -> Hashable:
        """Return a value that differs from the last one where any key may have changed."""
        ...

    def all(self) -> list[StoredKey]:
        """Return all keys, by domain and age."""
        ...

    def put(self, key: StoredKey) -> None:
        """Keep a key, in place of the one of the same domain and selector; durable on return."""
        ...

    def remove(self, domain: str, selector: str) -> None:
        """Forget a key; nothing happens where there is none."""
        ...
