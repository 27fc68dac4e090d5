"""What we wrote into Authentication-Results is read as it was meant."""

import time

from hypothesis import given
from hypothesis import strategies as some

from postroad.trust.findings import MAX_FINDINGS, read_findings
from postroad.trust.results import Finding, results_value

ID = "mx.us.test"
_text = some.text(max_size=60)
_finding = some.builds(
    Finding,
    some.sampled_from(["spf", "dkim", "dmarc", "arc"]),
    some.sampled_from(["pass", "fail", "none"]),
    reason=some.sampled_from(["", "no key", 'odd "quoted" \\ (text)']),
    comment=some.sampled_from(["", "2048-bit key", "p=reject of x (y)"]),
    properties=some.lists(
        some.tuples(
            some.just("header"), some.sampled_from(["d", "from"]),
            some.sampled_from(["x.test", 'a b"c', "Ä"])
        ),
        max_size=3,
    ).map(tuple),
)  # fmt: skip


@given(some.lists(_finding, max_size=8))
def test_there_and_back(findings: list[Finding]) -> None:
    assert read_findings([results_value(ID, findings)], ID) == tuple(findings)


def test_fields_of_others_are_passed_over() -> None:
    forged = b"mx.evil.test; dmarc=pass header.from=bank.test"
    assert read_findings([forged, b"", b";", b"mx.us.test", b"mx.us.test; none"], ID) == ()
    ours = b"MX.us.test; dmarc=pass header.from=bank.test"
    assert [each.method for each in read_findings([forged, ours], ID)] == ["dmarc"]


def test_what_is_not_understood_ends_it() -> None:
    value = b"mx.us.test; spf=pass; ??; dkim=pass header.d=x.test"
    assert [each.method for each in read_findings([value], ID)] == ["spf"]


def test_long_fields_take_no_long_time() -> None:
    for piece in (
        b"; spf=pass",
        b"; spf=pass (",
        b' reason="\\',
        b" header.d=",
        b"(",
        b"; a=b c.d=",
    ):
        begun = time.perf_counter()
        found = read_findings([b"mx.us.test" + piece * 20_000], ID)
        assert len(found) <= MAX_FINDINGS
        assert time.perf_counter() - begun < 2
