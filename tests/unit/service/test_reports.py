"""Which message is which report."""

import gzip

from postroad.service.reports import ReportKind, read_report
from postroad.trust.dmarc_report import Letter, write_aggregate, write_letter
from tests.unit.trust.dmarc_report.scene import REPORT
from tests.unit.trust.dmarc_report.test_failure import ARF


def test_kinds() -> None:
    letter = Letter("a@here.test", "b@there.test", "here.test", "x", "<1@here.test>")
    for data in (
        write_letter(letter, REPORT),
        write_aggregate(REPORT),
        gzip.compress(write_aggregate(REPORT)),
    ):
        found = read_report(data, "x")
        assert found is not None
        assert (found.kind, found.aggregate) == (ReportKind.AGGREGATE, REPORT)
    failed = read_report(ARF, "x")
    assert failed is not None
    assert failed.kind is ReportKind.FAILURE
    broken = read_report(b"<feedback>", "x")
    assert broken is not None
    assert (broken.kind, broken.problem != "") == (ReportKind.BROKEN, True)
    assert read_report(b"From: a@b.c\r\n\r\nhello", "x") is None
