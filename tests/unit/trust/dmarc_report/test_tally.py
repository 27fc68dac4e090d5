"""Counting messages into rows."""

from typing import Any

import pytest
from msgspec.structs import replace

from postroad.trust.dmarc import Discovery, DmarcRecord, read_dmarc_record
from postroad.trust.dmarc_report import Observation, SpfAuth, Tally, tally


def record(text: str) -> DmarcRecord:
    found = read_dmarc_record(text)
    assert found is not None
    return found


WANTS = record("v=DMARC1; p=reject; sp=none; adkim=s; t=y; rua=mailto:a@there.test")
SEEN = Observation(
    policy_domain="there.test",
    record=WANTS,
    source_ip="192.0.2.1",
    disposition="none",
    dkim_aligned=False,
    spf_aligned=True,
    header_from="there.test",
    envelope_from="there.test",
    spf_auth=(SpfAuth("there.test", "mfrom", "pass"),),
)


def seen(**changes: Any) -> Observation:
    return replace(SEEN, **changes)


def test_equal_ones_are_counted_together() -> None:
    counted = Tally()
    for each in (SEEN, SEEN, seen(source_ip="192.0.2.2"), seen(spf_aligned=False), SEEN):
        counted.add(each)
    ((asked, policy, rows),) = counted.reports()
    assert asked is WANTS
    assert (policy.p, policy.sp, policy.adkim, policy.testing) == ("reject", "none", "s", "y")
    assert policy.discovery_method == "treewalk"
    assert sorted(row.count for row in rows) == [1, 1, 3]
    assert sum(row.passes for row in rows) == 2


def test_who_wants_no_reports_gets_none() -> None:
    counted = Tally()
    counted.add(seen(record=record("v=DMARC1; p=reject")))
    assert list(counted.reports()) == []


def test_how_the_policy_was_looked_for() -> None:
    counted = Tally()
    counted.add(seen(discovery=Discovery.SUFFIX_LIST))
    ((_, policy, _),) = counted.reports()
    assert policy.discovery_method == "psl"


def test_bounds(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tally, "MAX_DOMAINS", 2)
    monkeypatch.setattr(tally, "MAX_ROWS_PER_DOMAIN", 2)
    counted = Tally()
    for number in range(5):
        counted.add(seen(policy_domain=f"d{number}.test"))
        counted.add(seen(policy_domain="d0.test", source_ip=f"192.0.2.{number}"))
    assert len(list(counted.reports())) == 2
    assert counted.left_out == 3 + 3
