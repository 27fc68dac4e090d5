"""The mail with a report in it."""

import email

from postroad.model import PolicyType, TlsResult
from postroad.trust.tls_report import ReportLetter, build_report, read_report, write_letter


def test_a_letter() -> None:
    report = build_report(
        [(TlsResult("d.test", PolicyType.NONE), 7)],
        day="2026-11-25",
        report_id="9@us.test",
        organization="Us",
        contact="tls@us.test",
    )
    letter = ReportLetter(
        sender="tls@us.test",
        recipient="reports@d.test",
        submitter="us.test",
        domain="d.test",
        day="2026-11-25",
        date="Thu, 26 Nov 2026 00:10:00 +0000",
        message_id="<9@us.test>",
    )
    data = write_letter(letter, report)
    assert data == write_letter(letter, report)
    assert b"\n" not in data.replace(b"\r\n", b"")
    message = email.message_from_bytes(data)
    assert message.get_content_type() == "multipart/report"
    assert message.get_param("report-type") == "tlsrpt"
    assert message["TLS-Report-Domain"] == "d.test"
    assert message["TLS-Report-Submitter"] == "us.test"
    assert message["TLS-Required"] == "No"
    assert message["Subject"] == "Report Domain: d.test Submitter: us.test Report-ID: <9@us.test>"
    _, _, packed = message.walk()
    assert packed.get_content_type() == "application/tlsrpt+gzip"
    assert packed.get_filename() == "us.test!d.test!1795564800!1795651199!1.json.gz"
    content = packed.get_payload(decode=True)
    assert isinstance(content, bytes)
    assert read_report(content) == report
