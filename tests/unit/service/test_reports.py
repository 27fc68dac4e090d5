"""Which message is which report."""

import base64
import gzip
import io
import zipfile

import pytest

from postroad.service import reports
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


@pytest.mark.parametrize("error", [IndexError("x"), MemoryError(), RecursionError("deep")])
def test_a_report_that_breaks_its_reader_keeps_no_other_from_being_read(
    error: Exception, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def read(message: bytes) -> None:
        raise error

    monkeypatch.setattr(reports, "read_message", read)
    broken = read_report(b"From: a@b.c\r\n\r\nhello", "x")
    assert broken is not None
    assert broken.kind is ReportKind.BROKEN
    assert type(error).__name__ in broken.problem
    assert read_report(TLS, "y") is not None
    caplog.clear()


def test_a_zip_file_of_a_method_that_no_report_uses() -> None:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_LZMA) as archive:
        archive.writestr("report.xml", write_aggregate(REPORT))
    broken = read_report(buffer.getvalue(), "x")
    assert broken is not None
    assert (broken.kind, broken.problem) == (
        ReportKind.BROKEN,
        "a zip file packed by method 14",
    )
