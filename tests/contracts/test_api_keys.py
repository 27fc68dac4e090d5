"""Keys of the HTTP API."""

import pytest

from postroad.model import ApiKey, ApiKeyAdded, ApiKeyRemoved, ApiScope
from postroad.ports import Conflict
from tests.contracts.stores import Store, commit


def key(number: int, name: str) -> ApiKey:
    return ApiKey(number, name, (ApiScope.READ, ApiScope.SEND), ("a.example",), b"d" * 32, 50.0)


async def test_keys_are_added_and_removed(store: Store) -> None:
    await commit(store, ApiKeyAdded(50.0, key(2, "shop")), ApiKeyAdded(51.0, key(1, "till")))
    assert await store.api_keys.list() == [key(2, "shop"), key(1, "till")]
    assert await store.api_keys.get(1) == key(1, "till")
    assert await store.api_keys.get(3) is None
    await commit(store, ApiKeyRemoved(60.0, "shop"))
    assert await store.api_keys.list() == [key(1, "till")]
    assert await store.api_keys.get(2) is None
    changes = [event.change for event in await store.journey.after(0)]
    assert changes[-1] == ApiKeyRemoved(60.0, "shop")


async def test_names_and_ids_are_unique(store: Store) -> None:
    await commit(store, ApiKeyAdded(50.0, key(1, "shop")))
    for other in (key(1, "till"), key(2, "shop")):
        with pytest.raises(Conflict, match="key"):
            await commit(store, ApiKeyAdded(51.0, other))
    with pytest.raises(Conflict, match="no key"):
        await commit(store, ApiKeyRemoved(52.0, "till"))
    assert await store.api_keys.list() == [key(1, "shop")]
