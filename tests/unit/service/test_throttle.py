import asyncio
from typing import Any

import pytest

from postroad.service.throttle import MAX_REMEMBERED, Throttle, Throttled, ThrottleSettings
from tests.unit.service.fakes import FakeClock


def make(**settings: Any) -> tuple[Throttle, FakeClock]:
    clock = FakeClock()
    return Throttle(clock, ThrottleSettings(**settings)), clock


async def test_ipv6_clients_count_by_their_network() -> None:
    throttle, _ = make(free_failures=1)
    throttle.failed("2001:db8::1", "bob")
    with pytest.raises(Throttled):
        await throttle.admit("2001:db8::ffff", "bob")
    await throttle.admit("2001:db8:0:1::1", "bob")


async def test_failures_are_forgiven_in_time() -> None:
    throttle, clock = make(free_failures=2)
    throttle.failed("192.0.2.1", "bob")
    clock.at += 1000
    throttle.failed("192.0.2.1", "bob")
    await throttle.admit("192.0.2.1", "bob")


async def test_a_name_is_not_counted_where_none_was_said() -> None:
    throttle, clock = make(free_failures=2, free_failures_per_account=1)
    for number in range(5):
        throttle.failed(f"192.0.2.{number}", "")
    before = clock.at
    await throttle.admit("192.0.2.77", "")
    assert clock.at == before


async def test_memory_is_bounded() -> None:
    throttle, _ = make(free_failures=1)
    throttle.failed("192.0.2.1", "first")
    for number in range(MAX_REMEMBERED):
        throttle.failed("198.51.100.1", f"user{number}")
        throttle.succeeded("198.51.100.1", f"other{number}")
    await throttle.admit("192.0.2.1", "first")
    assert len(throttle._failures) == MAX_REMEMBERED
    assert len(throttle._familiar) == MAX_REMEMBERED


async def test_failures_without_a_name_keep_no_named_login_out() -> None:
    throttle, _ = make(free_failures=2, free_failures_per_client=4)
    for _ in range(2):
        throttle.failed("192.0.2.1", "")
    with pytest.raises(Throttled):
        await throttle.admit("192.0.2.1", "")
    await throttle.admit("192.0.2.1", "bob")
    for _ in range(2):
        throttle.failed("192.0.2.1", "")
    with pytest.raises(Throttled):
        await throttle.admit("192.0.2.1", "bob")


async def guess(throttle: Throttle, client: str, name: str, judged: list[str]) -> None:
    with await throttle.attempt(client, name):
        judged.append(name)
        await asyncio.sleep(0.001)
        throttle.failed(client, name)


async def test_guesses_made_at_once_are_judged_one_after_the_other() -> None:
    throttle, clock = make(free_failures=3)
    judged: list[str] = []
    for expected in (3, 4, 5):
        outcomes = await asyncio.gather(
            *(guess(throttle, "192.0.2.1", "bob", judged) for _ in range(30)),
            return_exceptions=True,
        )
        assert len(judged) == expected
        assert sum(isinstance(each, Throttled) for each in outcomes) == 30 - outcomes.count(None)
        clock.at += 20
    assert not throttle._lines


async def test_guesses_at_many_accounts_at_once_count_too() -> None:
    throttle, _ = make(free_failures_per_client=4)
    judged: list[str] = []
    await asyncio.gather(
        *(guess(throttle, "192.0.2.1", f"user{number}", judged) for number in range(30)),
        return_exceptions=True,
    )
    assert len(judged) == 4


async def test_right_logins_at_once_are_all_let_in() -> None:
    throttle, _ = make(free_failures=2, free_failures_per_client=3)
    under_way = most = 0

    async def login(name: str) -> None:
        nonlocal under_way, most
        with await throttle.attempt("192.0.2.1", name):
            under_way += 1
            most = max(most, under_way)
            await asyncio.sleep(0.001)
            throttle.succeeded("192.0.2.1", name)
            under_way -= 1

    await asyncio.gather(*(login(f"user{number % 3}") for number in range(60)))
    assert (most, under_way) == (3, 0)
    assert not throttle._lines


async def test_a_turn_that_does_not_come_in_time() -> None:
    throttle, _ = make(free_failures=1, turn_seconds=0.02)
    with await throttle.attempt("192.0.2.1", "bob"):
        with pytest.raises(Throttled):
            await throttle.attempt("192.0.2.1", "bob")
        waiting = asyncio.ensure_future(throttle.attempt("192.0.2.1", "bob"))
        await asyncio.sleep(0)
        waiting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await waiting
        with await throttle.attempt("192.0.2.2", "bob"):
            pass
    with await throttle.attempt("192.0.2.1", "bob"):
        pass
    assert not throttle._lines
