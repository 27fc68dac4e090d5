"""Journeys: searching messages, and all that happened to one."""

from collections.abc import Sequence
from typing import Annotated, Any

import msgspec
from litestar import Response, get
from litestar.params import FromPath, QueryParameter
from litestar.types import ControllerRouterHandler
from msgspec import Struct

from postroad.model import Address, InvalidAddress, InvalidId, Message, format_id, parse_id
from postroad.service.errors import Refused
from postroad.web.console.asked import common, message_in
from postroad.web.console.desk import BASE, ConsoleDesk
from postroad.web.problem import Problem


class MessageRow(Struct, frozen=True):
    """One message that was found."""

    id: str
    message_id: str
    sender: str
    recipients: list[str]
    stream: str
    server: str
    size: int
    accepted_at: float


class MessageRows(Struct, frozen=True):
    """The newest first."""

    messages: list[MessageRow]


def routes(desk: ConsoleDesk) -> Sequence[ControllerRouterHandler]:
    """Return the routes."""

    @get(f"{BASE}/journeys", **common())
    async def find(
        q: Annotated[str, QueryParameter(max_length=1000)] = "",
        limit: Annotated[int, QueryParameter(ge=1, le=500)] = 100,
    ) -> MessageRows:
        """Messages by queue id, by address of sender or recipient, or by Message-ID; without `q` the
        newest.
        """
        return MessageRows([_row(each) for each in await _find(desk, q.strip(), limit)])

    @get(f"{BASE}/journeys/{{id_:str}}", **common())
    async def show(id_: FromPath[str]) -> Response[bytes]:
        """A message, its deliveries and its journey, as ``postroad journey --json``."""
        try:
            journey = await desk.journeys.of(message_in(id_))
        except Refused as error:
            raise Problem(404, "unknown-message", str(error)) from None
        plain: Any = journey.to_plain()
        return Response(msgspec.json.encode(plain), media_type="application/json")

    return [find, show]


async def _find(desk: ConsoleDesk, text: str, limit: int) -> Sequence[Message]:
    """A queue id has no sign in it that an address or a Message-ID needs."""
    if not text:
        return await desk.journeys.find(limit=limit)
    try:
        return [(await desk.journeys.of(parse_id(text))).message]
    except InvalidId:
        pass
    except Refused:
        return []
    if not text.startswith("<"):
        try:
            found = await desk.journeys.find(address=str(Address.parse(text)), limit=limit)
        except InvalidAddress:
            found = []
        if found:
            return found
    return await desk.journeys.find(message_id=text, limit=limit)


def _row(message: Message) -> MessageRow:
    return MessageRow(
        id=format_id(message.id),
        message_id=message.message_id,
        sender=str(message.envelope.sender or ""),
        recipients=[str(each.address) for each in message.envelope.recipients[:20]],
        stream=message.stream,
        server=message.origin.server.value,
        size=message.content.size,
        accepted_at=message.accepted_at,
    )
