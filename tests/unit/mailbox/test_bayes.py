"""Probabilities of tokens, and how they are combined."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from postroad.mailbox.bayes import MAX_CLUES, judge, probability
from postroad.model import JunkTotals, TokenCount

TOTALS = JunkTotals(100, 50, 0)


def test_probability_of_a_token() -> None:
    assert probability(TokenCount("x", 0, 0), TOTALS) == 0.5
    # Half of the spam, none of the ham: near to 1, held off by what was not seen.
    assert probability(TokenCount("x", 50, 0), TOTALS) == pytest.approx(50.5 / 51)
    assert probability(TokenCount("x", 1, 0), TOTALS) == pytest.approx(1.5 / 2)
    # As often in each, by their shares.
    assert probability(TokenCount("x", 20, 10), TOTALS) == pytest.approx(0.5)
    assert probability(TokenCount("x", 1, 1), JunkTotals()) == pytest.approx(0.5)


def test_judging() -> None:
    spam = [TokenCount(f"s{n}", 60, 0) for n in range(10)]
    ham = [TokenCount(f"h{n}", 0, 30) for n in range(10)]
    assert judge(spam, TOTALS).score > 0.999
    assert judge(ham, TOTALS).score < 0.001
    assert judge([], TOTALS).score == 0.5
    assert judge(spam + ham, TOTALS).score == pytest.approx(0.5, abs=0.05), "who is right?"
    assert judge([TokenCount("x", 20, 10)], TOTALS).clues == (), "it says nothing"
    clues = judge([*spam[:2], *ham[:1], TokenCount("weak", 4, 1)], TOTALS).clues
    assert [clue.token for clue in clues] == ["s0", "s1", "h0", "weak"]


def test_known_value() -> None:
    """Three tokens of 0.8, worked out by hand: chi-square by its sum for even degrees."""
    count = TokenCount("x", 4, 0)
    one = probability(count, TOTALS)
    found = judge([TokenCount(f"{n}", 4, 0) for n in range(3)], TOTALS).score
    product, inverse = one**3, (1 - one) ** 3
    from math import log

    def tail(value: float) -> float:
        half = -log(value)
        return value * (1 + half + half**2 / 2)

    assert found == pytest.approx((1 + tail(product) - tail(inverse)) / 2)


COUNTS = st.builds(TokenCount, st.text(max_size=3), st.integers(0, 10_000), st.integers(0, 10_000))


@given(st.lists(COUNTS, max_size=400), st.integers(0, 10_000), st.integers(0, 10_000))
def test_a_score_is_always_one(counts: list[TokenCount], spam: int, ham: int) -> None:
    found = judge(counts, JunkTotals(spam, ham))
    assert 0 <= found.score <= 1
    assert len(found.clues) <= MAX_CLUES
