"""MTA-STS policies and results for TLS reports."""

import pytest

from postroad.model import (
    Attempted,
    PolicyType,
    StsMode,
    StsPolicy,
    StsPolicyKept,
    TlsCounted,
    TlsFailure,
    TlsReported,
    TlsResult,
)
from postroad.ports import Conflict
from postroad.storage.bounds import TLS_RESULTS_PER_DAY
from tests.contracts.stores import FAR, Place, Store, accept, attempted, commit, result

DAY = "2026-11-25"
POLICY = StsPolicy("far.example", "1", StsMode.ENFORCE, ("mx.far.example",), 100, 50.0)
GOOD = TlsResult("far.example", PolicyType.STS, POLICY.lines, host="mx.far.example")
BAD = TlsResult("far.example", PolicyType.STS, POLICY.lines, TlsFailure.EXPIRED, reason="old")
OTHER = TlsResult("b.example", PolicyType.TLSA, ("3 1 1 ab",))


async def test_a_policy_is_kept_and_replaced(store: Store) -> None:
    security = store.security
    assert await security.sts_policy("far.example") is None
    await commit(store, StsPolicyKept(50.0, POLICY))
    assert await security.sts_policy("far.example") == POLICY
    newer = StsPolicy("far.example", "2", StsMode.NONE, (), 1000, 60.0)
    await commit(store, StsPolicyKept(60.0, newer))
    assert await security.sts_policy("far.example") == newer


async def test_policies_that_have_run_out_go_when_another_comes(store: Store) -> None:
    await commit(store, StsPolicyKept(50.0, POLICY))
    assert await store.security.sts_policy("far.example") == POLICY
    other = StsPolicy("b.example", "1", StsMode.NONE, (), 1, 150.0)
    await commit(store, StsPolicyKept(150.0, other))
    assert await store.security.sts_policy("far.example") is None
    assert await store.security.sts_policy("b.example") == other


async def test_policies_and_results_survive_a_restart(place: Place) -> None:
    async with place.open() as store:
        await commit(store, StsPolicyKept(50.0, POLICY), TlsCounted(50.0, DAY, (GOOD,)))
    if not place.durable:
        pytest.skip("the memory store remembers nothing by intention")
    async with place.open() as store:
        assert await store.security.sts_policy("far.example") == POLICY
        assert await store.security.tls_results(DAY, "far.example") == [(GOOD, 1)]


async def test_results_are_counted_with_the_outcome(store: Store) -> None:
    message = await accept(store, FAR)
    counted = TlsCounted(110.0, DAY, (GOOD, BAD, OTHER))
    await commit(store, attempted(message, result()), counted)
    await commit(store, TlsCounted(111.0, DAY, (GOOD,)))
    assert dict(await store.security.tls_results(DAY, "far.example")) == {GOOD: 2, BAD: 1}
    assert await store.security.tls_results(DAY, "b.example") == [(OTHER, 1)]
    # What the group did not do was not counted either.
    unknown = Attempted(1.0, 4711, 1.0, (result(),))
    with pytest.raises(Conflict):
        await commit(store, unknown, TlsCounted(1.0, DAY, (GOOD,)))
    with pytest.raises(Conflict):
        await commit(store, TlsCounted(1.0, DAY, (GOOD,)), unknown)
    assert dict(await store.security.tls_results(DAY, "far.example")) == {GOOD: 2, BAD: 1}


async def test_days_end_with_their_report(store: Store) -> None:
    await commit(store, TlsCounted(1.0, "2026-11-24", (OTHER, GOOD)), TlsCounted(2.0, DAY, (GOOD,)))
    days = store.security.tls_days
    assert await days("2026-11-24") == []
    assert await days(DAY) == [("2026-11-24", "b.example"), ("2026-11-24", "far.example")]
    assert await days("2026-11-26", 1) == [("2026-11-24", "b.example")]
    await commit(store, TlsReported(3.0, "2026-11-24", "far.example"))
    assert await days("2026-11-26") == [("2026-11-24", "b.example"), (DAY, "far.example")]
    assert await store.security.tls_results("2026-11-24", "far.example") == []


async def test_the_results_of_a_day_are_bounded(store: Store) -> None:
    many = tuple(
        TlsResult("far.example", PolicyType.NONE, failure=TlsFailure.VALIDATION, reason=str(number))
        for number in range(TLS_RESULTS_PER_DAY + 5)
    )
    await commit(store, TlsCounted(1.0, DAY, many), TlsCounted(1.0, DAY, many[:1]))
    found = await store.security.tls_results(DAY, "far.example")
    assert len(found) == TLS_RESULTS_PER_DAY
    assert dict(found)[many[0]] == 2


async def test_nothing_of_it_is_in_the_journey(store: Store) -> None:
    await commit(store, StsPolicyKept(50.0, POLICY), TlsCounted(1.0, DAY, (GOOD,)))
    await commit(store, TlsReported(3.0, DAY, "far.example"))
    assert await store.journey.after(0) == []
