"""Properties of emails and of their parts that come from the bytes (RFC 8621 §4.1)."""

import re
from collections.abc import Callable
from typing import Any

from msgspec import Struct

from postroad.mailbox.glance import address_json
from postroad.message.mime import MimeMessage, Part
from postroad.message.mime.forms import (
    as_addresses,
    as_date,
    as_groups,
    as_message_ids,
    as_raw,
    as_text,
    as_urls,
    date_text,
)
from postroad.wire.jmap import MethodError

_HEADER = re.compile(r"header:([!-9;-~]{1,200})(?::(as[A-Za-z]+))?(:all)?")


def _groups_json(value: bytes) -> list[dict[str, Any]]:
    return [
        {"name": group.name, "addresses": [address_json(each) for each in group.addresses]}
        for group in as_groups(value)
    ]


def _date_json(value: bytes) -> str | None:
    date = as_date(value)
    return None if date is None else date_text(date)


FORMS: dict[str, Callable[[bytes], Any]] = {
    "asRaw": as_raw,
    "asText": as_text,
    "asAddresses": lambda value: [address_json(each) for each in as_addresses(value)],
    "asGroupedAddresses": _groups_json,
    "asMessageIds": as_message_ids,
    "asDate": _date_json,
    "asURLs": as_urls,
}

_ADDRESS_FIELDS = frozenset(
    [
        "from",
        "sender",
        "reply-to",
        "to",
        "cc",
        "bcc",
        "resent-from",
        "resent-sender",
        "resent-reply-to",
        "resent-to",
        "resent-cc",
        "resent-bcc",
    ]
)
_ID_FIELDS = frozenset(["message-id", "in-reply-to", "references", "resent-message-id"])
_DATE_FIELDS = frozenset(("date", "resent-date"))
_URL_FIELDS = frozenset(
    ["list-help", "list-unsubscribe", "list-subscribe", "list-post", "list-owner", "list-archive"]
)
_TEXT_FIELDS = frozenset(("subject", "comments", "keywords", "list-id"))
_KNOWN = _ADDRESS_FIELDS | _ID_FIELDS | _DATE_FIELDS | _URL_FIELDS | _TEXT_FIELDS

CONVENIENT = {
    "messageId": ("message-id", "asMessageIds"),
    "inReplyTo": ("in-reply-to", "asMessageIds"),
    "references": ("references", "asMessageIds"),
    "sender": ("sender", "asAddresses"),
    "from": ("from", "asAddresses"),
    "to": ("to", "asAddresses"),
    "cc": ("cc", "asAddresses"),
    "bcc": ("bcc", "asAddresses"),
    "replyTo": ("reply-to", "asAddresses"),
    "subject": ("subject", "asText"),
    "sentAt": ("date", "asDate"),
}
"""Properties that are header fields by another name (RFC 8621 §4.1.3)."""


class HeaderWanted(Struct, frozen=True):
    """A property ``header:Name:asForm:all``; `name` is in lower case."""

    property: str
    name: str
    form: str
    all: bool


def parse_header_property(text: str) -> HeaderWanted:
    """Read the name of a header property (RFC 8621 §4.1.3). Raises `MethodError`."""
    match = _HEADER.fullmatch(text)
    form = (match and match[2]) or "asRaw"
    if match is None or form not in FORMS:
        raise MethodError("invalidArguments", f"there is no property {text[:80]!r}")
    name = match[1].lower()
    if not form_fits(name, form):
        raise MethodError("invalidArguments", f"{match[1][:80]} cannot be had {form}")
    return HeaderWanted(text, name, form, match[3] is not None)


def form_fits(name: str, form: str) -> bool:
    """Whether a field (lower case) may be asked for in that form (RFC 8621 §4.1.2); fields that no
    standard tells of may be in any.
    """
    if form == "asRaw" or name not in _KNOWN:
        return True
    return (
        name
        in {
            "asText": _TEXT_FIELDS,
            "asAddresses": _ADDRESS_FIELDS,
            "asGroupedAddresses": _ADDRESS_FIELDS,
            "asMessageIds": _ID_FIELDS,
            "asDate": _DATE_FIELDS,
            "asURLs": _URL_FIELDS,
        }[form]
    )


def header_value(wanted: HeaderWanted, fields: list[tuple[str, bytes]]) -> Any:
    """Return a header property: of the last field of that name, or of all; null if there is none."""
    values = [value for name, value in fields if name == wanted.name]
    form = FORMS[wanted.form]
    if wanted.all:
        return [form(value) for value in values]
    return form(values[-1]) if values else None


def headers_json(message: MimeMessage, part: Part) -> list[dict[str, str]]:
    """Return all header fields of a part, in order (RFC 8621 §4.1.3)."""
    found = []
    for field in message.header(part).fields:
        if field.name:
            value = field.raw.partition(b":")[2]
            found.append({"name": field.name, "value": as_raw(value)})
    return found
