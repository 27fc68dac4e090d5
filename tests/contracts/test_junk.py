"""What owners of accounts taught of junk."""

import pytest

from postroad.model import Account, AccountRemoved, JunkLearned, JunkTotals, TokenCount
from postroad.model import AccountAdded as Added
from postroad.ports import Conflict
from tests.contracts.stores import BOB, Store, commit, people

ANN_ID, BOB_ID = 7, 8


def learned(
    digest: bytes,
    *tokens: str,
    spam: bool = True,
    undo: bool = False,
    at: float = 1.0,
    account: int = ANN_ID,
    keep: int = 100,
    lessons: int = 100,
) -> JunkLearned:
    return JunkLearned(at, account, digest, spam, tokens, keep, lessons, undo)


async def test_learning_and_taking_back(store: Store) -> None:
    await people(store)
    assert await store.junk.totals(ANN_ID) == JunkTotals()
    assert await store.junk.taught(ANN_ID) == JunkTotals()
    await commit(store, learned(b"1", "a", "b", "a"), learned(b"2", "b", "c", spam=False))
    assert await store.junk.totals(ANN_ID) == JunkTotals(1, 1, 3)
    assert await store.junk.taught(ANN_ID) == JunkTotals(1, 1)
    b = TokenCount("b", 1, 1)
    assert await store.junk.most(ANN_ID, 2) == [b, TokenCount("a", 1, 0)]
    found = await store.junk.counts(ANN_ID, ["b", "none", 'qu"ote', "b"])
    assert found == [b]
    assert await store.junk.lesson(ANN_ID, b"1") is True
    assert await store.junk.lesson(ANN_ID, b"2") is False
    await commit(store, learned(b"1", "a", "b", undo=True))
    assert await store.junk.totals(ANN_ID) == JunkTotals(0, 1, 2)
    assert await store.junk.most(ANN_ID, 9) == [TokenCount("b", 0, 1), TokenCount("c", 0, 1)]
    assert await store.junk.lesson(ANN_ID, b"1") is None


async def test_nothing_is_learned_twice_or_taken_back_twice(store: Store) -> None:
    await people(store)
    await commit(store, learned(b"1", "a"))
    await commit(store, learned(b"1", "a"), learned(b"1", "a", spam=False))
    await commit(store, learned(b"1", "a", spam=False, undo=True), learned(b"9", "a", undo=True))
    assert await store.junk.totals(ANN_ID) == JunkTotals(1, 0, 1)
    await commit(store, learned(b"1", "a", undo=True))
    await commit(store, learned(b"1", "a", undo=True))
    assert await store.junk.totals(ANN_ID) == JunkTotals(0, 0, 0)


async def test_what_was_longest_not_taught_is_forgotten(store: Store) -> None:
    await people(store)
    await commit(store, learned(b"1", "old", "kept", at=1.0))
    await commit(store, learned(b"2", "kept", at=2.0))
    await commit(store, learned(b"3", "new", at=3.0, keep=2, lessons=2))
    assert [each.token for each in await store.junk.most(ANN_ID, 9)] == ["kept", "new"]
    assert await store.junk.lesson(ANN_ID, b"1") is None
    assert await store.junk.lesson(ANN_ID, b"2") is True
    await commit(store, learned(b"2", "kept", "old", undo=True))
    assert await store.junk.totals(ANN_ID) == JunkTotals(2, 0, 2)


async def test_each_account_learns_for_itself(store: Store) -> None:
    await people(store)
    await commit(store, Added(1.0, Account(BOB_ID, BOB, "h", 78)))
    await commit(store, learned(b"1", "a"), learned(b"1", "a", account=BOB_ID, spam=False))
    assert await store.junk.counts(BOB_ID, ["a"]) == [TokenCount("a", 0, 1)]
    await commit(store, AccountRemoved(2.0, ANN_ID))
    assert await store.junk.totals(ANN_ID) == JunkTotals()
    assert await store.junk.most(ANN_ID, 9) == []
    assert await store.junk.lesson(ANN_ID, b"1") is None
    assert await store.junk.totals(BOB_ID) == JunkTotals(0, 1, 1)
    with pytest.raises(Conflict, match="no account"):
        await commit(store, learned(b"1", "a"))


async def test_letters_stay_out_of_the_journey(store: Store) -> None:
    await people(store)
    before = await store.journey.after(0)
    await commit(store, learned(b"1", "secret"))
    assert await store.journey.after(0) == before
