"""The mail that carries a TLS report (RFC 8460 §5.3)."""

import gzip
from datetime import UTC, datetime
from email.message import EmailMessage
from email.policy import SMTP

from msgspec import Struct

from postroad.trust.tls_report.report import TlsReport, encode_report


class ReportLetter(Struct, frozen=True):
    """From whom a report comes and to whom it goes; `submitter` is our domain, `date` and `message_id`
    are as header fields have them.
    """

    sender: str
    recipient: str
    submitter: str
    domain: str
    day: str
    date: str
    message_id: str


def pack_report(report: TlsReport) -> bytes:
    """Return a report as ``application/tlsrpt+gzip``; the same report makes the same octets."""
    return gzip.compress(encode_report(report), mtime=0)


def write_letter(letter: ReportLetter, report: TlsReport) -> bytes:
    """Return the whole message, lines ended by CRLF."""
    message = EmailMessage(policy=SMTP.clone(max_line_length=998))
    message["From"] = letter.sender
    message["To"] = letter.recipient
    message["Date"] = letter.date
    message["Message-ID"] = letter.message_id
    message["Subject"] = (
        f"Report Domain: {letter.domain} Submitter: {letter.submitter} "
        f"Report-ID: <{report.report_id}>"
    )
    message["TLS-Report-Domain"] = letter.domain
    message["TLS-Report-Submitter"] = letter.submitter
    # RFC 8460 §3: a report of broken TLS must get through broken TLS; RFC 8689 §3 has the words.
    message["TLS-Required"] = "No"
    message["Auto-Submitted"] = "auto-generated"
    good = sum(each.summary.total_successful_session_count for each in report.policies)
    bad = sum(each.summary.total_failure_session_count for each in report.policies)
    message.set_content(
        f"This is an aggregate TLS report (RFC 8460) about mail for {letter.domain}\n"
        f"on {letter.day} (UTC) from {letter.submitter}.\n\n"
        f"Sessions that went well: {good}\nSessions that failed: {bad}\n"
    )
    begin = int(datetime.fromisoformat(letter.day).replace(tzinfo=UTC).timestamp())
    message.add_attachment(
        pack_report(report),
        maintype="application",
        subtype="tlsrpt+gzip",
        # RFC 8460 §5.1
        filename=f"{letter.submitter}!{letter.domain}!{begin}!{begin + 86_399}!1.json.gz",
    )
    message.replace_header("Content-Type", "multipart/report")
    message.set_param("report-type", "tlsrpt")
    message.set_boundary("=_tls-report")
    return message.as_bytes()
