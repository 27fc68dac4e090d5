"""`ports.ApiKeyStore` in memory, and how its changes are applied."""

from typing import TYPE_CHECKING, Any

from postroad.model import ApiKey, ApiKeyAdded, ApiKeyRemoved
from postroad.storage.conflicts import api_key_exists, no_api_key
from postroad.storage.memory.state import State

if TYPE_CHECKING:
    from postroad.storage.memory.apply import Application


class MemoryApiKeys:
    """See `ports.ApiKeyStore`."""

    def __init__(self, state: State) -> None:
        self._state = state

    async def get(self, key: int) -> ApiKey | None:
        """Return a key by its id."""
        return next((each for each in self._state.api_keys.values() if each.id == key), None)

    async def list(self) -> list[ApiKey]:
        """Return all keys, by name."""
        return [key for _, key in sorted(self._state.api_keys.items())]


def _added(do: "Application", change: ApiKeyAdded) -> None:
    api_keys, key = do.state.api_keys, change.key
    if key.name in api_keys or any(key.id == each.id for each in api_keys.values()):
        raise api_key_exists(key.name)
    do.undo.put(api_keys, key.name, key)
    do.note(change)


def _removed(do: "Application", change: ApiKeyRemoved) -> None:
    if change.name not in do.state.api_keys:
        raise no_api_key(change.name)
    do.undo.delete(do.state.api_keys, change.name)
    do.note(change)


APPLY: dict[type, Any] = {ApiKeyAdded: _added, ApiKeyRemoved: _removed}
