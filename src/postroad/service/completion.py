"""What a client should have written into a header: Date and Message-ID (RFC 6409 §8)."""

import re

from postroad.message.trace import make_message_id, rfc5322_date

_MESSAGE_ID = re.compile(
    rb"^message-id[ \t]*:[ \t]*(?:\r\n[ \t]+)?(<[!-;=?-~]{1,990}>)", re.IGNORECASE | re.MULTILINE
)
_HAS_DATE = re.compile(rb"^date[ \t]*:", re.IGNORECASE | re.MULTILINE)
_HAS_MESSAGE_ID = re.compile(rb"^message-id[ \t]*:", re.IGNORECASE | re.MULTILINE)


def missing_fields(header: bytes, *, message: int, at: float, hostname: str) -> bytes:
    """Return the fields that are not there, ``b""`` where all are."""
    added = b""
    if not _HAS_DATE.search(header):
        added += b"Date: " + rfc5322_date(at).encode() + b"\r\n"
    if not _HAS_MESSAGE_ID.search(header):
        added += b"Message-ID: " + make_message_id(message, hostname).encode() + b"\r\n"
    return added


def message_id_of(header: bytes) -> str:
    """Return the Message-ID with its angle brackets, ``""`` where there is none that is well formed."""
    # To look for its place first takes a third of what searching by the expression does.
    at = header.lower().find(b"message-id")
    if at < 0:
        return ""
    found = _MESSAGE_ID.match(header, at) or _MESSAGE_ID.search(header, at)
    return found[1].decode("ascii") if found else ""
