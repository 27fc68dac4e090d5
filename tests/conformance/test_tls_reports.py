"""Real TLS reports (RFC 8460), as files and in the mail that brought one: all are read."""

import email
from collections.abc import Iterator
from pathlib import Path

from postroad.trust.tls_report import TlsReportInvalid, read_report
from tests.conformance.report import record
from tests.suites import suite

# What each is about: who reports, policies, sessions that went well and that did not.
EXPECTED = {
    "google.com_smtp_tls_report.eml": ("Google Inc.", 1, 48, 0),
    "mail.ru.json": ("Mail.ru", 1, 0, 1),
    "rfc8460.json": ("Company-X", 1, 5326, 303),
    "smtp_tls.json": ("Example Inc.", 1, 0, 3),
}


def reports(path: Path) -> Iterator[bytes]:
    data = path.read_bytes()
    if path.suffix == ".json":
        yield data
        return
    for part in email.message_from_bytes(data).walk():
        if part.get_content_type() in ("application/tlsrpt+gzip", "application/tlsrpt+json"):
            content = part.get_payload(decode=True)
            assert isinstance(content, bytes)
            yield content


def test_tls_reports() -> None:
    files = sorted((suite("reports") / "smtp_tls").iterdir())
    differences = []
    for path in files:
        try:
            (report,) = map(read_report, reports(path))
        except TlsReportInvalid as error:
            differences.append({"case": path.name, "reason": f"WRONG: {error}"})
            continue
        good = sum(each.summary.total_successful_session_count for each in report.policies)
        bad = sum(each.summary.total_failure_session_count for each in report.policies)
        found = (report.organization_name, len(report.policies), good, bad)
        if found != EXPECTED[path.name]:
            differences.append({"case": path.name, "reason": f"WRONG: {found}"})
    total = len(files)
    record("tls-reports", passed=total - len(differences), total=total, differences=differences)
    assert differences == []
    assert total == len(EXPECTED)
