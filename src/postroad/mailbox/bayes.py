"""How likely a message is junk, by the tokens in it: Robinson's probabilities of tokens, combined by
Fisher's method (chi-square), as SpamBayes and Bogofilter do.

A token that was seen seldom is near to knowing nothing. A message of which nothing is known, and one
that speaks for both, come out near 0.5.
"""

import math
from collections.abc import Iterable

from msgspec import Struct

from postroad.model import JunkTotals, TokenCount

UNKNOWN = 0.5
"""The probability of a token that was never seen."""

STRENGTH = 1.0
"""How many messages that assumption is worth."""

MIN_DEVIATION = 0.1
"""Tokens nearer to 0.5 than this say nothing and are left out."""

MAX_CLUES = 150
"""Tokens that are combined: those that say most."""


class Clue(Struct, frozen=True):
    """A token with its probability to be in junk, between 0 and 1."""

    token: str
    probability: float


class Judgement(Struct, frozen=True):
    """`score` is from 0 (ham) to 1 (junk); `clues` are what it was made from, the strongest first."""

    score: float
    clues: tuple[Clue, ...] = ()


def probability(count: TokenCount, totals: JunkTotals) -> float:
    """Return how likely a message with this token alone is junk."""
    spam = count.spam / max(1, totals.spam)
    ham = count.ham / max(1, totals.ham)
    if spam + ham == 0:
        return UNKNOWN
    seen = count.spam + count.ham
    return (STRENGTH * UNKNOWN + seen * spam / (spam + ham)) / (STRENGTH + seen)


def judge(counts: Iterable[TokenCount], totals: JunkTotals) -> Judgement:
    """Combine what is known of a message's tokens."""
    clues = [Clue(count.token, probability(count, totals)) for count in counts]
    telling = [clue for clue in clues if abs(clue.probability - 0.5) >= MIN_DEVIATION]
    telling.sort(key=lambda clue: (-abs(clue.probability - 0.5), clue.token))
    telling = telling[:MAX_CLUES]
    if not telling:
        return Judgement(0.5)
    # A probability is never 0 or 1: STRENGTH holds it off.
    spam = -2 * sum(math.log(1 - clue.probability) for clue in telling)
    ham = -2 * sum(math.log(clue.probability) for clue in telling)
    count = len(telling)
    score = (1 + _chi_square(ham, count) - _chi_square(spam, count)) / 2
    return Judgement(min(1.0, max(0.0, score)), tuple(telling))


def _chi_square(value: float, half_degrees: int) -> float:
    """Return how likely chi-square of ``2 * half_degrees`` degrees of freedom is at least `value`."""
    half = value / 2
    term = total = math.exp(-half)
    for number in range(1, half_degrees):
        term *= half / number
        total += term
    return min(1.0, total)
