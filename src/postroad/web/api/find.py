"""Looking: messages by what is known of them, and one message with its journey."""

import binascii
from collections.abc import Sequence
from datetime import datetime
from typing import Annotated, Any

from litestar import Request, get
from litestar.params import FromPath, FromQuery, QueryParameter
from litestar.types import ControllerRouterHandler

from postroad.model import (
    Address,
    ApiKey,
    ApiScope,
    Delivery,
    DeliveryState,
    InvalidAddress,
    InvalidId,
    Message,
    format_id,
    metadata_mark,
    parse_id,
    subject_marks,
    tag_mark,
)
from postroad.ports import MessageQuery
from postroad.web.api.moment import rfc3339
from postroad.web.api.shapes import (
    DeliveryOut,
    JourneyEventOut,
    MessageOut,
    MessagesPage,
    MessageWithJourney,
)
from postroad.web.explore import BASE
from postroad.web.keys import SECURITY, key_of, needs
from postroad.web.problem import Problem, invalid
from postroad.web.services import Services

_MAX_MARKS = 32
_SLACK = 10_000 << 21  # ten seconds, in ids
_WAITING = (DeliveryState.DUE, DeliveryState.HELD)


def routes(services: Services) -> Sequence[ControllerRouterHandler]:
    """Return the routes."""
    finder = Finder(services)
    read = {
        "guards": [needs(ApiScope.READ)],
        "security": SECURITY,
        "tags": ["messages"],
    }

    @get(f"{BASE}/messages", summary="Find messages", **read)  # type: ignore[arg-type]
    async def find(
        request: Request[Any, Any, Any],
        recipient: Annotated[str | None, QueryParameter(max_length=320)] = None,
        subject: Annotated[str | None, QueryParameter(max_length=998)] = None,
        tag: FromQuery[list[str] | None] = None,
        metadata: FromQuery[list[str] | None] = None,
        status: FromQuery[list[DeliveryState] | None] = None,
        after: FromQuery[datetime | None] = None,
        before: FromQuery[datetime | None] = None,
        limit: Annotated[int, QueryParameter(ge=1, le=200)] = 50,
        cursor: Annotated[str | None, QueryParameter(max_length=100)] = None,
    ) -> MessagesPage:
        """Messages that fit all that is asked, the newest first: of a `recipient`; with all words of
        `subject`; with each `tag` and each `metadata` (`name=value`); with a recipient in one of the
        states `status`; accepted from `after` on and before `before`.
        """
        marks = finder.marks(subject, tag or [], metadata or [])
        key = key_of(request)
        query = MessageQuery(
            recipient=_folded(recipient),
            marks=marks,
            states=tuple(status or ()),
            sender_domains=await finder.domains(key),
            # An id is made a little before the moment that its message counts as accepted.
            first=max(0, _id_at("after", after) - _SLACK) if after is not None else 0,
            last=min(
                _id_at("before", before) - 1 if before is not None else 2**63 - 1,
                _place_of(cursor) - 1,
            ),
        )
        return await finder.page(query, limit, after, before)

    @get(f"{BASE}/messages/{{id_:str}}", summary="A message with its journey", **read)  # type: ignore[arg-type]
    async def show(request: Request[Any, Any, Any], id_: FromPath[str]) -> MessageWithJourney:
        """How each recipient stands, and all that happened."""
        return await finder.show(id_, key_of(request))

    return [find, show]


