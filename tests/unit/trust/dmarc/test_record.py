import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from postroad.trust.dmarc import (
    DmarcRecord,
    Policy,
    PublicSuffix,
    ReportUri,
    is_dmarc,
    read_dmarc_record,
)
from postroad.trust.dmarc.record import MAX_RECORD_OCTETS, MAX_URIS


def read(text: str) -> DmarcRecord:
    record = read_dmarc_record(text)
    assert record is not None
    return record


def test_a_record_with_everything() -> None:
    record = read(
        "v=DMARC1; p=reject; sp=Quarantine; np=none; adkim=s; aspf=r; psd=n; t=y; pct=30; fo=1:d:s; "
        "rua=mailto:a@example.com!10m , mailto:b@example.org; ruf=https://example.com/r?x=1; x=y;"
    )
    assert (record.p, record.sp, record.np) == (Policy.REJECT, Policy.QUARANTINE, Policy.NONE)
    assert (record.strict_dkim, record.strict_spf) == (True, False)
    assert (record.psd, record.testing, record.pct) == (PublicSuffix.NO, True, 30)
    assert record.failure_options == {"1", "d", "s"}
    assert record.rua == (
        ReportUri("mailto:a@example.com", 10 * 2**20),
        ReportUri("mailto:b@example.org"),
    )
    assert record.ruf == (ReportUri("https://example.com/r?x=1"),)
    assert (record.usable, record.problems) == (True, ())


def test_defaults() -> None:
    record = read("v=DMARC1;p=none")
    assert record == DmarcRecord("v=DMARC1;p=none")
    assert record.problems == ()


@pytest.mark.parametrize(
    "text",
    ["v=DMARC1", "v=DMARC1;", "V = DMARC1 ; p=none", "v=DMARC1;p=none;;", "v=DMARC1\t;p=none"],
)
def test_what_is_dmarc(text: str) -> None:
    assert is_dmarc(text)


@pytest.mark.parametrize(
    "text",
    ["", "v=dmarc1; p=none", "v=DMARC12", " v=DMARC1", "p=none; v=DMARC1", "v=DMARC1 p=none"],
)
def test_what_is_not_dmarc(text: str) -> None:
    assert not is_dmarc(text)
    assert read_dmarc_record(text) is None


@pytest.mark.parametrize(
    ("tags", "problem"),
    [
        ("p=none; adkim=x", "adkim=x is none of r, s"),
        ("p=none; psd=", "'psd=' is no tag with a value"),
        ("p=none; pct=101", "pct=101 is no number"),
        ("p=none; pct=\u0661", "is no tag"),
        ("p=none; fo=2", "fo=2 is no list"),
        ("p=none; rua=a@example.com", "an address needs mailto:"),
        ("p=none; p=reject", "the tag p is there twice; the first counts"),
        ("p=none; garbage", "'garbage' is no tag"),
        ("p=none; t=yes", "t=yes is none of y, n"),
    ],
)
def test_what_is_wrong_counts_as_absent_and_is_told(tags: str, problem: str) -> None:
    record = read(f"v=DMARC1; {tags}")
    assert (record.p, record.usable) == (Policy.NONE, True)
    assert (record.strict_dkim, record.testing, record.pct) == (False, False, 100)
    assert record.rua == ()
    assert len(record.problems) == 1
    assert problem in record.problems[0]


@pytest.mark.parametrize("tags", ["p=rejekt", "sp=none", "p=reject; sp=x", "p=reject; np=x", ""])
def test_without_a_right_policy_it_serves_reports_or_nothing(tags: str) -> None:
    record = read(f"v=DMARC1; {tags}")
    assert (record.usable, record.p, record.sp) == (False, Policy.NONE, None)
    assert record.problems
    record = read(f"v=DMARC1; {tags}; rua=mailto:a@example.com")
    assert (record.usable, record.p) == (True, Policy.NONE)
    assert not read(f"v=DMARC1; {tags}; rua=nonsense").usable


def test_bounds() -> None:
    assert read_dmarc_record("v=DMARC1; p=reject;" + "x" * 1_000_000) is None
    many = ",".join(f"mailto:a{n}@b.example" for n in range(100))
    assert len(read(f"v=DMARC1; p=none; rua={many}").rua) == MAX_URIS
    for filler in (";", " ", "rua=a:", ",", "a=b;", "!", "="):
        text = "v=DMARC1; p=none;" + filler * ((MAX_RECORD_OCTETS - 20) // len(filler))
        before = time.process_time()
        assert read(text).p is Policy.NONE
        assert time.process_time() - before < 0.5


def test_policies_are_ordered() -> None:
    assert Policy.REJECT.strictness > Policy.QUARANTINE.strictness > Policy.NONE.strictness
    assert Policy.REJECT.lower is Policy.QUARANTINE
    assert Policy.QUARANTINE.lower is Policy.NONE
    assert Policy.NONE.lower is Policy.NONE


@given(st.text(max_size=100) | st.text("vpsnratkdmufo=;:,!0159 \tqi", max_size=100))
def test_reading_never_raises(text: str) -> None:
    read_dmarc_record(text)
    record = read(f"v=DMARC1;{text}")
    assert 0 <= record.pct <= 100
    assert record.usable or not record.rua
