"""OpenSSL's DANE suite: chains, TLSA records, the verdict and the depth at which a record fits."""

import base64
import re
from collections.abc import Iterator
from typing import NamedTuple

from postroad.trust.dane import DaneProblem, Tlsa, verify_dane
from tests.conformance.report import record
from tests.suites import suite

# Cases on which we differ on purpose, with the reason. None today.
ON_PURPOSE: dict[str, str] = {}

HEAD = re.compile(r"(\d+) (\d+) ([01]) (-?\d+) (-?\d+)")
NAMES = ("example.com",)
AT = 1_790_000_000.0
# The numbers of X509_V_ERR_*.
CODES = {
    None: 0,
    DaneProblem.NO_ISSUER: 20,
    DaneProblem.NAME: 62,
    DaneProblem.NO_MATCH: 65,
}


class Case(NamedTuple):
    records: list[Tlsa]
    chain: list[bytes]
    no_name_checks: bool
    result: int
    depth: int


def cases() -> Iterator[Case]:
    text = (suite("dane") / "danetest.in").read_text()
    lines = iter([line for line in text.splitlines() if line.strip() and not line.startswith("#")])
    for line in lines:
        head = HEAD.fullmatch(line)
        assert head, line
        records_count, chain_count, no_names, result, depth = map(int, head.groups())
        records = []
        for _ in range(records_count):
            usage, selector, matching, data = next(lines).split()
            records.append(Tlsa(int(usage), int(selector), int(matching), bytes.fromhex(data)))
        chain = []
        for _ in range(chain_count):
            while next(lines) != "-----BEGIN CERTIFICATE-----":
                pass  # subject and issuer in words
            encoded = ""
            while (part := next(lines)) != "-----END CERTIFICATE-----":
                encoded += part
            chain.append(base64.b64decode(encoded))
        yield Case(records, chain, bool(no_names), result, depth)


def test_dane() -> None:
    everything = list(cases())
    # The suite's authority is the self-signed end of its longer chains.
    roots = {case.chain[2] for case in everything if len(case.chain) == 3}
    differences = []
    for number, case in enumerate(everything, 1):
        verdict = verify_dane(
            case.records,
            case.chain,
            NAMES,
            AT,
            roots=sorted(roots),
            check_leaf_name=not case.no_name_checks,
        )
        found = (CODES.get(verdict.problem, -1), verdict.depth)
        if found != (case.result, case.depth):
            name = str(number)
            why = f"WRONG: {found} ({verdict.reason}), not {(case.result, case.depth)}"
            differences.append({"case": name, "reason": ON_PURPOSE.get(name, why)})
    total = len(everything)
    record("dane", passed=total - len(differences), total=total, differences=differences)
    assert [each for each in differences if each["reason"].startswith("WRONG")] == []
    assert total == 54
