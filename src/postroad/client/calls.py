"""The calls about messages. Without I/O: both clients send these."""

import re
import secrets
from collections.abc import Sequence
from datetime import datetime
from email.message import Message as MimeMessage
from email.policy import SMTP
from typing import TypeVar
from urllib.parse import urlencode, urlsplit

import msgspec
from msgspec import Struct

from postroad.client import call
from postroad.client.call import JSON, Call, given, moment, part, reader
from postroad.client.shapes import (
    BatchItem,
    Message,
    Page,
    Receipt,
    Steered,
    TracedMessage,
)

T = TypeVar("T")

_KEY = re.compile(r"[!-~]{1,255}")
_TOKEN = re.compile(r"[!-~]+")
_MAX_QUERY_OCTETS = 60_000  # a server reads 64 KiB of request line and header


class Search(Struct, frozen=True, kw_only=True):
    """What messages to find: those that fit all that is asked; see the how-to, "Finding"."""

    recipient: str | None = None
    subject: str | None = None
    tags: Sequence[str] = ()
    metadata: Sequence[tuple[str, str]] = ()
    states: Sequence[str] = ()
    after: datetime | None = None
    before: datetime | None = None
    page_size: int = 50

    def page(self, cursor: str | None) -> Call[Page]:
        """Return the call for one page."""
        pairs: list[tuple[str, str]] = [("limit", str(self.page_size))]
        pairs += [("tag", tag) for tag in self.tags]
        pairs += [("metadata", f"{name}={value}") for name, value in self.metadata]
        pairs += [("status", state) for state in self.states]
        pairs += given(
            recipient=self.recipient,
            subject=self.subject,
            after=moment("after", self.after),
            before=moment("before", self.before),
            cursor=cursor,
        )
        return Call(
            method="GET",
            path="/messages",
            read=reader(Page),
            repeatable=True,
            query=urlencode(pairs),
        )


def base_of(url: str) -> str:
    """Return where the API is on a server: ``https://mail.example.org``. Raises ValueError."""
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.hostname or parts.query:
        raise ValueError(f"not the address of a server, as https://mail.example.org: {url!r}")
    return url.rstrip("/").removesuffix("/api/v1") + "/api/v1"


def authorization(token: str) -> dict[str, str]:
    """Return the header field with an API key. Raises ValueError."""
    if _TOKEN.fullmatch(token) is None:
        raise ValueError("the API key has other characters than a key has, or none")
    return {"Authorization": f"Bearer {token}"}


def send(message: Message, key: str | None) -> Call[Receipt]:
    """Send one message. Raises ValueError."""
    moment("send_at", message.send_at)
    return _post("/messages", Receipt, msgspec.json.encode(message), key)


def send_batch(messages: Sequence[Message], key: str | None) -> Call[list[BatchItem]]:
    """Send many. Raises ValueError."""
    for message in messages:
        moment("send_at", message.send_at)
    return _post("/messages/batch", list[BatchItem], msgspec.json.encode(messages), key)


def send_raw(
    message: bytes | MimeMessage,
    sender: str,
    recipients: Sequence[str],
    tags: Sequence[str],
    stream: str | None,
    send_at: datetime | None,
    ttl: int | None,
    key: str | None,
) -> Call[Receipt]:
    """Send what is written already. Raises ValueError."""
    pairs = [("from", sender), *(("to", each) for each in recipients)]
    pairs += [("tag", tag) for tag in tags]
    pairs += given(
        stream=stream,
        send_at=moment("send_at", send_at),
        ttl=None if ttl is None else str(ttl),
    )
    query = urlencode(pairs)
    if len(query) > _MAX_QUERY_OCTETS:
        raise ValueError(f"{len(recipients)} recipients are too many for one message: divide them")
    data = message if isinstance(message, bytes) else message.as_bytes(policy=SMTP)
    return _post("/messages/raw", Receipt, data, key, query, "message/rfc822")


def get(id_: str) -> Call[TracedMessage]:
    """One message with its journey."""
    return call.get(f"/messages/{part(id_)}", TracedMessage)


def steer(id_: str, what: str, send_at: datetime | None = None) -> Call[Steered]:
    """Change what happens to a message. It is not asked again where no answer came: the second time it
    may be too late, though the first did it.
    """
    body = None if send_at is None else {"send_at": moment("send_at", send_at)}
    return call.post(f"/messages/{part(id_)}/{what}", Steered, body)


def _post(
    path: str,
    kind: type[T],
    body: bytes,
    key: str | None,
    query: str = "",
    media_type: str = JSON,
) -> Call[T]:
    if key is not None and _KEY.fullmatch(key) is None:
        raise ValueError("an idempotency key is 1 to 255 printable ASCII characters, no space")
    return Call(
        method="POST",
        path=path,
        read=reader(kind),
        repeatable=True,
        query=query,
        body=body,
        media_type=media_type,
        key=key or secrets.token_urlsafe(24),
    )
