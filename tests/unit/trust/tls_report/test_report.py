"""From results to a report, and to JSON and back."""

from postroad.model import PolicyType, TlsFailure, TlsResult
from postroad.trust.tls_report import build_report, encode_report, read_report

LINES = ("version: STSv1", "mode: enforce", "mx: *.d.test", "max_age: 60")
GOOD = TlsResult("d.test", PolicyType.STS, LINES, source="192.0.2.1", host="a.d.test")
BAD = TlsResult(
    "d.test",
    PolicyType.STS,
    LINES,
    TlsFailure.EXPIRED,
    "192.0.2.1",
    "b.d.test",
    "192.0.2.9",
    "certificate has expired",
)
DANE = TlsResult("d.test", PolicyType.TLSA, ("3 1 1 ab",), host="a.d.test")


def test_results_become_a_report() -> None:
    report = build_report(
        [(GOOD, 3), (BAD, 2), (DANE, 1)],
        day="2026-11-25",
        report_id="1@us.test",
        organization="Us",
        contact="tls@us.test",
    )
    assert report.date_range.start_datetime == "2026-11-25T00:00:00Z"
    assert report.date_range.end_datetime == "2026-11-25T23:59:59Z"
    sts, dane = report.policies
    assert (sts.policy.policy_type, sts.policy.policy_string) == ("sts", LINES)
    assert sts.policy.mx_host == ("*.d.test",)
    assert sts.summary.total_successful_session_count == 3
    assert sts.summary.total_failure_session_count == 2
    (detail,) = sts.failure_details
    assert (detail.result_type, detail.failed_session_count) == ("certificate-expired", 2)
    assert (detail.receiving_mx_hostname, detail.receiving_ip) == ("b.d.test", "192.0.2.9")
    assert dane.policy.mx_host == ("a.d.test",)
    assert not dane.failure_details
    assert read_report(encode_report(report)) == report


def test_the_names_are_those_of_the_rfc() -> None:
    report = build_report([(BAD, 1)], day="2026-11-25", report_id="1", organization="", contact="")
    text = encode_report(report).decode()
    for name in ("organization-name", "date-range", "policy-domain", "total-failure-session-count"):
        assert f'"{name}":' in text