class Finder:
    """Reads messages for keys."""

    def __init__(self, services: Services) -> None:
        self._services = services
        self._hosted: tuple[str, ...] = ()
        self._hosted_until = 0.0

    def marks(
        self, subject: str | None, tags: Sequence[str], metadata: Sequence[str]
    ) -> tuple[str, ...]:
        """Return the marks that are asked for. Raises `Problem`."""
        found = [tag_mark(tag) for tag in tags]
        for place, text in enumerate(metadata):
            name, equals, value = text.partition("=")
            if not equals:
                raise invalid(f"metadata[{place}]", "is of the form name=value")
            found.append(metadata_mark(name, value))
        found += subject_marks(subject or "")
        if len(found) > _MAX_MARKS:
            raise invalid("", f"more than {_MAX_MARKS} words and marks are asked for")
        return tuple(dict.fromkeys(found))

    async def domains(self, key: ApiKey) -> tuple[str, ...]:
        """Return the domains whose mail is the business of a key: it sees nothing of others. Those that
        are ours are not read again for a second.
        """
        if key.domains:
            return key.domains
        now = self._services.clock.monotonic()
        if now >= self._hosted_until:
            self._hosted = tuple([each.name for each in await self._services.domains.list()])
            self._hosted_until = now + 1.0
        return self._hosted

    async def page(
        self,
        query: MessageQuery,
        limit: int,
        after: datetime | None = None,
        before: datetime | None = None,
    ) -> MessagesPage:
        """Return the first messages that fit, accepted within these times."""
        if query.last < query.first or not query.sender_domains:
            return MessagesPage([], None)
        ids = await self._services.labels.find(query, limit + 1)
        found = [
            shape(message, deliveries)
            for message, deliveries in await self._services.queue.several(ids[:limit])
            if _within(message.accepted_at, after, before)
        ]
        more = len(ids) > limit
        return MessagesPage(found, _cursor(ids[limit - 1]) if more else None)

    async def get(self, text: str, key: ApiKey) -> tuple[Message, Sequence[Delivery]]:
        """Return a message that is the business of a key. Raises `Problem`."""
        try:
            number = parse_id(text)
        except InvalidId:
            raise _unknown(text) from None
        queue = self._services.queue
        message = await queue.message(number)
        sender = None if message is None else message.envelope.sender
        if message is None or sender is None or sender.domain not in await self.domains(key):
            raise _unknown(text)
        return message, await queue.deliveries(number)

    async def show(self, text: str, key: ApiKey) -> MessageWithJourney:
        """Return a message with its journey. Raises `Problem`."""
        message, deliveries = await self.get(text, key)
        journey = await self._services.journeys.of(message.id)
        out = shape(message, deliveries)
        values = {name: getattr(out, name) for name in out.__struct_fields__}
        lines = [JourneyEventOut(rfc3339(line.at), line.what, line.text) for line in journey.lines]
        return MessageWithJourney(**values, journey=lines)


def shape(message: Message, deliveries: Sequence[Delivery]) -> MessageOut:
    """Return a message as the API shows it."""
    label = message.label
    return MessageOut(
        id=format_id(message.id),
        message_id=message.message_id,
        sender=str(message.envelope.sender or ""),
        subject=label.subject if label else "",
        tags=list(label.tags) if label else [],
        metadata=dict(label.metadata) if label else {},
        stream=message.stream,
        accepted_at=rfc3339(message.accepted_at),
        send_at=rfc3339(message.release_at) if message.release_at else None,
        deliveries=[
            DeliveryOut(
                str(each.recipient),
                each.state.value,
                each.attempts,
                rfc3339(each.due_at) if each.state in _WAITING else None,
                str(each.last) if each.last is not None else None,
            )
            for each in deliveries
        ],
    )


def _folded(text: str | None) -> str:
    if not text:
        return ""
    try:
        return Address.parse(text).folded
    except InvalidAddress as error:
        raise invalid("recipient", str(error)) from None


def _within(at: float, after: datetime | None, before: datetime | None) -> bool:
    """Compared as they are shown, in milliseconds."""
    moment = round(at * 1_000_000) // 1000
    if after is not None and moment < round(after.timestamp() * 1000):
        return False
    return before is None or moment < round(before.timestamp() * 1000)


def _id_at(field: str, at: datetime) -> int:
    """Return the lowest id of that moment: the upper bits of ids are milliseconds."""
    if at.tzinfo is None:
        raise invalid(field, "has no zone; write 2026-11-25T15:00:00Z")
    return max(0, min(int(at.timestamp() * 1000), 2**42 - 1)) << 21


def _cursor(number: int) -> str:
    return binascii.b2a_hex(number.to_bytes(8, "big")).decode()


def _place_of(cursor: str | None) -> int:
    if cursor is None:
        return 2**63
    try:
        octets = binascii.a2b_hex(cursor)
    except (ValueError, UnicodeEncodeError):
        octets = b""
    number = int.from_bytes(octets, "big")
    if len(octets) != 8 or number >= 2**63:
        raise invalid("cursor", "is none of ours")
    return number


def _unknown(text: str) -> Problem:
    return Problem(404, "unknown-message", f"there is no message {text[:40]!r}")
