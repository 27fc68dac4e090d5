"""A TLS report as values, its JSON, and how it is made of results (RFC 8460 §4.4)."""

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, timedelta

import msgspec
from msgspec import Struct

from postroad.model import PolicyType, TlsResult

_MAX_DETAILS = 500
_DAY = timedelta(days=1)


class DateRange(Struct, frozen=True, rename="kebab"):
    """The time that a report is about, in RFC 3339 form."""

    start_datetime: str
    end_datetime: str


class ReportedPolicy(Struct, frozen=True, rename="kebab", omit_defaults=True):
    """The policy that sessions were under. `policy_type` is free text in reports of others."""

    policy_type: str
    policy_domain: str
    policy_string: tuple[str, ...] = ()
    mx_host: tuple[str, ...] | str = ()


class Summary(Struct, frozen=True, rename="kebab"):
    """How many sessions went well and how many did not."""

    total_successful_session_count: int
    total_failure_session_count: int


class FailureDetail(Struct, frozen=True, rename="kebab", omit_defaults=True):
    """Sessions that failed alike. `result_type` is free text in reports of others."""

    result_type: str
    failed_session_count: int
    sending_mta_ip: str = ""
    receiving_mx_hostname: str = ""
    receiving_mx_helo: str = ""
    receiving_ip: str = ""
    additional_information: str = ""
    failure_reason_code: str = ""


class PolicyReport(Struct, frozen=True, rename="kebab", omit_defaults=True):
    """What happened under one policy."""

    policy: ReportedPolicy
    summary: Summary
    failure_details: tuple[FailureDetail, ...] = ()


class TlsReport(Struct, frozen=True, rename="kebab"):
    """One report."""

    organization_name: str
    date_range: DateRange
    contact_info: str
    report_id: str
    policies: tuple[PolicyReport, ...]


def build_report(
    results: Iterable[tuple[TlsResult, int]],
    *,
    day: str,
    report_id: str,
    organization: str,
    contact: str,
) -> TlsReport:
    """Return the report of one domain's results, each with how often it came, of a day (UTC, as
    ``2026-11-25``).
    """
    under: dict[tuple[PolicyType, str, tuple[str, ...]], list[tuple[TlsResult, int]]] = {}
    for result, count in results:
        key = (result.kind, result.domain, result.policy)
        under.setdefault(key, []).append((result, count))
    begin = datetime.fromisoformat(day).replace(tzinfo=UTC)
    last = begin + _DAY - timedelta(seconds=1)
    return TlsReport(
        organization,
        DateRange(f"{begin:%Y-%m-%dT%H:%M:%SZ}", f"{last:%Y-%m-%dT%H:%M:%SZ}"),
        contact,
        report_id,
        tuple(_policy(*key, found) for key, found in under.items()),
    )


def _policy(
    kind: PolicyType,
    domain: str,
    lines: tuple[str, ...],
    found: Sequence[tuple[TlsResult, int]],
) -> PolicyReport:
    good = sum(count for result, count in found if result.failure is None)
    bad = [(result, count) for result, count in found if result.failure is not None]
    patterns = tuple(line[4:] for line in lines if line.startswith("mx: "))
    hosts = tuple(dict.fromkeys(result.host for result, _ in found if result.host))
    return PolicyReport(
        ReportedPolicy(
            kind.value,
            domain,
            lines,
            patterns if kind is PolicyType.STS else hosts if kind is PolicyType.TLSA else (),
        ),
        Summary(good, sum(count for _, count in bad)),
        tuple(_detail(result, count) for result, count in bad[:_MAX_DETAILS]),
    )


def _detail(result: TlsResult, count: int) -> FailureDetail:
    assert result.failure is not None
    return FailureDetail(
        result.failure.value,
        count,
        sending_mta_ip=result.source,
        receiving_mx_hostname=result.host,
        receiving_ip=result.address,
        failure_reason_code=result.reason[:500],
    )


def encode_report(report: TlsReport) -> bytes:
    """Return a report as JSON."""
    return msgspec.json.encode(report)
