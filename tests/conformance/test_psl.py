"""The public suffix list's own cases: from a domain to its organisational domain."""

import re

from postroad.trust.dmarc import registered_domain
from postroad.trust.dmarc.suffixes import load
from tests.conformance.report import record
from tests.suites import suite

# The suite has the cases of `local` commented out: they are from the time when the list had it as a
# non-Internet top-level domain. It is in no list now, so the algorithm's default rule `*` holds for it
# (https://github.com/publicsuffix/list/wiki/Format), as for `example` in the cases before. They are run,
# against what that rule says.
_NO_LONGER_LISTED = "commented out in the suite: local is listed no more; by the default rule `*`"
BY_THE_DEFAULT_RULE = {
    "'example.local'": "'example.local'",
    "'b.example.local'": "'example.local'",
    "'a.b.example.local'": "'example.local'",
}

CASE = re.compile(r"^(?://)?checkPublicSuffix\((null|'[^']*'), (null|'[^']*')\);", re.MULTILINE)


def value(text: str) -> str | None:
    return None if text == "null" else text[1:-1]


def test_psl() -> None:
    cases = CASE.findall((suite("psl") / "test_psl.txt").read_text(encoding="utf-8"))
    assert len(cases) == 82
    differences, restated = [], []
    for given, written in cases:
        wanted = BY_THE_DEFAULT_RULE.get(given, written)
        if wanted != written:
            reason = f"{wanted}, not {written}; {_NO_LONGER_LISTED}"
            restated.append({"case": given, "reason": reason})
        found = registered_domain(value(given) or "")
        if found != value(wanted):
            differences.append({"case": given, "reason": f"WRONG: {found}, not {wanted}"})
    passed = len(cases) - len(differences)
    record("psl", passed=passed, total=len(cases), differences=differences, restated=restated)
    assert differences == []
    assert len(restated) == len(BY_THE_DEFAULT_RULE)


def test_the_restated_cases_are_right_about_the_list() -> None:
    """Were `local` listed again, the suite's own words would hold."""
    assert not load().publicsuffix("local", accept_unknown=False)
