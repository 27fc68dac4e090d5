"""When it is asked again."""

from datetime import UTC, datetime

import pytest

from postroad.client.backoff import Backoff, retry_after

NOW = datetime(2026, 11, 25, 15, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        (None, None),
        ("5", 5.0),
        ("9" * 400, 999_999_999.0),
        ("Wed, 25 Nov 2026 15:01:00 GMT", 60.0),
        ("Wed, 25 Nov 2026 14:00:00 GMT", 0.0),
        ("soon", None),
        ("-5", None),
        ("٣", None),
    ],
)
def test_retry_after_is_seconds_or_a_date(text: str | None, seconds: float | None) -> None:
    assert retry_after(text, NOW) == seconds


def test_waits_grow_up_to_the_most_and_never_come_together() -> None:
    late, early = Backoff(random=lambda: 1.0), Backoff(random=lambda: 0.0)
    assert [late.wait(n) for n in (1, 2, 3, 9, 10_000)] == [0.5, 1, 2, 30, 30]
    assert [early.wait(n) for n in (1, 2, 3, 9)] == [0.25, 0.5, 1, 15]
