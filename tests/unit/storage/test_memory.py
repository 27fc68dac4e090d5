import pytest

from postroad.model import Domain, DomainAdded, Group
from postroad.ports import StorageError, StorageFull
from postroad.storage.memory import MemoryStore
from tests.contracts.stores import FAR, accept


async def test_a_group_can_be_made_to_fail_before_it_is_applied() -> None:
    seen: list[Group] = []

    def fail_the_second(group: Group) -> None:
        seen.append(group)
        if len(seen) == 2:
            raise StorageFull("no space")

    store = MemoryStore(before_commit=fail_the_second)
    await accept(store, FAR)
    with pytest.raises(StorageFull):
        await accept(store, FAR)
    await accept(store, FAR)
    assert len(seen) == 3
    assert len(await store.journey.after(0)) == 2


async def test_the_fault_can_be_set_later() -> None:
    store = MemoryStore()

    def fail(_: Group) -> None:
        raise StorageError("I/O error")

    store.ledger.before_commit = fail
    with pytest.raises(StorageError):
        await store.ledger.commit(Group((DomainAdded(1.0, Domain("x.example")),)))
    assert await store.directory.domains() == []
