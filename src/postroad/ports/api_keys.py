"""Keys of the HTTP API."""

from typing import Protocol

from postroad.model import ApiKey


class ApiKeyStore(Protocol):
    """Reads keys. Raises `StorageError`."""

    async def get(self, key: int) -> ApiKey | None:
        """Return a key by its id."""
        ...

    async def list(self) -> list[ApiKey]:
        """Return all keys, by name."""
        ...
