"""Reading delivery status notifications (RFC 3464), also those that keep to it only half.

Tolerant and bounded: what a report lacks is ``""``, what is beyond the bounds is left out. Never raises
for what is in a report.
"""

import re
from collections.abc import Iterable

from msgspec import Struct

from postroad.message.header import Header
from postroad.message.parts import Part

MAX_RECIPIENTS = 1_000
MAX_PART_OCTETS = 262_144
MAX_TEXT = 1_000

_MEDIA_TYPES = frozenset({"message/delivery-status", "message/global-delivery-status"})
_STATUS = re.compile(r"(?<![\d.])([245])\.(\d{1,3})\.(\d{1,3})(?![\d.])")
_LINE_END = re.compile(rb"\r\n|\r|\n")
# RFC 6533 §3, in a field of type utf-8.
_UNICODE_ESCAPE = re.compile(r"\\x\{(?:10|[0-9A-F])?[0-9A-F]{2,4}\}")


class RecipientStatus(Struct, frozen=True, kw_only=True):
    """The fields of one recipient (RFC 3464 §2.3).

    `original` is whom the sender wrote to, `final` whom the reporting server tried; both without their
    type and angle brackets. `action` is in lower case (``failed``, ``delayed``, ``delivered`` …),
    `status` an RFC 3463 code, `diagnostic` the words of the server `remote_mta`, without their type.
    """

    original: str = ""
    final: str = ""
    action: str = ""
    status: str = ""
    remote_mta: str = ""
    diagnostic: str = ""

    @property
    def address(self) -> str:
        """Whom the sender wrote to, as far as the report tells."""
        return self.original or self.final

    @property
    def failed(self) -> bool:
        """The recipient will not get the message."""
        # OpenSMTPD writes "error"; others add comments.
        return self.action.startswith(("fail", "error"))

    @property
    def delayed(self) -> bool:
        """The reporting server goes on trying."""
        return self.action.startswith("delayed")


class DeliveryReport(Struct, frozen=True):
    """All `message/delivery-status` parts of a message. `envelope_id` (RFC 3464 §2.2.1) is no xtext."""

    reporting_mta: str
    envelope_id: str
    recipients: tuple[RecipientStatus, ...]


def read_delivery_status(parts: Iterable[Part]) -> DeliveryReport | None:
    """Return what the status parts of a message say, None where it has none (RFC 3464 §2.1)."""
    reporting_mta = envelope_id = ""
    recipients: list[RecipientStatus] = []
    found = False
    for part in parts:
        if part.media_type not in _MEDIA_TYPES:
            continue
        found = True
        for group in _groups(part.body[:MAX_PART_OCTETS]):
            reporting_mta = reporting_mta or _typed(group.get("reporting-mta"))
            envelope_id = envelope_id or _text(group.get("original-envelope-id"))
            recipient = _recipient(group)
            if recipient is not None and len(recipients) < MAX_RECIPIENTS:
                recipients.append(recipient)
    return DeliveryReport(reporting_mta, envelope_id, tuple(recipients)) if found else None


def status_in(text: str) -> str:
    """Return the first RFC 3463 status code in some words, ``""`` where there is none."""
    match = _STATUS.search(text)
    return match[0] if match else ""


def _groups(body: bytes) -> list[Header]:
    """Blank lines part the message's fields from the recipients' (RFC 3464 §2.1)."""
    groups: list[Header] = []
    lines: list[bytes] = []
    for line in (*_LINE_END.split(body), b""):
        if line.strip():
            lines.append(line)
        elif lines:
            groups.append(Header.parse(b"\r\n".join(lines) + b"\r\n\r\n"))
            lines = []
            if len(groups) > MAX_RECIPIENTS:
                break
    return groups


def _recipient(group: Header) -> RecipientStatus | None:
    original = _address(group.get("original-recipient"))
    final = _address(group.get("final-recipient"))
    action = _text(group.get("action")).lower()
    if not (original or final) or not action:
        return None
    return RecipientStatus(
        original=original,
        final=final,
        action=action,
        status=status_in(_text(group.get("status"))),
        remote_mta=_typed(group.get("remote-mta")),
        diagnostic=_typed(group.get("diagnostic-code")),
    )


def _address(value: str | None) -> str:
    """The address of a field ``rfc822; jo@example.org``; some leave the type out, some add brackets."""
    kind, separator, rest = _text(value).partition(";")
    text = rest if separator else kind
    if kind.strip().lower() == "utf-8":
        text = _UNICODE_ESCAPE.sub(lambda match: chr(int(match[0][3:-1], 16)), text)
    text = text.strip()
    opened = text.find("<")
    if opened >= 0:
        text = text[opened + 1 :].partition(">")[0]
    return text.strip() if "@" in text else ""


def _typed(value: str | None) -> str:
    """The text behind the type of a field like ``smtp; 550 …``."""
    text = _text(value)
    kind, separator, rest = text.partition(";")
    return rest.strip() if separator and " " not in kind.strip() else text


def _text(value: str | None) -> str:
    return (value or "").strip()[:MAX_TEXT]
