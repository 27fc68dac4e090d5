"""``postroad reports``: what others say of mail in our name (DMARC) and of links to us (TLS)."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from postroad.cli.errors import CommandFailed, Exit
from postroad.cli.opened import in_office
from postroad.cli.options import AsJson, ConfigFile
from postroad.cli.show import clean, print_json, print_line, print_table, when

if TYPE_CHECKING:
    from postroad.runtime.office import Office
    from postroad.service.reports import ReceivedReport
    from postroad.trust.dmarc_report import AggregateReport, FailureReport
    from postroad.trust.tls_report import TlsReport

app = typer.Typer(
    no_args_is_help=True,
    help="Reports of others: DMARC about mail in our name, TLS about links to us.",
)

Sources = Annotated[
    list[str],
    typer.Argument(
        metavar="SOURCE...",
        help="Accounts here that get reports, or files: messages, XML, JSON, gzip, zip.",
    ),
]
Limit = Annotated[
    int,
    typer.Option("--limit", min=1, max=100_000, help="How many of an account's newest messages."),
]


@app.command("list")
def list_(
    sources: Sources, limit: Limit = 1000, as_json: AsJson = False, config: ConfigFile = None
) -> None:
    """List the reports: who says it, of which domain and time, how many messages passed and failed."""
    found = _read(sources, limit, config)
    if as_json:
        print_json([_summary(each) for each in found])
        return
    print_table(
        ("KEY", "KIND", "FROM", "DOMAIN", "BEGIN (UTC)", "MESSAGES", "PASSED", "FAILED"),
        [_row(each) for each in found],
        empty="there are no reports",
    )


@app.command("show")
def show(
    key: Annotated[str, typer.Argument(metavar="KEY", help="As `reports list` shows it.")],
    sources: Sources,
    limit: Limit = 1000,
    as_json: AsJson = False,
    config: ConfigFile = None,
) -> None:
    """Show one report: each address that sent in our name, and what SPF, DKIM, DMARC said; or, per TLS
    policy, the sessions that went well and why others did not. Exit code 65 where there is none.
    """
    from msgspec import to_builtins

    chosen = [each for each in _read(sources, limit, config) if each.key.startswith(key)]
    if not chosen:
        raise CommandFailed(f"there is no report {key}", Exit.DATAERR)
    report = chosen[0]
    if as_json:
        print_json(to_builtins(report, enc_hook=str))
    elif report.aggregate is not None:
        _show_aggregate(report.aggregate)
    elif report.failure is not None:
        _show_failure(report.failure)
    elif report.tls is not None:
        _show_tls(report.tls)
    else:
        raise CommandFailed(f"{report.source}: {report.problem}", Exit.DATAERR)


def _read(sources: list[str], limit: int, config: Path | None) -> "list[ReceivedReport]":
    from postroad.service.reports import MAX_MESSAGE_OCTETS, read_report

    found: list[ReceivedReport] = []
    for source in sources:
        path = Path(source)
        if path.is_file():
            with path.open("rb") as opened:
                report = read_report(opened.read(MAX_MESSAGE_OCTETS + 1), source)
            if report is not None:
                found.append(report)
        elif "@" in source and "/" not in source:
            found += _of_account(source, limit, config)
        else:
            raise CommandFailed(f"{source} is no file and no account", Exit.NOINPUT)
    return found


def _of_account(source: str, limit: int, config: Path | None) -> "list[ReceivedReport]":
    from postroad.model import Address

    address = Address.parse(source)

    async def use(office: "Office") -> "list[ReceivedReport]":
        return await office.reports.of_account(address, limit)

    return in_office(config, use)


def _row(each: "ReceivedReport") -> tuple[str, ...]:
    if each.aggregate is not None:
        report = each.aggregate
        sender = report.org_name or report.email
        failed = report.messages - report.passed
        counts = (str(report.messages), str(report.passed), str(failed))
        return (each.key, "aggregate", sender, report.policy.domain, when(report.begin), *counts)
    if each.failure is not None:
        failure = each.failure
        return (each.key, "failure", failure.source_ip, failure.reported_domain, "", "1", "0", "1")
    if each.tls is not None:
        good, bad = _sessions(each.tls)
        counts = (str(good + bad), str(good), str(bad))
        begin = each.tls.date_range.start_datetime[:19].replace("T", " ")
        return (each.key, "tls", each.tls.organization_name, _domain(each.tls), begin, *counts)
    return (each.key, "broken", each.source, "", "", "", "", "")


def _sessions(report: "TlsReport") -> tuple[int, int]:
    """How many sessions went well, and how many did not."""
    summaries = [each.summary for each in report.policies]
    return (
        sum(each.total_successful_session_count for each in summaries),
        sum(each.total_failure_session_count for each in summaries),
    )


def _domain(report: "TlsReport") -> str:
    return report.policies[0].policy.policy_domain if report.policies else ""


def _summary(each: "ReceivedReport") -> dict[str, Any]:
    plain: dict[str, Any] = {"key": each.key, "kind": each.kind.value, "source": each.source}
    if each.aggregate is not None:
        report = each.aggregate
        plain |= {
            "org_name": report.org_name,
            "domain": report.policy.domain,
            "report_id": report.report_id,
            "begin": report.begin,
            "end": report.end,
            "messages": report.messages,
            "passed": report.passed,
            "failed": report.messages - report.passed,
        }
    elif each.failure is not None:
        plain |= {
            "domain": each.failure.reported_domain,
            "source_ip": each.failure.source_ip,
            "auth_failure": each.failure.auth_failure,
        }
    elif each.tls is not None:
        good, bad = _sessions(each.tls)
        plain |= {
            "org_name": each.tls.organization_name,
            "domain": _domain(each.tls),
            "report_id": each.tls.report_id,
            "messages": good + bad,
            "passed": good,
            "failed": bad,
        }
    else:
        plain["problem"] = each.problem
    return plain


def _show_aggregate(report: "AggregateReport") -> None:
    policy = report.policy
    print_line(f"from        {clean(report.org_name or '?')} <{clean(report.email)}>")
    print_line(f"report      {clean(report.report_id)}")
    print_line(f"time        {when(report.begin)} to {when(report.end)}")
    below = f" sp={clean(policy.sp)}" if policy.sp else ""
    print_line(f"policy      {clean(policy.domain)}: p={clean(policy.p)}{below}")
    print_line(f"messages    {report.messages}, of which {report.passed} passed")
    for problem in (*report.errors, *report.problems):
        print_line(f"note        {clean(problem)}", style="yellow")
    rows = sorted(report.rows, key=lambda row: (row.passes, -row.count))
    print_table(
        ("ADDRESS", "COUNT", "DMARC", "DONE", "FROM", "SPF", "DKIM", "REASON"),
        [
            (
                row.source_ip,
                str(row.count),
                "pass" if row.passes else "fail",
                row.disposition,
                row.header_from,
                " ".join(f"{each.domain}={each.result}" for each in row.spf_auth),
                " ".join(f"{each.domain}={each.result}" for each in row.dkim_auth),
                " ".join(each.type for each in row.reasons),
            )
            for row in rows
        ],
        empty="it tells of no message",
    )


def _show_tls(report: "TlsReport") -> None:
    print_line(f"from        {clean(report.organization_name)} <{clean(report.contact_info)}>")
    print_line(f"report      {clean(report.report_id)}")
    times = report.date_range
    print_line(f"time        {clean(times.start_datetime)} to {clean(times.end_datetime)}")
    for each in report.policies:
        policy, summary = each.policy, each.summary
        print_line(
            f"policy      {clean(policy.policy_type)} of {clean(policy.policy_domain)}: "
            f"{summary.total_successful_session_count} sessions well, "
            f"{summary.total_failure_session_count} failed"
        )
        for detail in each.failure_details:
            words = (
                detail.result_type,
                detail.receiving_mx_hostname,
                detail.receiving_ip,
                detail.failure_reason_code,
                detail.additional_information,
            )
            print_line(
                f"failed      {detail.failed_session_count} times: "
                f"{clean(' '.join(word for word in words if word))}",
                style="yellow",
            )


def _show_failure(report: "FailureReport") -> None:
    for label, text in (
        ("domain", report.reported_domain),
        ("address", report.source_ip),
        ("failed", report.auth_failure),
        ("done", report.delivery_result),
        ("arrived", report.arrival_date),
        ("sender", report.original_mail_from),
        ("recipient", report.original_rcpt_to),
        ("author", report.author),
        ("subject", report.subject),
        ("message", report.message_id),
        ("results", report.authentication_results),
    ):
        if text:
            print_line(f"{label:<11} {clean(text)}")
