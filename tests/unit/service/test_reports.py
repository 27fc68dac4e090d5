"""Which message is which report."""

import base64
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


TLS = b"""{"organization-name": "There", "date-range": {"start-datetime": "2026-11-24T00:00:00Z",
"end-datetime": "2026-11-24T23:59:59Z"}, "contact-info": "a@there.test", "report-id": "1",
"policies": [{"policy": {"policy-type": "sts", "policy-domain": "here.test"},
"summary": {"total-successful-session-count": 5, "total-failure-session-count": 2},
"failure-details": [{"result-type": "certificate-expired", "failed-session-count": 2}]}]}"""


def test_tls_reports() -> None:
    head = b"Content-Type: application/tlsrpt+gzip\r\nContent-Transfer-Encoding: base64\r\n\r\n"
    mail = head + base64.encodebytes(gzip.compress(TLS))
    for data in (TLS, mail):
        found = read_report(data, "x")
        assert found is not None
        assert found.kind is ReportKind.TLS
        assert found.tls is not None
        assert found.tls.policies[0].summary.total_failure_session_count == 2
    broken = read_report(head, "x")
    assert broken is not None
    assert broken.kind is ReportKind.BROKEN
