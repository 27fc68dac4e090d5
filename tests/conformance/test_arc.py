"""The ARC validation suite: every chain gets the status that it should."""

import yaml

from postroad.trust import arc
from tests.conformance.report import record
from tests.interop.real_mail import crlf
from tests.suites import suite
from tests.unit.trust.zone import zone


async def test_arc() -> None:
    documents = list(yaml.safe_load_all((suite("arc") / "arc-validation-tests.yml").read_bytes()))
    total = 0
    differences = []
    for document in documents:
        dns = zone(document["txt-records"])
        for name, case in document["tests"].items():
            total += 1
            chain = await arc.verify(crlf((case["message"] or "").encode()), dns)
            # The suite expects nothing where a sealer said that the chain failed: it ends there.
            status = "" if chain.terminated else chain.status.value
            if status != (case["cv"] or "").strip().lower():
                differences.append(
                    {"case": name, "reason": f"WRONG: {chain.status.value}, {chain.reason}"}
                )
    record("arc", passed=total - len(differences), total=total, differences=differences)
    assert total == 76
    assert differences == []
