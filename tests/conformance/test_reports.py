"""DMARC reports as they are in the wild: aggregate ones, some broken, and failure reports."""

from pathlib import Path

from postroad.trust.dmarc_report import (
    AggregateReport,
    ReportInvalid,
    read_aggregate,
    read_failure_report,
    read_message,
)
from tests.conformance.report import record
from tests.suites import suite


def aggregate(path: Path) -> AggregateReport | None:
    data = path.read_bytes()
    return read_message(data) if path.suffix == ".eml" else read_aggregate(data)


def test_aggregate_reports() -> None:
    files = sorted((suite("reports") / "aggregate").iterdir())
    differences = []
    found: dict[str, AggregateReport] = {}
    for path in files:
        try:
            report = aggregate(path)
        except ReportInvalid as error:
            differences.append({"case": path.name, "reason": f"WRONG: {error}"})
            continue
        if report is None or not report.rows or report.problems or not report.report_id:
            differences.append({"case": path.name, "reason": f"WRONG: not whole: {report}"})
        else:
            found[path.name] = report
    record("dmarc reports", passed=len(found), total=len(files), differences=differences)
    assert differences == []
    assert len(files) == 19
    large = found["!large-example.com!1711897200!1711983600.xml"]
    assert (len(large.rows), large.messages) == (2286, 2286)
    # In angle brackets, which are no tag; and a stray one.
    broken = found["invalid_xml.xml"]
    assert broken.email == "<bad-xml@bad-xml.net>"
    assert broken.rows[0].header_from == "bad<xml.net"
    sample = found["rfc9990-sample.xml"]
    assert sample.policy.discovery_method == "treewalk"
    assert sample.rows[0].count == 123
    assert sample.rows[0].dkim_auth[0].selector == "abc123"


def test_failure_reports() -> None:
    files = sorted((suite("reports") / "failure").iterdir())
    differences = []
    found = {}
    for path in files:
        report = read_failure_report(path.read_bytes())
        if report is None or not report.source_ip or not report.reported_domain:
            differences.append({"case": path.name, "reason": f"WRONG: not whole: {report}"})
        else:
            found[path.name] = report
    record("failure reports", passed=len(found), total=len(files), differences=differences)
    assert differences == []
    assert len(files) == 5
    plain = found["exim_plain_text_only_no_arf_part.eml"]
    assert not plain.structured
    assert (plain.source_ip, plain.subject) == ("203.0.113.68", "Payment from your account.")
    linked = found["dmarc_ruf_report_linkedin.eml"]
    assert linked == found["dmarc_ruf_report_linkedin.crlf.eml"]
    assert linked.auth_failure == "dmarc"
