"""Reading failure reports (RFC 6591, in the form of RFC 5965), and what some send instead."""

import re

from msgspec import Struct

from postroad.message.header import Header
from postroad.message.parts import Part, parts_of

_MAX_TEXT = 1_000
_SUBJECT = re.compile(r"dmarc.{0,20}(?:failure|forensic).{0,20}report", re.IGNORECASE)
_PLAIN = re.compile(r"^[ \t]*([A-Z][A-Za-z ]{2,40}):[ \t]*(\S.{0,400})$", re.MULTILINE)


class FailureReport(Struct, frozen=True):
    """One message that failed somewhere. ``""`` is what the report does not say.

    `structured` is False where it was read from words for people.
    """

    feedback_type: str
    reported_domain: str
    source_ip: str
    auth_failure: str = ""
    delivery_result: str = ""
    arrival_date: str = ""
    original_mail_from: str = ""
    original_rcpt_to: str = ""
    authentication_results: str = ""
    message_id: str = ""
    subject: str = ""
    author: str = ""
    structured: bool = True


def read_failure_report(message: bytes) -> FailureReport | None:
    """Return the failure report that a mail message is, None where it is none. Never raises."""
    parts = list(parts_of(message))
    about = _headers_of_reported(parts)
    for part in parts:
        if part.media_type == "message/feedback-report":
            return _structured(_fields(part.body), about)
    if _SUBJECT.search(Header.parse(message).get("subject") or ""):
        for part in parts:
            if part.media_type == "text/plain":
                found = _from_words(part.body, about)
                if found is not None:
                    return found
    return None


def _structured(fields: Header, about: Header) -> FailureReport:
    def get(name: str) -> str:
        return _cut(fields.get(name))

    return FailureReport(
        feedback_type=get("feedback-type").lower(),
        reported_domain=get("reported-domain").lower(),
        source_ip=get("source-ip"),
        auth_failure=get("auth-failure").lower(),
        delivery_result=get("delivery-result").lower(),
        arrival_date=get("arrival-date"),
        original_mail_from=get("original-mail-from").strip("<>"),
        original_rcpt_to=get("original-rcpt-to").strip("<>"),
        authentication_results=get("authentication-results"),
        message_id=get("message-id") or _cut(about.get("message-id")),
        subject=_cut(about.get("subject")),
        author=_cut(about.get("from")),
    )


def _from_words(body: bytes, about: Header) -> FailureReport | None:
    text = body[:65_536].decode("utf-8", "replace").replace("\r\n", "\n")
    said = {name.lower(): value.strip() for name, value in reversed(_PLAIN.findall(text))}
    if "sender domain" not in said or "sender ip address" not in said:
        return None
    if about is _NONE:
        # The header of the message follows in the same text, behind a line of hyphens.
        _, _, rest = text.partition("\n------")
        about = _fields(rest.partition("\n")[2].lstrip("\n").encode())
    return FailureReport(
        feedback_type="auth-failure",
        reported_domain=_cut(said["sender domain"]).lower(),
        source_ip=_cut(said["sender ip address"]),
        arrival_date=_cut(said.get("received date")),
        auth_failure="dmarc",
        message_id=_cut(about.get("message-id")),
        subject=_cut(about.get("subject")),
        author=_cut(about.get("from")),
        structured=False,
    )


_NONE = Header(())


def _headers_of_reported(parts: list[Part]) -> Header:
    for part in parts:
        if part.media_type in ("message/rfc822", "text/rfc822-headers", "message/rfc822-headers"):
            return _fields(part.body)
    return _NONE


def _fields(text: bytes) -> Header:
    """The fields of a part, which may begin with blank lines and lack one behind them."""
    text = text.replace(b"\r\n", b"\n").lstrip(b"\n").replace(b"\n", b"\r\n")
    return Header.parse(text if b"\r\n\r\n" in text else text + b"\r\n\r\n")


def _cut(text: str | None) -> str:
    return (text or "").strip()[:_MAX_TEXT]
