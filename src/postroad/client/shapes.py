"""What goes to the server and what comes back, as typed values. Fields that a newer server adds are
passed over.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, TypeAlias

import msgspec
from msgspec import Struct


class Person(Struct, frozen=True, omit_defaults=True):
    """An address, with the name to show."""

    address: str
    name: str = ""


Who: TypeAlias = str | Person
"""``bob@example.org``, ``Bob <bob@example.org>``, or a `Person`."""


class Attachment(Struct, frozen=True, omit_defaults=True):
    """A file. One with a `content_id` is shown in the HTML, as ``<img src="cid:...">``."""

    content: bytes
    filename: str = ""
    content_type: str = "application/octet-stream"
    content_id: str = ""


class Message(Struct, frozen=True, omit_defaults=True, kw_only=True):
    """A message to send. `send_at` is a time with its zone; `ttl` is how many seconds to try to deliver
    it. Subject, text and HTML may come from a `template` instead, filled in with `data`.
    """

    from_: Who = msgspec.field(name="from")
    to: Who | Sequence[Who] = ()
    cc: Who | Sequence[Who] = ()
    bcc: Who | Sequence[Who] = ()
    reply_to: Who | Sequence[Who] = ()
    subject: str = ""
    text: str | None = None
    html: str | None = None
    template: str | None = None
    data: Mapping[str, Any] | None = None
    attachments: Sequence[Attachment] = ()
    headers: Mapping[str, str] = {}
    tags: Sequence[str] = ()
    metadata: Mapping[str, str] = {}
    stream: str | None = None
    send_at: datetime | None = None
    ttl: int | None = None


class FieldError(Struct, frozen=True):
    """What is wrong with one field. `field` is a path: ``to[0]``, ``attachments[1].content``."""

    field: str
    detail: str


class Problem(Struct, frozen=True):
    """Why the server refuses (RFC 9457 §3.1)."""

    type: str = "about:blank"
    title: str = ""
    status: int = 0
    detail: str = ""
    errors: tuple[FieldError, ...] = ()


class Receipt(Struct, frozen=True):
    """A message that the server has on stable storage; `durability` says how. `ids` are more than `id`
    where each recipient has a copy.
    """

    id: str
    ids: list[str]
    message_id: str
    accepted_at: datetime
    durability: str


class BatchItem(Struct, frozen=True):
    """What became of one message of a batch: a receipt (`status` 202), or a problem."""

    status: int
    receipt: Receipt | None = None
    problem: Problem | None = None


class Delivery(Struct, frozen=True):
    """How one recipient stands: `state` is due, leased, held, delivered, bounced, expired or dropped."""

    recipient: str
    state: str
    attempts: int = 0
    due_at: datetime | None = None
    reply: str | None = None


class SentMessage(Struct, frozen=True, kw_only=True):
    """A message that the server has, and how its recipients stand."""

    id: str
    message_id: str
    sender: str = msgspec.field(name="from")
    subject: str
    tags: list[str]
    metadata: dict[str, str]
    stream: str
    accepted_at: datetime
    send_at: datetime | None = None
    deliveries: list[Delivery]


class JourneyEvent(Struct, frozen=True):
    """One thing that happened to a message."""

    at: datetime
    what: str
    text: str


class TracedMessage(SentMessage, frozen=True, kw_only=True):
    """A message with all that happened to it."""

    journey: list[JourneyEvent]


class Page(Struct, frozen=True):
    """Messages, the newest first, and where the next page begins."""

    messages: list[SentMessage]
    next_cursor: str | None = None


class Steered(Struct, frozen=True):
    """For how many recipients something came to pass, and how the message stands now."""

    changed: int
    message: SentMessage
