"""``postroad tls-report``: what others say of the links to us (RFC 8460)."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from postroad.cli.errors import CommandFailed, Exit
from postroad.cli.options import AsJson
from postroad.cli.show import clean, print_json, print_line, print_table

if TYPE_CHECKING:
    from postroad.trust.tls_report import TlsReport

_MAX_FILE_OCTETS = 20 * 2**20
_TYPES = ("application/tlsrpt+gzip", "application/tlsrpt+json")


def tls_report(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="JSON, gzip, or the whole message.")],
    as_json: AsJson = False,
) -> None:
    """Show a TLS report that was received: per policy the sessions that went well, and why others did
    not. Exit code 65 where it is none.
    """
    from msgspec import to_builtins

    from postroad.trust.tls_report import TlsReportInvalid, read_report

    with file.open("rb") as opened:
        data = opened.read(_MAX_FILE_OCTETS + 1)
    if len(data) > _MAX_FILE_OCTETS:
        raise CommandFailed(f"{file} has more than {_MAX_FILE_OCTETS} octets", Exit.DATAERR)
    try:
        report = read_report(_attachment(data))
    except TlsReportInvalid as error:
        raise CommandFailed(f"{file}: {error}", Exit.DATAERR) from None
    if as_json:
        print_json(to_builtins(report))
    else:
        _show(report)


def _attachment(data: bytes) -> bytes:
    """Return the report out of a message, or the data itself where it is none."""
    import email

    if data[:1] in (b"{", b"\x1f", b""):
        return data
    try:
        for part in email.message_from_bytes(data).walk():
            if part.get_content_type() in _TYPES:
                content = part.get_payload(decode=True)
                return content if isinstance(content, bytes) else b""
    except RecursionError:  # parts within parts without end
        return b""
    return data


def _show(report: "TlsReport") -> None:
    span = report.date_range
    print_line(
        f"{clean(report.organization_name)}  {clean(span.start_datetime)} to "
        f"{clean(span.end_datetime)}  {clean(report.report_id)}",
        style="bold",
    )
    for each in report.policies:
        policy, summary = each.policy, each.summary
        print_line(
            f"{clean(policy.policy_domain)}  {clean(policy.policy_type)}: "
            f"{summary.total_successful_session_count} sessions went well, "
            f"{summary.total_failure_session_count} failed"
        )
        rows = [
            (
                str(detail.failed_session_count),
                clean(detail.result_type),
                clean(detail.receiving_mx_hostname or detail.receiving_ip),
                clean(detail.sending_mta_ip),
                clean(detail.failure_reason_code or detail.additional_information),
            )
            for detail in each.failure_details[:100]
        ]
        if rows:
            columns = ("SESSIONS", "WHAT", "OUR HOST", "SENDER", "REASON")
            print_table(columns, rows, empty="")
