"""Delivery status notifications: what became of a message, for its sender to read.

RFC 3464 in an RFC 6522 multipart/report; the parameters of RFC 3461; RFC 6533 where addresses are
beyond ASCII. Everything foreign in it (reply texts, ENVID, ORCPT, the returned message) is made safe
first: it can neither end a line nor start a field nor close a part.
"""

import re
from enum import Enum

from msgspec import Struct

from postroad.message.header import Header
from postroad.message.trace import make_message_id, rfc5322_date
from postroad.message.xtext import decode_orcpt, decode_xtext
from postroad.model import Address, Body, Reply, format_id

MAX_LINE_OCTETS = 998  # RFC 5322 §2.1.1
_WIDTH = 76
_BARE_LINE_END = re.compile(rb"\r(?!\n)|(?<!\r)\n|\0")
_LONG_LINE = re.compile(rb"[^\n]{%d}" % (MAX_LINE_OCTETS + 2))
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]")
_MESSAGE_ID = re.compile(r"<[!-;=?-~]{1,250}>")


class Action(Enum):
    """What happened to a recipient (RFC 3464 §2.3.3)."""

    FAILED = "failed"
    DELAYED = "delayed"
    DELIVERED = "delivered"
    RELAYED = "relayed"
    EXPANDED = "expanded"


class RecipientReport(Struct, frozen=True, kw_only=True):
    """One recipient. `orcpt` is still in xtext; `remote_mta` is the server that said `reply`, or ``""``.

    `status` (RFC 3463) is taken from the reply where it is ``""``. Times are seconds since 1970.
    """

    recipient: Address
    original: Address
    action: Action
    reply: Reply
    orcpt: str | None = None
    status: str = ""
    remote_mta: str = ""
    last_attempt_at: float | None = None
    will_retry_until: float | None = None


class Report(Struct, frozen=True, kw_only=True):
    """All that a notification tells. `id` and `at` are its own; `about` is the message it is about.

    `returned` is the header of that message, or with `full` all of it. `envid` is still in xtext.
    """

    id: int
    at: float
    hostname: str
    to: Address
    about: int
    arrived_at: float
    recipients: tuple[RecipientReport, ...]
    message_id: str = ""
    envid: str | None = None
    returned: bytes = b""
    full: bool = False
    smtputf8: bool = False


class Notification(Struct, frozen=True):
    """A finished notification, and what the envelope that carries it must declare."""

    data: bytes
    message_id: str
    body: Body
    smtputf8: bool


def build_dsn(report: Report) -> Notification:
    """Return the notification; lines end in CRLF, and none is longer than 998 octets.

    A `returned` message that cannot be embedded (bare CR or LF, NUL, over-long lines) shrinks to its
    header, without the fields that are the trouble.
    """
    utf8 = report.smtputf8 or not all(
        each.recipient.is_ascii and each.original.is_ascii for each in report.recipients
    )
    human = _human_part(report)
    status = _status_part(report, utf8)
    returned = _returned_part(report, utf8)
    boundary = f"=_{format_id(report.id)}"
    everything = human + status + returned
    while boundary.encode() in everything:
        boundary += "_"
    message_id = make_message_id(report.id, report.hostname)
    eight_bit = not everything.isascii()
    head = _head(report, message_id, boundary, eight_bit)
    line = f"--{boundary}\r\n".encode()
    data = b"".join(
        (
            head,
            line,
            human,
            b"\r\n",
            line,
            status,
            b"\r\n",
            line,
            returned,
            b"\r\n",
            line[:-2],
            b"--\r\n",
        )
    )
    return Notification(
        data,
        message_id,
        Body.SEVEN_BIT if data.isascii() else Body.EIGHT_BIT_MIME,
        not head.isascii(),
    )


def _head(report: Report, message_id: str, boundary: str, eight_bit: bool) -> bytes:
    lines = [
        f"From: Mail Delivery System <mailer-daemon@{report.hostname}>",
        f"To: <{report.to}>",
        f"Subject: {_SUBJECTS[_gravest(report)]}",
        f"Date: {rfc5322_date(report.at)}",
        f"Message-ID: {message_id}",
        # RFC 3834 §5.1: an answer made by a machine, to which no machine may answer.
        "Auto-Submitted: auto-replied",
    ]
    if _MESSAGE_ID.fullmatch(report.message_id):
        lines += [f"In-Reply-To: {report.message_id}", f"References: {report.message_id}"]
    lines += [
        "MIME-Version: 1.0",
        f'Content-Type: multipart/report; report-type=delivery-status;\r\n\tboundary="{boundary}"',
    ]
    if eight_bit:
        lines.append("Content-Transfer-Encoding: 8bit")
    lines += ["", "This is a delivery status notification in MIME format (RFC 3464).", "", ""]
    return "\r\n".join(lines).encode()


