from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from postroad.model import (
    Address,
    ContentRef,
    Delivery,
    Envelope,
    Message,
    Notify,
    Origin,
    ServerKind,
)
from postroad.queue.schedule import delay_notice_due, expiry, growing, next_attempt
from postroad.queue.settings import QueueSettings, StreamPolicy

SETTINGS = QueueSettings(hostname="mx.example")
SENDER = Address("alice", "example.org")
HOUR = 3600.0


def message(sender: Address | None = SENDER, at: float = 1000.0) -> Message:
    return Message(1, Envelope(sender), ContentRef(1, 1), Origin(ServerKind.MX), at)


fractions = st.floats(0, 1, exclude_max=True)


@given(st.integers(1, 10_000), st.floats(0, 6 * 86_400), fractions)
def test_never_before_now_nor_after_the_end(attempts: int, age: float, random: float) -> None:
    about = message()
    now = about.accepted_at + age
    due = next_attempt(SETTINGS, about, attempts, now, random)
    if age >= SETTINGS.lifetime_seconds:
        assert due is None
    else:
        assert due is not None
        assert now < due <= expiry(SETTINGS, about)
        longest = SETTINGS.retry_max_seconds * (1 + SETTINGS.retry_jitter)
        assert due - now <= longest + 1e-3  # seconds since 1970 leave that much to rounding


@given(st.integers(1, 100), fractions)
def test_waits_grow_with_the_attempts(attempts: int, random: float) -> None:
    about = message()
    now = about.accepted_at
    sooner = next_attempt(SETTINGS, about, attempts, now, random)
    later = next_attempt(SETTINGS, about, attempts + 1, now, random)
    assert sooner is not None
    assert later is not None
    assert sooner <= later


def test_the_defaults_are_those_of_good_servers() -> None:
    about = message()
    waits = []
    for attempts in range(1, 9):
        due = next_attempt(SETTINGS, about, attempts, about.accepted_at, 0.5)
        assert due is not None
        waits.append((due - about.accepted_at) / 60)
    assert waits == [5, 10, 20, 40, 80, 160, 240, 240]


def test_a_whole_life_has_some_forty_attempts_and_ends_at_its_end() -> None:
    about = message()
    now = about.accepted_at
    times: list[float] = []
    while (due := next_attempt(SETTINGS, about, len(times) + 1, now, 0.5)) is not None:
        times.append(due)
        now = due
    assert times[-1] == expiry(SETTINGS, about)
    assert 30 <= len(times) <= 45


def test_reports_live_shorter() -> None:
    assert expiry(SETTINGS, message(None)) < expiry(SETTINGS, message())


@given(st.floats(0.001, 1e6), st.floats(1, 1e6), st.integers(-5, 10**9))
def test_growing_is_bounded(first: float, factor: float, times: int) -> None:
    most = first * factor
    assert first <= growing(first, most, times) <= most


def test_one_delay_notice_after_four_hours() -> None:
    delivery = Delivery(1, 0, SENDER, SENDER, "example.org")
    about = message()

    def due(hours: float, of: Delivery = delivery, message: Message = about) -> bool:
        return delay_notice_due(SETTINGS, message, of, message.accepted_at + hours * HOUR)

    assert not due(3.9)
    assert due(4)
    assert not due(5, replace(delivery, delay_notified=True))
    assert not due(5, replace(delivery, notify=Notify.NEVER))
    assert not due(5, replace(delivery, notify=Notify.FAILURE))
    assert due(5, replace(delivery, notify=Notify.DELAY))
    assert not due(5, delivery, message(None))
    off = replace(SETTINGS, delay_notice_seconds=0.0)
    assert not delay_notice_due(off, about, delivery, 1e9)


def test_a_stream_may_have_times_of_its_own() -> None:
    own = StreamPolicy(
        retry_first_seconds=10.0,
        retry_max_seconds=15.0,
        lifetime_seconds=600.0,
        delay_notice_seconds=0.0,
    )
    settings = replace(SETTINGS, streams={"codes": own})
    code = replace(message(), stream="codes")
    assert expiry(settings, code) == code.accepted_at + 600
    due = [next_attempt(settings, code, n, code.accepted_at, 0.5) for n in (1, 2, 3)]
    assert due == [code.accepted_at + seconds for seconds in (10.0, 15.0, 15.0)]
    assert next_attempt(settings, code, 1, code.accepted_at + 600, 0.5) is None
    delivery = Delivery(1, 0, SENDER, SENDER, SENDER.domain)
    late = code.accepted_at + 5 * HOUR
    assert not delay_notice_due(settings, code, delivery, late)
    # The mail of other streams, and what a stream does not say, are as the queue has it.
    assert expiry(settings, message()) == expiry(SETTINGS, message())
    assert delay_notice_due(settings, message(), delivery, late)
    empty = replace(SETTINGS, streams={"codes": StreamPolicy()})
    assert expiry(empty, code) == expiry(SETTINGS, message())
