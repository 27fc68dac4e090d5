"""The standing of sending domains: sums in which what is old weighs less."""

import pytest

from postroad.model import DomainHistory, DomainsJudged, Judged
from tests.contracts.stores import Store, commit

HALF_LIFE = 100.0


def judged(at: float, *found: Judged, keep: int = 10) -> DomainsJudged:
    return DomainsJudged(at, found, HALF_LIFE, keep)


async def test_what_is_old_weighs_less(store: Store) -> None:
    before = await store.journey.after(0)
    await commit(store, judged(1000.0, Judged("a.test", 4, 8), Judged("b.test", 0, 1)))
    assert await store.standing.of("a.test") == DomainHistory("a.test", 4, 8, 1000.0)
    assert await store.standing.of("c.test") is None
    await commit(store, judged(1100.0, Judged("a.test", 1, 0)))
    known = await store.standing.of("a.test")
    assert known is not None
    assert [known.good, known.junk, known.at] == pytest.approx([3, 4, 1100])
    assert [each.domain for each in await store.standing.most()] == ["a.test", "b.test"]
    assert [each.domain for each in await store.standing.most(1)] == ["a.test"]
    assert await store.journey.after(0) == before


async def test_a_clock_that_steps_back_adds_no_weight(store: Store) -> None:
    await commit(store, judged(1000.0, Judged("a.test", 4, 0)))
    await commit(store, judged(500.0, Judged("a.test", 1, 0)))
    known = await store.standing.of("a.test")
    assert known is not None
    assert known.good == 5


async def test_only_those_judged_last_are_kept(store: Store) -> None:
    for number in range(5):
        await commit(store, judged(float(number), Judged(f"{number}.test", 1, number), keep=2))
    assert [each.domain for each in await store.standing.most()] == ["4.test", "3.test"]
