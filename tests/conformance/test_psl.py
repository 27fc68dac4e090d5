"""The public suffix list's own cases: from a domain to its organisational domain."""

import re

from postroad.trust.dmarc import registered_domain
from tests.conformance.report import record
from tests.suites import suite

# The suite itself has these commented out. `local` is in no list, so the rule for unlisted top-level
# domains holds for it, as for `example` in the cases before.
_UNLISTED = "commented out in the suite: local is not in the list"
ON_PURPOSE = {
    "'example.local'": _UNLISTED,
    "'b.example.local'": _UNLISTED,
    "'a.b.example.local'": _UNLISTED,
}

CASE = re.compile(r"^(?://)?checkPublicSuffix\((null|'[^']*'), (null|'[^']*')\);", re.MULTILINE)


def value(text: str) -> str | None:
    return None if text == "null" else text[1:-1]


def test_psl() -> None:
    cases = CASE.findall((suite("psl") / "test_psl.txt").read_text(encoding="utf-8"))
    differences = []
    for given, wanted in cases:
        found = registered_domain(value(given) or "")
        if found != value(wanted):
            reason = ON_PURPOSE.get(given, f"WRONG: {found}, not {wanted}")
            differences.append({"case": given, "reason": reason})
    record("psl", passed=len(cases) - len(differences), total=len(cases), differences=differences)
    assert [each for each in differences if each["reason"].startswith("WRONG")] == []
    assert len(cases) == 82
