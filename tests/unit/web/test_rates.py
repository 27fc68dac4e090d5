"""Buckets."""

import pytest

from postroad.web import rates
from postroad.web.rates import Rates


def test_a_burst_then_the_rate() -> None:
    bucket = Rates(2, 3)
    assert [bucket.take("a", 10.0).allowed for _ in range(4)] == [True, True, True, False]
    assert bucket.take("a", 10.0).wait_seconds == pytest.approx(0.5)
    assert bucket.take("b", 10.0).remaining == 2
    assert bucket.take("a", 10.5).allowed
    assert not bucket.take("a", 10.5).allowed
    assert bucket.take("a", 100.0).remaining == 2


def test_there_are_not_more_than_so_many(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rates, "MAX_BUCKETS", 3)
    bucket = Rates(1, 1)
    for number in range(10):
        assert bucket.take(str(number), 0.0).allowed
    assert not bucket.take("9", 0.0).allowed
    assert bucket.take("0", 0.0).allowed  # forgotten, which forgives
