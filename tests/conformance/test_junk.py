"""How well junk is told from other mail in `suites/mail`: some of it is learned, the rest judged."""

from collections import Counter
from functools import cache

import pytest

from postroad.mailbox.bayes import judge
from postroad.mailbox.junk import JunkSettings
from postroad.message.tokens import tokens_of
from postroad.model import JunkTotals, TokenCount
from tests.conformance.report import record
from tests.interop.real_mail import real_mail

HAM = 800  # of the messages, the first so many; the other 400 are junk
SETTINGS = JunkSettings()


@cache
def mail() -> tuple[tuple[str, ...], ...]:
    return tuple(tokens_of(data) for data in real_mail())


def judged(learned: set[int]) -> Counter[tuple[bool, bool]]:
    """Count the messages that were not learned, by whether they are junk and whether they go there."""
    counts: dict[bool, Counter[str]] = {True: Counter(), False: Counter()}
    for number in learned:
        counts[number >= HAM].update(mail()[number])
    totals = JunkTotals(sum(n >= HAM for n in learned), sum(n < HAM for n in learned))
    found: Counter[tuple[bool, bool]] = Counter()
    for number, tokens in enumerate(mail()):
        if number not in learned:
            known = [
                TokenCount(token, counts[True][token], counts[False][token])
                for token in tokens
                if counts[True][token] or counts[False][token]
            ]
            score = judge(known, totals).score
            found[number >= HAM, score >= SETTINGS.threshold] += 1
    return found


HALF = set(range(0, 1200, 2))
# As few of each kind as there must be, from all over: 50 of 800 and 50 of 400.
FEW = {
    *range(0, HAM, HAM // SETTINGS.min_messages),
    *range(HAM, 1200, 400 // SETTINGS.min_messages),
}


@pytest.mark.parametrize(
    ("name", "learned", "wrongly", "least_recall"),
    [("half", HALF, 0, 0.75), ("few", FEW, 3, 0.6)],
)
def test_real_mail(name: str, learned: set[int], wrongly: int, least_recall: float) -> None:
    found = judged(learned)
    missed, wrong = found[True, False], found[False, True]
    precision = found[True, True] / (found[True, True] + wrong)
    recall = found[True, True] / (found[True, True] + missed)
    words = (
        f"{missed} of {missed + found[True, True]} junk missed, "
        f"{wrong} of {wrong + found[False, False]} good taken for it: "
        f"precision {precision:.3f}, recall {recall:.3f}"
    )
    record(
        f"junk-{name}",
        passed=found[True, True] + found[False, False],
        total=found.total(),
        differences=[{"case": f"{len(learned)} learned", "reason": words}],
    )
    assert found.total() == len(mail()) - len(learned)
    assert wrong <= wrongly, words
    assert recall >= least_recall, words
