"""How well junk is told from other mail: half of `suites/mail` is learned, the other half judged."""

from collections import Counter

from postroad.mailbox.bayes import judge
from postroad.mailbox.junk import JunkSettings
from postroad.message.tokens import tokens_of
from postroad.model import JunkTotals, TokenCount
from tests.conformance.report import record
from tests.interop.real_mail import real_mail

HAM = 800  # of the messages, the first so many; the rest is junk


def test_real_mail() -> None:
    mail = [tokens_of(data) for data in real_mail()]
    counts: dict[bool, Counter[str]] = {True: Counter(), False: Counter()}
    learned = range(0, len(mail), 2)
    for number in learned:
        counts[number >= HAM].update(mail[number])
    totals = JunkTotals(sum(n >= HAM for n in learned), sum(n < HAM for n in learned))
    threshold = JunkSettings().threshold
    found: Counter[tuple[bool, bool]] = Counter()
    for number in range(1, len(mail), 2):
        known = [
            TokenCount(token, counts[True][token], counts[False][token])
            for token in mail[number]
            if counts[True][token] or counts[False][token]
        ]
        found[number >= HAM, judge(known, totals).score >= threshold] += 1
    right = found[True, True] + found[False, False]
    precision = found[True, True] / (found[True, True] + found[False, True])
    recall = found[True, True] / (found[True, True] + found[True, False])
    missed = found[True, False]
    reason = f"{missed} junk got through: precision {precision:.3f}, recall {recall:.3f}"
    record("junk", passed=right, total=600, differences=[{"case": "mail", "reason": reason}])
    assert found.total() == 600
    assert found[False, True] == 0, "no good mail goes into Junk"
    assert precision == 1.0
    assert recall >= 0.85