def _human_part(report: Report) -> bytes:
    action = _gravest(report)
    lines = [f"This is the mail system at {report.hostname}.", ""]
    lines += wrap(_STORIES[action])
    advice: list[str] = []
    for each in report.recipients:
        lines += ["", f"<{each.original}>"]
        if each.recipient != each.original:
            lines.append(f"    (sent on to <{each.recipient}>)")
        who = f"{_clean(each.remote_mta)} said" if each.remote_mta else "Reason"
        said = str(each.reply) if each.remote_mta else each.reply.text.replace("\n", " ")
        lines += wrap(f"{who}: {_clean(said or str(each.reply))}", "    ")
        if each.will_retry_until is not None:
            lines += wrap(f"We go on trying until {rfc5322_date(each.will_retry_until)}.", "    ")
        hint = _advice(each)
        if hint and hint not in advice:
            advice.append(hint)
    if advice:
        lines += ["", "What you can do:"]
        for hint in advice:
            lines += wrap(f"- {hint}", "  ")
    lines += ["", f"Your message came to us on {rfc5322_date(report.arrived_at)}"]
    lines += [f"and has the queue id {format_id(report.about)} here; please give it when you ask"]
    lines += [f"<postmaster@{report.hostname}> about it.", ""]
    text = "\r\n".join(lines).encode()
    charset, encoding = ("us-ascii", "7bit") if text.isascii() else ("utf-8", "8bit")
    head = (
        f"Content-Type: text/plain; charset={charset}\r\nContent-Transfer-Encoding: {encoding}\r\n"
        "Content-Description: Notification\r\n\r\n"
    )
    return head.encode() + text


def _status_part(report: Report, utf8: bool) -> bytes:
    """RFC 3464 §2.2 and §2.3; RFC 6533 §4 where `utf8`."""
    fields = [f"Reporting-MTA: dns; {report.hostname}"]
    if report.envid:
        fields.append(f"Original-Envelope-Id: {_field_text(decode_xtext(report.envid), False)}")
    fields += [f"Arrival-Date: {rfc5322_date(report.arrived_at)}", ""]
    for each in report.recipients:
        if each.orcpt:
            fields.append(f"Original-Recipient: {_field_text(decode_orcpt(each.orcpt), utf8)}")
        kind = "rfc822" if each.recipient.is_ascii else "utf-8"
        fields.append(f"Final-Recipient: {kind}; {_field_text(str(each.recipient), utf8)}")
        fields.append(f"Action: {each.action.value}")
        fields.append(f"Status: {each.status or status_of(each.reply)}")
        if each.remote_mta:
            fields.append(f"Remote-MTA: dns; {_field_text(each.remote_mta, utf8)}")
        fields.append(f"Diagnostic-Code: smtp; {_field_text(str(each.reply), utf8)}")
        if each.last_attempt_at is not None:
            fields.append(f"Last-Attempt-Date: {rfc5322_date(each.last_attempt_at)}")
        if each.will_retry_until is not None:
            fields.append(f"Will-Retry-Until: {rfc5322_date(each.will_retry_until)}")
        fields.append("")
    data = "\r\n".join(fields).encode()
    kind = "message/global-delivery-status" if utf8 else "message/delivery-status"
    head = f"Content-Type: {kind}\r\n"
    if not data.isascii():
        head += "Content-Transfer-Encoding: 8bit\r\n"
    return head.encode() + b"Content-Description: Delivery report\r\n\r\n" + data


def _returned_part(report: Report, utf8: bool) -> bytes:
    data = report.returned
    if report.full and not _BARE_LINE_END.search(data) and not _LONG_LINE.search(data):
        kind = "message/global" if utf8 else "message/rfc822"
        about = "Undelivered message"
    else:
        kind = "message/global-headers" if utf8 else "text/rfc822-headers"
        about = "Header of the message"
        data = b"".join(
            field.raw
            for field in Header.parse(data).fields
            if field.raw.endswith(b"\r\n")
            and not _BARE_LINE_END.search(field.raw)
            and not _LONG_LINE.search(field.raw)
        )
    head = f"Content-Type: {kind}"
    if not utf8 and kind.startswith("text/") and not data.isascii():
        head += "; charset=utf-8"
    head += f"\r\nContent-Transfer-Encoding: {'7bit' if data.isascii() else '8bit'}\r\n"
    return f"{head}Content-Description: {about}\r\n\r\n".encode() + data


