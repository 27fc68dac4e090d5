"""What goes in and out of the routes of messages, as JSON; the description of the API is made of it."""

from datetime import datetime
from typing import Annotated, Any, TypeAlias

import msgspec
from msgspec import Meta, Struct

MAX_TAGS = 20
MAX_METADATA = 50

_Line = Annotated[str, Meta(max_length=998)]
_Text = Annotated[str, Meta(max_length=2**28)]
Tag = Annotated[str, Meta(min_length=1, max_length=64)]


class PersonIn(Struct, frozen=True, forbid_unknown_fields=True):
    """An address, with the name to show."""

    address: Annotated[str, Meta(max_length=320, examples=["bob@example.org"])]
    name: Annotated[str, Meta(max_length=998)] = ""


Who: TypeAlias = (
    Annotated[str, Meta(max_length=1400, examples=["Bob <bob@example.org>"])] | PersonIn
)
"""``bob@example.org``, ``Bob <bob@example.org>``, or an object."""

People: TypeAlias = (
    Annotated[str, Meta(max_length=1400, examples=["Bob <bob@example.org>"])]
    | PersonIn
    | Annotated[list[Who], Meta(max_length=100_000)]
)


class AttachmentIn(Struct, frozen=True, forbid_unknown_fields=True):
    """A file in base 64. One with a `content_id` is shown in the HTML, as ``<img src="cid:...">``."""

    content: bytes
    filename: Annotated[str, Meta(max_length=255)] = ""
    content_type: Annotated[str, Meta(max_length=129)] = "application/octet-stream"
    content_id: Annotated[str, Meta(max_length=200)] = ""


class MessageIn(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A message to send. `send_at` is a time with its zone (RFC 3339); `ttl` is how many seconds to try
    to deliver it. Subject, text and HTML may come from a `template` instead, filled in with `data`.
    """

    from_: Who = msgspec.field(name="from")
    to: People = msgspec.field(default_factory=list)
    cc: People = msgspec.field(default_factory=list)
    bcc: People = msgspec.field(default_factory=list)
    reply_to: People = msgspec.field(default_factory=list)
    subject: _Line = ""
    text: _Text | None = None
    html: _Text | None = None
    template: Annotated[str, Meta(max_length=64)] | None = None
    data: dict[str, Any] | None = None
    attachments: Annotated[list[AttachmentIn], Meta(max_length=500)] = []
    headers: Annotated[dict[str, _Line], Meta(max_length=100)] = {}
    tags: Annotated[list[Tag], Meta(max_length=MAX_TAGS)] = []
    metadata: Annotated[
        dict[
            Annotated[str, Meta(min_length=1, max_length=64)],
            Annotated[str, Meta(max_length=500)],
        ],
        Meta(max_length=MAX_METADATA),
    ] = {}
    stream: Annotated[str, Meta(max_length=32)] | None = None
    send_at: Annotated[datetime, Meta(tz=True)] | None = None
    ttl: Annotated[int, Meta(ge=60, le=31_557_600)] | None = None


class Receipt(Struct, frozen=True):
    """A message that was taken. It is on stable storage: `durability` says how. `id` is ours,
    `message_id` that of its header; `ids` are more than `id` where each recipient has a copy.
    """

    id: str
    ids: list[str]
    message_id: str
    accepted_at: str
    durability: str


class BatchItem(Struct, frozen=True, omit_defaults=True):
    """What became of one message of a batch: `status` 202 and its receipt, or a problem."""

    status: int
    receipt: Receipt | None = None
    problem: msgspec.Raw | None = None


class DeliveryOut(Struct, frozen=True, omit_defaults=True):
    """How one recipient stands. `reply` is the newest one of a server; `due_at` is there while it
    waits.
    """

    recipient: str
    state: str
    attempts: int = 0
    due_at: str | None = None
    reply: str | None = None


class MessageOut(Struct, frozen=True):
    """A message, and how its recipients stand."""

    id: str
    message_id: str
    sender: str = msgspec.field(name="from")
    subject: str
    tags: list[str]
    metadata: dict[str, str]
    stream: str
    accepted_at: str
    send_at: str | None
    deliveries: list[DeliveryOut]


class JourneyEventOut(Struct, frozen=True):
    """One thing that happened."""

    at: str
    what: str
    text: str


class MessageWithJourney(MessageOut, frozen=True, kw_only=True):
    """A message with all that happened to it."""

    journey: list[JourneyEventOut]


class MessagesPage(Struct, frozen=True):
    """Messages, the newest first. `next_cursor` is the ``cursor`` of the next page, null at the end."""

    messages: list[MessageOut]
    next_cursor: str | None


class Steered(Struct, frozen=True):
    """How many recipients it came to pass for, and how the message stands now."""

    changed: int
    message: MessageOut


class RescheduleIn(Struct, frozen=True, forbid_unknown_fields=True):
    """When to send instead, with the zone (RFC 3339)."""

    send_at: Annotated[datetime, Meta(tz=True)]
