"""`ports.ApiKeyStore` in memory, and how its changes are applied."""

from postroad.model import ApiKey, ApiKeyAdded, ApiKeyRemoved
from postroad.storage.conflicts import api_key_exists, no_api_key
from postroad.storage.memory.state import State, Undo


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


def add(state: State, undo: Undo, change: ApiKeyAdded) -> None:
    """Raises `Conflict` where name or id is taken."""
    key = change.key
    if key.name in state.api_keys or any(key.id == each.id for each in state.api_keys.values()):
        raise api_key_exists(key.name)
    undo.put(state.api_keys, key.name, key)


def remove(state: State, undo: Undo, change: ApiKeyRemoved) -> None:
    """Raises `Conflict` where there is none."""
    if change.name not in state.api_keys:
        raise no_api_key(change.name)
    undo.delete(state.api_keys, change.name)
