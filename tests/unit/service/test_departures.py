"""What is committed when a recipient wants to leave."""

from postroad.model import Address, Group, Suppressed, Suppression, SuppressionReason, Unsubscribed
from postroad.service.departures import Departures
from postroad.storage.memory import MemoryStore
from tests.unit.service.test_returns import NOW, Clock

BOB = Address("bob", "there.test")
BOUNCE = SuppressionReason.HARD_BOUNCE


async def leave(store: MemoryStore) -> int:
    """Commit what follows; return how many changes that is."""
    changes = await Departures(store.suppressions, Clock()).of(7, 0, "news", BOB, "page")
    if changes:
        await store.ledger.commit(Group(changes))
    return len(changes)


async def listed(store: MemoryStore, reason: SuppressionReason) -> None:
    entry = Suppression(BOB, "news", reason, "550 no", 1.0)
    await store.ledger.commit(Group((Suppressed(1.0, (entry,)),)))


async def test_once() -> None:
    store = MemoryStore()
    changes = await Departures(store.suppressions, Clock()).of(7, 0, "news", BOB, "page")
    assert changes[0] == Unsubscribed(NOW, 7, 0, "news", "page")
    assert await leave(store) == 2
    (entry,) = await store.suppressions.of("news", [BOB])
    assert entry.reason is SuppressionReason.UNSUBSCRIBE
    assert entry.evidence == "0000000000007: unsubscribed (page)"
    assert await leave(store) == 0


async def test_it_outlives_a_bounce() -> None:
    store = MemoryStore()
    await listed(store, BOUNCE)
    assert await leave(store) == 3
    (entry,) = await store.suppressions.of("news", [BOB])
    assert entry.reason is SuppressionReason.UNSUBSCRIBE
    assert entry.evidence.endswith("was listed for 550 no")


async def test_what_was_said_before_stays() -> None:
    for reason in (SuppressionReason.COMPLAINT, SuppressionReason.MANUAL):
        store = MemoryStore()
        await listed(store, reason)
        assert await leave(store) == 0
        assert (await store.suppressions.of("news", [BOB]))[0].reason is reason
