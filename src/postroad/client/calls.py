"""Each call of the API as a value: what to ask, whether it may be asked twice, how to read the answer.
Without I/O: both clients send these.
"""

import re
import secrets
from collections.abc import Callable, Sequence
from datetime import datetime
from email.message import Message as MimeMessage
from email.policy import SMTP
from typing import Generic, TypeVar
from urllib.parse import quote, urlencode, urlsplit

import msgspec
from msgspec import Struct

from postroad.client.errors import Unreadable
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


class Call(Struct, Generic[T], frozen=True, kw_only=True):
    """One call. `repeatable`: asked twice, it is done once; so it is asked again where no answer
    came.
    """

    method: str
    path: str
    read: Callable[[bytes], T]
    repeatable: bool
    query: str = ""
    body: bytes = b""
    media_type: str = ""
    key: str | None = None

    @property
    def target(self) -> str:
        """Path and query."""
        return f"{self.path}?{self.query}" if self.query else self.path

    @property
    def headers(self) -> dict[str, str]:
        """What it has of its own."""
        found = {"Content-Type": self.media_type} if self.media_type else {}
        return found if self.key is None else found | {"Idempotency-Key": self.key}


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
        pairs += _given(
            recipient=self.recipient,
            subject=self.subject,
            after=_moment("after", self.after),
            before=_moment("before", self.before),
            cursor=cursor,
        )
        return _get("/messages", Page, urlencode(pairs))


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
    _moment("send_at", message.send_at)
    return _post("/messages", Receipt, msgspec.json.encode(message), key)


def send_batch(messages: Sequence[Message], key: str | None) -> Call[list[BatchItem]]:
    """Send many. Raises ValueError."""
    for message in messages:
        _moment("send_at", message.send_at)
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
    pairs += _given(
        stream=stream,
        send_at=_moment("send_at", send_at),
        ttl=None if ttl is None else str(ttl),
    )
    query = urlencode(pairs)
    if len(query) > _MAX_QUERY_OCTETS:
        raise ValueError(f"{len(recipients)} recipients are too many for one message: divide them")
    data = message if isinstance(message, bytes) else message.as_bytes(policy=SMTP)
    return _post("/messages/raw", Receipt, data, key, query, "message/rfc822")


def get(id_: str) -> Call[TracedMessage]:
    """One message with its journey."""
    return _get(_path(id_), TracedMessage)


def steer(id_: str, what: str, send_at: datetime | None = None) -> Call[Steered]:
    """Change what happens to a message. It is not asked again where no answer came: the second time it
    may be too late, though the first did it.
    """
    body = b"" if send_at is None else msgspec.json.encode({"send_at": _moment("send_at", send_at)})
    return Call(
        method="POST",
        path=f"{_path(id_)}/{what}",
        read=_reader(Steered),
        repeatable=False,
        body=body,
        media_type="application/json" if body else "",
    )


def _post(
    path: str,
    kind: type[T],
    body: bytes,
    key: str | None,
    query: str = "",
    media_type: str = "application/json",
) -> Call[T]:
    if key is not None and _KEY.fullmatch(key) is None:
        raise ValueError("an idempotency key is 1 to 255 printable ASCII characters, no space")
    return Call(
        method="POST",
        path=path,
        read=_reader(kind),
        repeatable=True,
        query=query,
        body=body,
        media_type=media_type,
        key=key or secrets.token_urlsafe(24),
    )


def _get(path: str, kind: type[T], query: str = "") -> Call[T]:
    return Call(method="GET", path=path, read=_reader(kind), repeatable=True, query=query)


def _reader(kind: type[T]) -> Callable[[bytes], T]:
    def read(body: bytes) -> T:
        try:
            return msgspec.json.decode(body, type=kind)
        except (msgspec.DecodeError, RecursionError) as error:
            raise Unreadable(f"the answer is none of the API: {error}") from error

    return read


def _path(id_: str) -> str:
    return f"/messages/{quote(id_, safe='')}"


def _given(**values: str | None) -> list[tuple[str, str]]:
    return [(name, value) for name, value in values.items() if value is not None]


def _moment(field: str, at: datetime | None) -> str | None:
    if at is None:
        return None
    if at.tzinfo is None:
        raise ValueError(f"{field} has no zone: say datetime(..., tzinfo=UTC)")
    return at.isoformat()
