"""Reading feedback reports (ARF, RFC 5965): somebody called a message of ours spam.

Also the form of Outlook.com's Junk Mail Reporting Program, which is the message alone with a field that
tells who complained. Tolerant and bounded; never raises for what is in a report.
"""

from collections.abc import Sequence

from msgspec import Struct

from postroad.message.header import Header
from postroad.message.parts import Part

MAX_TEXT = 1_000
MAX_ADDRESSES = 100

_RETURNED = frozenset(
    {
        "message/rfc822",
        "message/global",
        "text/rfc822-headers",
        "message/rfc822-headers",
        "message/global-headers",
    }
)
_NONE = Header(())


class FeedbackReport(Struct, frozen=True):
    """A complaint. `feedback_type` is in lower case: ``abuse``, ``fraud``, ``virus``, ``other``,
    ``not-spam``, ``auth-failure``, ``opt-out`` (RFC 5965 §7.3).

    `addresses` are who complained: those that the report names (RFC 5965 §3.2, Original-Rcpt-To), else
    the one in the To of the message complained about. Many providers name nobody.
    """

    feedback_type: str
    addresses: tuple[str, ...]
    reported_by: str = ""
    original_mail_from: str = ""
    source_ip: str = ""
    arrival_date: str = ""


def read_feedback(parts: Sequence[Part]) -> FeedbackReport | None:
    """Return the complaint that a message with these leaves is, None where it is none."""
    about = returned_header(parts)
    for part in parts:
        if part.media_type == "message/feedback-report":
            fields = _fields(part.body)
            named = [_address(each) for each in fields.get_all("original-rcpt-to")[:MAX_ADDRESSES]]
            return FeedbackReport(
                feedback_type=_text(fields.get("feedback-type")).lower(),
                addresses=tuple(dict.fromkeys(filter(None, named))) or _only_recipient(about),
                reported_by=_text(fields.get("user-agent")),
                original_mail_from=_address(fields.get("original-mail-from")),
                source_ip=_text(fields.get("source-ip")),
                arrival_date=_text(fields.get("arrival-date") or fields.get("received-date")),
            )
    outlook = _address(about.get("x-hmxmroriginalrecipient"))
    return FeedbackReport("abuse", (outlook,), "Outlook.com JMRP") if outlook else None


def returned_header(parts: Sequence[Part]) -> Header:
    """Return the header of the message that a report gives back; without fields where it gives none."""
    for part in parts:
        if part.media_type in _RETURNED:
            return _fields(part.body)
    return _NONE


def _only_recipient(about: Header) -> tuple[str, ...]:
    """Who the message was to, if to one only: with more nobody knows who complained."""
    to = _text(about.get("to"))
    if "," in to or ";" in to or to.count("@") != 1:
        return ()
    address = _address(to)
    return (address,) if address else ()


def _address(value: str | None) -> str:
    text = _text(value)
    opened = text.rfind("<")
    if opened >= 0:
        text = text[opened + 1 :].partition(">")[0]
    text = text.strip()
    return text if "@" in text and " " not in text else ""


def _fields(text: bytes) -> Header:
    """The fields of a part, which may begin with blank lines and lack one behind them."""
    text = text[:262_144].replace(b"\r\n", b"\n").lstrip(b"\n").replace(b"\n", b"\r\n")
    return Header.parse(text if b"\r\n\r\n" in text else text + b"\r\n\r\n")


def _text(value: str | None) -> str:
    return (value or "").strip()[:MAX_TEXT]
