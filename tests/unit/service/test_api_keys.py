"""Keys of the API."""

import pytest

from postroad.model import ApiScope, Domain, DomainAdded, Group
from postroad.network import SystemEntropy
from postroad.ports import Conflict
from postroad.service.api_keys import ApiKeys
from postroad.service.errors import Refused
from postroad.storage.memory import MemoryStore
from tests.unit.service.fakes import FakeClock


async def keys() -> ApiKeys:
    store = MemoryStore()
    await store.ledger.commit(Group((DomainAdded(1.0, Domain("here.test")),)))
    return ApiKeys(
        ledger=store.ledger,
        store=store.api_keys,
        directory=store.directory,
        clock=FakeClock(),
        entropy=SystemEntropy(),
    )


async def test_a_token_is_recognised_until_it_is_removed() -> None:
    desk = await keys()
    token = await desk.add("shop", (ApiScope.SEND, ApiScope.READ, ApiScope.SEND), ("here.test",))
    found = await desk.verify(token)
    assert found is not None
    assert (found.name, found.scopes) == ("shop", (ApiScope.READ, ApiScope.SEND))
    assert found.domains == ("here.test",)
    assert token.encode() not in found.digest
    assert [key.name for key in await desk.list()] == ["shop"]
    await desk.remove("shop")
    assert await desk.verify(token) is None
    with pytest.raises(Conflict):
        await desk.remove("shop")


async def test_nothing_else_is_a_token() -> None:
    desk = await keys()
    token = await desk.add("shop", (ApiScope.SEND,))
    prefix, number, secret = token.split("_", 2)
    for other in (
        "",
        "pr_",
        f"xx_{number}_{secret}",
        f"{token}x",
        f"{prefix}_{number}_",
        "ü_\ud800",
    ):
        assert await desk.verify(other) is None


async def test_what_makes_no_key() -> None:
    desk = await keys()
    for name, scopes, domains in (
        ("", (ApiScope.SEND,), ()),
        ("a\nb", (ApiScope.SEND,), ()),
        ("a" * 65, (ApiScope.SEND,), ()),
        ("a", (), ()),
        ("a", (ApiScope.SEND,), ("other.test",)),
    ):
        with pytest.raises(Refused):
            await desk.add(name, scopes, domains)
    await desk.add("a", (ApiScope.SEND,))
    with pytest.raises(Conflict):
        await desk.add("a", (ApiScope.SEND,))


async def test_a_key_that_another_process_removed_is_good_for_a_second_at_most() -> None:
    store, clock = MemoryStore(), FakeClock()
    ours, theirs = (
        ApiKeys(
            ledger=store.ledger,
            store=store.api_keys,
            directory=store.directory,
            clock=clock,
            entropy=SystemEntropy(),
        )
        for _ in range(2)
    )
    token = await ours.add("shop", (ApiScope.SEND,))
    assert await ours.verify(token) is not None
    await theirs.remove("shop")
    clock.at += 0.9
    assert await ours.verify(token) is not None
    clock.at += 0.2
    assert await ours.verify(token) is None
