"""The RFC 7208 suite of openspf.org: every case with its zone as the DNS."""

from typing import Any

import yaml

from postroad.model import Address
from postroad.trust.spf import SpfCheck, check_spf
from tests.conformance.report import record
from tests.fake_dns import FakeDns
from tests.suites import suite

# Cases on which we differ on purpose, with the reason. None today.
ON_PURPOSE: dict[str, str] = {}

TYPES = ("A", "AAAA", "MX", "PTR", "TXT", "CNAME", "SPF")


def dns_of(zone: dict[str, list[Any]]) -> FakeDns:
    """The suite: SPF entries double as TXT where a name has none; TIMEOUT fails what is not given."""
    records: dict[str, dict[str, list[str]]] = {}
    for name, entries in zone.items():
        types: dict[str, list[str]] = {}
        for entry in entries:
            if entry == "TIMEOUT":
                continue
            ((rdtype, value),) = entry.items()
            types.setdefault(rdtype, []).append(text_of(rdtype, value))
        if "SPF" in types and "TXT" not in types:
            types["TXT"] = types["SPF"]
        if types.get("TXT") == ["NONE"]:
            del types["TXT"]
        if "TIMEOUT" in entries:
            for rdtype in TYPES:
                types.setdefault(rdtype, ["!"])
        types.pop("SPF", None)
        if "TIMEOUT" in entries:
            types.pop("CNAME", None)
        records[name] = types
    return FakeDns(records)


def text_of(rdtype: str, value: Any) -> str:
    if rdtype == "MX":
        return f"{value[0]} {value[1]}"
    return "".join(value) if isinstance(value, list) else str(value)


async def check_of(case: dict[str, Any], dns: FakeDns) -> SpfCheck:
    local_part, at, domain = str(case["mailfrom"]).rpartition("@")
    return await check_spf(
        dns,
        ip=case["host"],
        helo=case["helo"],
        sender=Address(local_part, domain) if at else None,
        receiver="receiver.example.org",
        at=1_700_000_000,
        explain=True,
    )


async def test_spf() -> None:
    text = (suite("spf") / "rfc7208-tests.yml").read_text(encoding="utf-8")
    total = 0
    differences = []
    for document in yaml.safe_load_all(text):
        for name, case in document["tests"].items():
            total += 1
            check = await check_of(case, dns_of(document["zonedata"]))
            wanted = case["result"] if isinstance(case["result"], list) else [case["result"]]
            explanation = case.get("explanation")
            if explanation == "DEFAULT":
                explanation = ""
            why = ""
            if check.result.value not in wanted:
                why = f"{check.result.value} ({check.reason}), not {' or '.join(wanted)}"
            elif explanation is not None and check.explanation != explanation:
                why = f"explanation {check.explanation!r}, not {explanation!r}"
            assert check.steps, name
            if why:
                differences.append({"case": name, "reason": ON_PURPOSE.get(name, f"WRONG: {why}")})
    record("spf", passed=total - len(differences), total=total, differences=differences)
    assert [each for each in differences if each["reason"].startswith("WRONG")] == []
    assert total == 203
