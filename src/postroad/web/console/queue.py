"""The queue: looking, why something does not move, and changing many deliveries at once.

A change of many is one request whose answer is written while the work is done: a line of JSON for each
step (`Progress`). Who closes the connection stops it; what was done stays done.
"""

import contextlib
from collections.abc import AsyncGenerator, AsyncIterator, Sequence
from typing import Annotated, Any

import msgspec
from litestar import get, post
from litestar.params import FromPath, FromQuery, JSONBody, QueryParameter
from litestar.response import Stream
from litestar.types import ControllerRouterHandler
from msgspec import Meta, Struct

from postroad.model import DeliveryState, format_id
from postroad.ports import QueueFilter, QueueItem, StorageError
from postroad.service.bulk import BulkAction, Progress
from postroad.service.history import Hold
from postroad.service.journeys import category_of
from postroad.web.console.asked import Asked, common, message_in, operator_of
from postroad.web.console.desk import BASE, ConsoleDesk
from postroad.web.problem import invalid

MAX_LIMIT = 500
MAX_KEYS = 1000

Text = Annotated[str | None, QueryParameter(max_length=330)]
_WAITING = (DeliveryState.DUE, DeliveryState.LEASED, DeliveryState.HELD)


class QueueRow(Struct, frozen=True):
    """One delivery. `key` names it (``ID/N``); `held` says why it is held, where it is."""

    key: str
    id: str
    state: DeliveryState
    due_at: float
    accepted_at: float
    attempts: int
    stream: str
    sender: str
    recipient: str
    destination: str
    size: int
    last: str
    category: str | None
    held: str


class QueuePage(Struct, frozen=True):
    """Deliveries, the oldest message first. `counts` are of the whole queue, `fitting` of what fits;
    `next` goes into `after` of the request for the next page, null with the last one.
    """

    counts: dict[str, int]
    fitting: int
    deliveries: list[QueueRow]
    next: str | None


class FilterIn(Struct, frozen=True, forbid_unknown_fields=True):
    """As in the query of the list."""

    states: Annotated[list[DeliveryState], Meta(max_length=len(DeliveryState))] = []
    destination: Annotated[str, Meta(max_length=330)] = ""
    sender: Annotated[str, Meta(max_length=330)] = ""
    recipient: Annotated[str, Meta(max_length=330)] = ""


class JobIn(Struct, frozen=True, forbid_unknown_fields=True):
    """What to do, to the deliveries named by `keys` or else to all that fit `filter`."""

    action: BulkAction
    keys: Annotated[list[Annotated[str, Meta(max_length=40)]], Meta(max_length=MAX_KEYS)] = []
    filter: FilterIn | None = None


class WhyLine(Struct, frozen=True):
    """Why one delivery does not move, in a sentence."""

    ordinal: int
    recipient: str
    state: DeliveryState
    why: str


class WhyList(Struct, frozen=True):
    """One for each delivery of a message."""

    why: list[WhyLine]


def routes(desk: ConsoleDesk) -> Sequence[ControllerRouterHandler]:
    """Return the routes."""

    @get(f"{BASE}/queue", **common())
    async def list_queue(
        states: FromQuery[list[DeliveryState] | None] = None,
        destination: Text = None,
        sender: Text = None,
        recipient: Text = None,
        after: Annotated[str | None, QueryParameter(max_length=40)] = None,
        limit: Annotated[int, QueryParameter(ge=1, le=MAX_LIMIT)] = 100,
    ) -> QueuePage:
        """Deliveries that fit."""
        query = _query(states or [], destination, sender, recipient)
        place = _key(after) if after else (0, -1)
        page = msgspec.structs.replace(query, after=place, limit=limit + 1)
        items = await desk.desk.list(page)
        counts = await desk.desk.counts()
        shown_items = items[:limit]
        holds = await desk.desk.holds(each.delivery for each in shown_items)
        rows = [_row(desk, each, holds) for each in shown_items]
        return QueuePage(
            {state.value: count for state, count in counts.items()},
            await desk.desk.count(query),
            rows,
            rows[-1].key if len(items) > limit else None,
        )

    @get(f"{BASE}/queue/{{id_:str}}/why", **common())
    async def why(id_: FromPath[str]) -> WhyList:
        """Why a message does not move, or what became of it."""
        answers = await desk.why.of(message_in(id_), desk.looks())
        return WhyList(
            [WhyLine(each.ordinal, str(each.recipient), each.state, text) for each, text in answers]
        )

    @post(f"{BASE}/queue/jobs", **common(status_code=200))
    async def run_job(request: Asked, data: JSONBody[JobIn]) -> Stream:
        """Do it, and tell how far it is while it goes on."""
        by = operator_of(request)
        if data.keys:
            keys = [_key(each) for each in data.keys]
            work = desk.bulk.these(data.action, keys, by)
        elif data.filter is not None:
            wanted = data.filter
            query = _query(wanted.states, wanted.destination, wanted.sender, wanted.recipient)
            work = desk.bulk.all_that_fit(data.action, query, by)
        else:
            raise invalid("keys", "name deliveries, or give a filter")
        headers = {"X-Accel-Buffering": "no"}
        return Stream(_lines(work), media_type="application/x-ndjson", headers=headers)

    return [list_queue, why, run_job]


async def _lines(work: AsyncGenerator[Progress, None]) -> AsyncIterator[bytes]:
    """A line for each step; a last one with `error` where the store fails."""
    async with contextlib.aclosing(work):
        try:
            async for progress in work:
                yield msgspec.json.encode(progress) + b"\n"
        except StorageError as error:
            yield msgspec.json.encode({"error": str(error)}) + b"\n"


def _query(
    states: Sequence[DeliveryState],
    destination: str | None,
    sender: str | None,
    recipient: str | None,
) -> QueueFilter:
    return QueueFilter(
        states=tuple(states) or _WAITING,
        destination=(destination or "").strip().lower() or None,
        sender=(sender or "").strip() or None,
        recipient=(recipient or "").strip() or None,
    )


def _key(text: str) -> tuple[int, int]:
    message, slash, ordinal = text.partition("/")
    if not slash or not ordinal.isascii() or not ordinal.isdigit() or len(ordinal) > 9:
        raise invalid("keys", f"{text[:40]!r} is not of the form ID/N")
    return message_in(message), int(ordinal)


def _row(desk: ConsoleDesk, item: QueueItem, holds: dict[tuple[int, int], Hold]) -> QueueRow:
    message, delivery = item.message, item.delivery
    id_ = format_id(message.id)
    hold: Any = holds.get((message.id, delivery.ordinal))
    held = ""
    if hold is not None:
        held = "nobody knows whether it was delivered" if hold.unknown else f"by {hold.by}"
    return QueueRow(
        key=f"{id_}/{delivery.ordinal}",
        id=id_,
        state=delivery.state,
        due_at=delivery.due_at,
        accepted_at=message.accepted_at,
        attempts=delivery.attempts,
        stream=message.stream,
        sender=str(message.envelope.sender or ""),
        recipient=str(delivery.recipient),
        destination=delivery.destination,
        size=message.content.size,
        last=str(delivery.last) if delivery.last is not None else "",
        category=category_of(delivery, desk.classify),
        held=held,
    )
