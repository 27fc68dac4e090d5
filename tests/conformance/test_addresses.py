"""isemail's cases: what RFC 5321 allows in RCPT is accepted, the rest refused."""

import xml.etree.ElementTree as ET

from postroad.model import Address, InvalidAddress
from tests.conformance.report import record
from tests.suites import suite

# isemail's categories that RFC 5321 §4.1.2 has in its grammar; comments, folding and obsolete forms
# (CFWS, DEPREC, RFC5322) are for headers only.
ALLOWED = {"ISEMAIL_VALID_CATEGORY", "ISEMAIL_DNSWARN", "ISEMAIL_RFC5321"}

# Cases on which we differ on purpose, with the reason. None today.
ON_PURPOSE: dict[str, str] = {}


def plain(text: str) -> str:
    """isemail writes control characters as their Unicode symbols."""
    return "".join(
        chr(ord(letter) - 0x2400) if 0x2400 <= ord(letter) < 0x2440 else letter for letter in text
    )


def test_addresses() -> None:
    cases = ET.parse(suite("addresses") / "isemail-tests.xml").getroot().findall("test")
    differences = []
    for case in cases:
        address = plain(case.findtext("address") or "")
        try:
            parsed = Address.parse(address)
            verdict, why = True, f"parsed as {parsed!r}"
            assert Address.parse(str(parsed)) == parsed, address
        except InvalidAddress as error:
            verdict, why = False, str(error)
        if verdict != (case.findtext("category") in ALLOWED):
            name = case.get("id") or "?"
            differences.append({"case": name, "reason": ON_PURPOSE.get(name, f"WRONG: {why}")})
    record(
        "addresses",
        passed=len(cases) - len(differences),
        total=len(cases),
        differences=differences,
    )
    assert len(cases) == 164
    assert [each for each in differences if each["reason"].startswith("WRONG")] == []
