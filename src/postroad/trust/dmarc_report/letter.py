"""The mail that carries an aggregate report (RFC 7489 §7.2.1.1, RFC 9990 §3.5)."""

import gzip
from email.message import EmailMessage
from email.policy import SMTP

from msgspec import Struct

from postroad.trust.dmarc_report.report import AggregateReport
from postroad.trust.dmarc_report.writing import write_aggregate


class Letter(Struct, frozen=True):
    """From whom a report comes and to whom it goes. `submitter` is our domain; `date` and `message_id`
    are as header fields have them.
    """

    sender: str
    recipient: str
    submitter: str
    date: str
    message_id: str


def report_filename(report: AggregateReport, submitter: str) -> str:
    """Return the file name that the receiver of a report expects."""
    return (
        f"{submitter}!{report.policy.domain}!{report.begin}!{report.end}!{report.report_id}.xml.gz"
    )


def write_letter(letter: Letter, report: AggregateReport) -> bytes:
    """Return the whole message, lines ended by CRLF. Raises `ValueError` for a line end in a name."""
    message = EmailMessage(policy=SMTP.clone(max_line_length=998))
    message["From"] = letter.sender
    message["To"] = letter.recipient
    message["Date"] = letter.date
    message["Message-ID"] = letter.message_id
    message["Subject"] = (
        f"Report Domain: {report.policy.domain} Submitter: {letter.submitter} "
        f"Report-ID: <{report.report_id}>"
    )
    message["Auto-Submitted"] = "auto-generated"
    message.set_content(
        f"This is a DMARC aggregate report for {report.policy.domain} from {letter.submitter}:\n"
        f"{report.messages} messages, {report.passed} passed, "
        f"{report.messages - report.passed} failed.\n"
    )
    message.add_attachment(
        gzip.compress(write_aggregate(report), mtime=0),  # the same report, the same octets
        maintype="application",
        subtype="gzip",
        filename=report_filename(report, letter.submitter),
    )
    message.set_boundary("=_dmarc-report")
    return message.as_bytes()
