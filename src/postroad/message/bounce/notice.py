"""What a message that came back tells: who did not get which message and why, or who complained."""

from enum import Enum

from msgspec import Struct

from postroad.message.bounce.classify import parse_reply
from postroad.message.bounce.delivery_status import DeliveryReport, read_delivery_status
from postroad.message.bounce.feedback import FeedbackReport, read_feedback, returned_header
from postroad.message.bounce.odd import read_odd_bounce
from postroad.message.bounce.words import text_for_people, words_about
from postroad.message.header import Header
from postroad.message.parts import parts_of
from postroad.model import Reply

MAX_READ_OCTETS = 1_048_576
"""Of a larger message only so much is read: what tells stands at its beginning."""


class Form(Enum):
    """How a notice was written."""

    DELIVERY_STATUS = "delivery-status"
    FEEDBACK = "feedback"
    WORDS = "words"


class NoticeRecipient(Struct, frozen=True, kw_only=True):
    """One address and what became of it: `failed`, or delayed (neither `failed` nor `delivered`).

    In a notice of the form `FEEDBACK` the address complained. `status` (RFC 3463), `diagnostic` (the
    other server's words, or those that the notice has for people) and `remote_mta` are ``""`` where the
    notice does not tell.
    """

    address: str
    failed: bool = False
    delivered: bool = False
    status: str = ""
    diagnostic: str = ""
    remote_mta: str = ""


class Notice(Struct, frozen=True, kw_only=True):
    """A bounce or a complaint. `message_id` is that of the message it is about, with brackets, ``""``
    where it does not come with it; `envelope_id` and `reporting_mta` as in RFC 3464 §2.2.

    `feedback_type` is that of a complaint (`FeedbackReport.feedback_type`), `return_paths` are those
    that the mail complained of left under, as far as it tells.
    """

    form: Form
    recipients: tuple[NoticeRecipient, ...]
    message_id: str = ""
    envelope_id: str = ""
    reporting_mta: str = ""
    feedback_type: str = ""
    return_paths: tuple[str, ...] = ()


def read_notice(message: bytes) -> Notice | None:
    """Return what a message tells of one of ours, None where it is no bounce and no complaint.

    Reads RFC 3464, RFC 5965 and what `flufl.bounce` knows. Never raises; time and memory are bounded.
    """
    message = message[:MAX_READ_OCTETS]
    if message.count(b"\r\n") != message.count(b"\n"):  # a file from a system where lines end in LF
        message = message.replace(b"\r\n", b"\n").replace(b"\n", b"\r\n")
    parts = list(parts_of(message))
    returned = returned_header(parts)
    message_id = (returned.get("message-id") or "")[:998]
    feedback = read_feedback(parts)
    if feedback is not None:
        return _complaint(feedback, message_id, returned)
    report = read_delivery_status(parts)
    words = text_for_people(parts)
    if report is not None and report.recipients:
        return _bounce(report, message_id, words)
    odd = read_odd_bounce(message, parts)
    if not odd:
        return None
    late = tuple(each for each in odd.delayed if each not in odd.failed)
    return Notice(
        form=Form.WORDS,
        recipients=(
            *(_in_words(each, True, words) for each in odd.failed),
            *(_in_words(each, False, words) for each in late),
        ),
        message_id=message_id,
    )


def _complaint(report: FeedbackReport, message_id: str, returned: Header) -> Notice:
    path = (returned.get("return-path") or "")[:998].strip("<> ")
    return Notice(
        form=Form.FEEDBACK,
        recipients=tuple(NoticeRecipient(address=each) for each in report.addresses),
        message_id=message_id,
        reporting_mta=report.reported_by,
        feedback_type=report.feedback_type,
        return_paths=tuple(filter(None, (report.original_mail_from, path))),
    )


def reply_of(said: NoticeRecipient) -> Reply | None:
    """Return the reply of a failure or delay that a notice tells of, None where it tells no reason.

    Words that quote no reply stand for one that is permanent or temporary as the notice says.
    """
    if not said.diagnostic and not said.status:
        return None
    status = said.status or ("5.0.0" if said.failed else "4.0.0")
    reply = parse_reply(said.diagnostic, status)
    if reply is None or reply.code < 400:
        reply = parse_reply(status)
    return reply if reply is not None and reply.code >= 400 else None


def _in_words(address: str, failed: bool, words: str) -> NoticeRecipient:
    return NoticeRecipient(address=address, failed=failed, diagnostic=words_about(address, words))


def _bounce(report: DeliveryReport, message_id: str, words: str) -> Notice:
    return Notice(
        form=Form.DELIVERY_STATUS,
        recipients=tuple(
            NoticeRecipient(
                address=each.address,
                failed=each.failed,
                delivered=not each.failed and not each.delayed,
                status=each.status,
                diagnostic=each.diagnostic or words_about(each.address, words),
                remote_mta=each.remote_mta,
            )
            for each in report.recipients
        ),
        message_id=message_id,
        envelope_id=report.envelope_id,
        reporting_mta=report.reporting_mta,
    )
