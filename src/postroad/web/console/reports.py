"""Reports of others about mail in our name, DMARC and TLS, summed up for charts."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from typing import Annotated

from litestar import get
from litestar.params import QueryParameter
from litestar.types import ControllerRouterHandler
from msgspec import Struct

from postroad.service.reports import ReceivedReport
from postroad.trust.dmarc_report import AggregateReport
from postroad.trust.tls_report import TlsReport
from postroad.web.console.asked import address_in, common
from postroad.web.console.desk import BASE, ConsoleDesk

MAX_MESSAGES = 5000
_MAX_SOURCES = 100
_MAX_FAILURES = 50


class Day(Struct, frozen=True):
    """What reports tell of one day (UTC, ``2026-11-25``): `good` messages or sessions, and others."""

    day: str
    good: int
    bad: int


class Source(Struct, frozen=True):
    """Messages that came from one address in the name of a domain. `spf` and `dkim` count those that
    were aligned; `done` says what receivers did, by how often.
    """

    address: str
    domain: str
    messages: int
    passed: int
    spf: int
    dkim: int
    done: dict[str, int]


class ReportRow(Struct, frozen=True):
    """One report."""

    key: str
    kind: str
    sender: str
    domain: str
    begin: float | None
    good: int
    bad: int
    problem: str


class TlsFailureRow(Struct, frozen=True):
    """Sessions that failed alike."""

    domain: str
    result: str
    host: str
    sessions: int


class ReportsShown(Struct, frozen=True):
    """What is in the mailbox of `account` (``""``: none was named)."""

    account: str
    dmarc: list[Day]
    tls: list[Day]
    sources: list[Source]
    failures: list[TlsFailureRow]
    reports: list[ReportRow]


def routes(desk: ConsoleDesk) -> Sequence[ControllerRouterHandler]:
    """Return the routes."""

    @get(f"{BASE}/reports", **common())
    async def reports(
        account: Annotated[str | None, QueryParameter(max_length=330)] = None,
        limit: Annotated[int, QueryParameter(ge=1, le=MAX_MESSAGES)] = 1000,
    ) -> ReportsShown:
        """Read the reports among the newest messages of an account."""
        text = account or desk.reports_to
        if not text:
            return summed_up("", [])
        address = address_in("account", text)
        return summed_up(str(address), await desk.reports.of_account(address, limit))

    return [reports]


def summed_up(account: str, found: Sequence[ReceivedReport]) -> ReportsShown:
    """Return reports as charts and tables need them."""
    aggregates = [each.aggregate for each in found if each.aggregate is not None]
    tls = [each.tls for each in found if each.tls is not None]
    return ReportsShown(
        account,
        _dmarc_days(aggregates),
        _tls_days(tls),
        _sources(aggregates),
        _failures(tls),
        [_row(each) for each in reversed(found)],
    )


def _dmarc_days(reports: Iterable[AggregateReport]) -> list[Day]:
    return _days((_day(each.begin), each.passed, each.messages - each.passed) for each in reports)


def _tls_days(reports: Iterable[TlsReport]) -> list[Day]:
    return _days((each.date_range.start_datetime[:10], *_sessions(each)) for each in reports)


def _days(counts: Iterable[tuple[str, int, int]]) -> list[Day]:
    sums: dict[str, list[int]] = defaultdict(lambda: [0, 0])
    for day, good, bad in counts:
        sums[day][0] += good
        sums[day][1] += bad
    return [Day(day, good, bad) for day, (good, bad) in sorted(sums.items())]


def _sources(reports: Iterable[AggregateReport]) -> list[Source]:
    sums: dict[tuple[str, str], Counter[str]] = defaultdict(Counter)
    done: dict[tuple[str, str], Counter[str]] = defaultdict(Counter)
    for report in reports:
        for row in report.rows:
            key = row.source_ip, row.header_from
            sums[key]["messages"] += row.count
            sums[key]["passed"] += row.count * row.passes
            sums[key]["spf"] += row.count * (row.spf == "pass")
            sums[key]["dkim"] += row.count * (row.dkim == "pass")
            done[key][row.disposition] += row.count
    rows = [
        Source(*key, n["messages"], n["passed"], n["spf"], n["dkim"], dict(done[key]))
        for key, n in sums.items()
    ]
    # Those in whose mail something failed first: they are what reports are read for.
    rows.sort(key=lambda each: (each.passed - each.messages, -each.messages, each.address))
    return rows[:_MAX_SOURCES]


def _failures(reports: Iterable[TlsReport]) -> list[TlsFailureRow]:
    sums: Counter[tuple[str, str, str]] = Counter()
    for report in reports:
        for policy in report.policies:
            for each in policy.failure_details:
                key = policy.policy.policy_domain, each.result_type, each.receiving_mx_hostname
                sums[key] += each.failed_session_count
    return [TlsFailureRow(*key, count) for key, count in sums.most_common(_MAX_FAILURES)]


def _sessions(report: TlsReport) -> tuple[int, int]:
    summaries = [each.summary for each in report.policies]
    return (
        sum(each.total_successful_session_count for each in summaries),
        sum(each.total_failure_session_count for each in summaries),
    )


def _row(each: ReceivedReport) -> ReportRow:
    kind = each.kind.value
    if each.aggregate is not None:
        report = each.aggregate
        sender, domain = report.org_name or report.email, report.policy.domain
        bad = report.messages - report.passed
        return ReportRow(each.key, kind, sender, domain, report.begin, report.passed, bad, "")
    if each.failure is not None:
        failure = each.failure
        return ReportRow(each.key, kind, failure.source_ip, failure.reported_domain, None, 0, 1, "")
    if each.tls is not None:
        good, bad = _sessions(each.tls)
        domain = each.tls.policies[0].policy.policy_domain if each.tls.policies else ""
        begin = _moment(each.tls.date_range.start_datetime)
        return ReportRow(each.key, kind, each.tls.organization_name, domain, begin, good, bad, "")
    return ReportRow(each.key, kind, each.source, "", None, 0, 0, each.problem)


def _moment(text: str) -> float | None:
    try:
        return datetime.fromisoformat(text).timestamp()
    except ValueError:
        return None


def _day(at: float) -> str:
    return f"{datetime.fromtimestamp(at, UTC):%Y-%m-%d}"
