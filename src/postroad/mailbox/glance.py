"""Looks at a message as it is noticed (`model.Glance`): what lists, threads and searches need of it."""

import hashlib
import re
from datetime import datetime
from typing import Any

import msgspec

from postroad.message.mime import MimeMessage, NamedAddress, layout_of, text_of_message
from postroad.message.mime.forms import (
    as_addresses,
    as_date,
    as_message_ids,
    as_text,
    date_text,
)
from postroad.model import Glance, Words

READ_OCTETS = 262_144
"""Of a message no more is looked at."""

MAX_WORDS = 65_536
"""Letters of a message's text in which it is found."""

MAX_PREVIEW = 256
_MAX_LINE = 10_000
_MAX_REFERENCES = 50
_MAX_KEY = 200

# Re:, AW:, Fwd: and [lists], with counts, any number of them in front; and (fwd) behind.
_REPLY = re.compile(
    r"\s*+(?:(?:re|fwd?|aw|wg|sv|vs|antw|tr|odp|rv)\s*+(?:\[[0-9]{1,4}\])?\s*+:|\[[^\[\]]{1,80}\])",
    re.IGNORECASE,
)
_FORWARDED = re.compile(r"(?:\s|\(fwd\))++$", re.IGNORECASE)
_SPACES = re.compile(r"\s+")

_ADDRESSES = {
    "sender": "sender",
    "from": "from",
    "reply-to": "replyTo",
    "to": "to",
    "cc": "cc",
    "bcc": "bcc",
}
_IDS = {"message-id": "messageId", "in-reply-to": "inReplyTo", "references": "references"}


def look(data: bytes, *, email: int, thread: int, mailbox: int, uid: int) -> Glance:
    """Return the glance at an entry's first `READ_OCTETS`; `thread` is for one that begins one."""
    message = MimeMessage(data)
    summary, words = summarise(message)
    sent_at = summary.get("sentAt")
    subject = base_subject(summary["subject"] or "")
    return Glance(
        id=email,
        mailbox=mailbox,
        uid=uid,
        thread=thread,
        keys=_keys(summary, subject),
        sent_at=None if sent_at is None else datetime.fromisoformat(sent_at).timestamp(),
        attachment=has_attachment(message),
        author=_sortable(summary["from"]),
        addressee=_sortable(summary["to"]),
        subject=subject[:_MAX_KEY],
        summary=msgspec.json.encode(summary).decode(),
        words=words,
    )


def has_attachment(message: MimeMessage) -> bool:
    """Whether it has one that is not only shown within the text."""
    attachments = layout_of(message.root).attachments
    return any(part.disposition.value != "inline" for part in attachments)


def summarise(message: MimeMessage) -> tuple[dict[str, Any], Words]:
    """Return the properties of an email that lists show (RFC 8621 §4.1.3), and its words."""
    first: dict[str, bytes] = {}
    for name, value in message.fields():
        first.setdefault(name, value)
    summary: dict[str, Any] = {}
    for field, name in _IDS.items():
        summary[name] = as_message_ids(first[field]) if field in first else None
    texts: dict[str, str] = {}
    for field, name in _ADDRESSES.items():
        found = as_addresses(first[field]) if field in first else None
        summary[name] = None if found is None else [address_json(each) for each in found]
        texts[field] = " ".join(f"{each.name} {each.address}" for each in found or ())[:_MAX_LINE]
    subject = first.get("subject")
    summary["subject"] = None if subject is None else as_text(subject)[:_MAX_LINE]
    date = as_date(first["date"]) if "date" in first else None
    summary["sentAt"] = None if date is None else date_text(date)
    text = text_of_message(message, MAX_WORDS).text[:MAX_WORDS]
    summary["preview"] = preview_of(text)
    words = Words(
        author=texts["from"],
        to=texts["to"],
        cc=texts["cc"],
        bcc=texts["bcc"],
        subject=summary["subject"] or "",
        body=text,
    )
    return summary, words


def address_json(each: NamedAddress) -> dict[str, str | None]:
    """Return an EmailAddress (RFC 8621 §4.1.2.3)."""
    return {"name": each.name or None, "email": each.address}


def preview_of(text: str) -> str:
    """Return how a text begins, on one line."""
    return _SPACES.sub(" ", text[: 8 * MAX_PREVIEW]).strip()[:MAX_PREVIEW]


def base_subject(subject: str) -> str:
    """Return what a subject is about, without what replies and forwarding put around it."""
    rest = subject[:_MAX_LINE]
    while (match := _REPLY.match(rest)) is not None and match.end() < len(rest):
        rest = rest[match.end() :]
    rest = _FORWARDED.sub("", rest)
    return _SPACES.sub(" ", rest).strip().casefold()


def _keys(summary: dict[str, Any], subject: str) -> tuple[int, ...]:
    """Messages belong together that name the same message, under the same subject."""
    own = summary["messageId"] or []
    others = [*(summary["inReplyTo"] or []), *(summary["references"] or [])[::-1]]
    ids = dict.fromkeys([*own[:1], *others[:_MAX_REFERENCES]])
    return tuple(_hash(f"{each}\0{subject}") for each in ids)


def _hash(text: str) -> int:
    digest = hashlib.blake2b(text.encode("utf-8", "replace"), digest_size=8).digest()
    return int.from_bytes(digest, "big") >> 1


def _sortable(addresses: list[dict[str, str]] | None) -> str:
    if not addresses:
        return ""
    return (addresses[0]["name"] or addresses[0]["email"]).casefold()[:_MAX_KEY]