def status_of(reply: Reply) -> str:
    """Return the RFC 3463 status of a reply, derived from its code where it carries none."""
    return reply.enhanced or _STATUS_OF_CODE.get(reply.code, f"{reply.code // 100}.0.0")


def wrap(text: str, indent: str = "") -> list[str]:
    """Break `text` at spaces into lines of some 76 letters; a longer word is broken hard."""
    lines: list[str] = []
    line = ""
    for word in text.split(" "):
        while len(word) > 200:  # 200 letters are at most 800 octets
            if line:
                lines.append(indent + line)
            line, word = word[:200], word[200:]
        if line and len(indent) + len(line) + 1 + len(word) > _WIDTH:
            lines.append(indent + line)
            line = word
        else:
            line = f"{line} {word}" if line else word
    lines.append(indent + line)
    return lines


def _clean(text: str) -> str:
    return _CONTROL.sub("?", text)


def _field_text(text: str, utf8: bool) -> str:
    """Text as the body of a status field: no control characters, folded, ASCII unless `utf8`."""
    text = _clean(text)
    if not utf8:
        text = text.encode("ascii", "replace").decode("ascii")
    return "\r\n ".join(line for line in wrap(text) if line.strip()) or "?"


def _gravest(report: Report) -> Action:
    actions = {each.action for each in report.recipients}
    return next((action for action in Action if action in actions), Action.FAILED)


def _advice(each: RecipientReport) -> str:
    if each.action is Action.DELAYED:
        return "Nothing: your message is kept here and tried again. You need not send it again."
    if each.action is not Action.FAILED:
        return ""
    status = each.status or status_of(each.reply)
    return _ADVICE.get(status[1:], "") or _ADVICE.get(status[1:].rpartition(".")[0], _ADVICE[""])


_SUBJECTS = {
    Action.FAILED: "Undeliverable: your message could not be delivered",
    Action.DELAYED: "Delayed: your message is still on its way",
    Action.DELIVERED: "Delivered: your message has arrived",
    Action.RELAYED: "Relayed: your message was passed on",
    Action.EXPANDED: "Expanded: your message was sent on to a list",
}

_STORIES = {
    Action.FAILED: "Your message could not be delivered to the recipients named below. We have given "
    "up; they have not got it.",
    Action.DELAYED: "Your message has not been delivered yet to the recipients named below. This is "
    "only a warning: we go on trying.",
    Action.DELIVERED: "Your message was delivered to the mailboxes of the recipients named below. You "
    "asked for this notice.",
    Action.RELAYED: "Your message was passed on to the next mail server for the recipients named below. "
    "That server does not report deliveries, so this is the last we know. You asked for this notice.",
    Action.EXPANDED: "Your message was sent on to the members of the lists named below.",
}

_STATUS_OF_CODE = {
    421: "4.3.2",
    450: "4.2.0",
    451: "4.3.0",
    452: "4.3.1",
    551: "5.1.6",
    552: "5.2.2",
    553: "5.1.3",
}

# By the status without its class, first all of it, then its subject (RFC 3463).
_ADVICE = {
    "": "If this does not explain itself, send the report below to the postmaster of the recipient.",
    ".1": "Check the address for misspellings, and ask the recipient for the right one.",
    ".1.2": "Check the part of the address behind the @: there is no such domain that takes mail.",
    ".1.10": "The domain behind the @ takes no mail at all. Ask the recipient for another address.",
    ".2.1": "The mailbox is closed at present. Reach the recipient by another way.",
    ".2.2": "The mailbox is full. Tell the recipient by another way, and send the message again later.",
    ".2.3": "Send a smaller message, or share large files by another way.",
    ".3.4": "Send a smaller message, or share large files by another way.",
    ".4": "The other server could not be reached. Try again later, or reach the recipient otherwise.",
    ".4.7": "The other server could not be reached for long. Try again later, or tell the recipient.",
    ".6.7": "An address beyond ASCII is not understood there. Ask the recipient for a plain address.",
    ".7": "The other server refuses this message by its rules. Its words above say why; its postmaster "
    "can tell more.",
}
