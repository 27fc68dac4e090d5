import pytest

from postroad.service.throttle import MAX_REMEMBERED, Throttle, Throttled, ThrottleSettings
from tests.unit.service.fakes import FakeClock


def make(**settings: int) -> tuple[Throttle, FakeClock]:
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
