"""`ports.QueueStore`: leasing goes through the writer, looking goes through the readers.

A lease walks the index of waiting deliveries from the longest due on. Where the head of that walk
belongs to destinations that are excluded, it looks at the head of each other destination instead, so
a million deliveries for one blocked destination do not hide the others and are not read either.
"""

import heapq
from collections.abc import Collection, Iterable, Sequence
from functools import partial
from typing import Any

import msgspec

from postroad.model import (
    Accepted,
    Delivery,
    DeliveryState,
    Dropped,
    Held,
    LeasedDelivery,
    Message,
    Reply,
    Retried,
    heir_of,
)
from postroad.ports import Lease, QueueFilter, QueueItem
from postroad.storage.search import fold
from postroad.storage.sql.batches import Batches
from postroad.storage.sql.connection import Connection, Database
from postroad.storage.sql.statements import SQL

WALK_ROWS = 2000  # about 2 ms of the event loop's time

_decode_accepted = msgspec.json.Decoder(Accepted).decode
_decode_steering = msgspec.json.Decoder(tuple[Held | Retried | Dropped]).decode
_decode_reply = msgspec.json.Decoder(Reply).decode
_STATES = {state.value: state for state in DeliveryState}


class SqlQueue:
    """Reads the queue, and leases from it. See `ports.QueueStore`. Raises `StorageError`."""

    def __init__(self, database: Database, writer: Batches) -> None:
        self._database = database
        self._writer = writer

    async def lease(
        self,
        *,
        now: float,
        until: float,
        node: str,
        limit: int,
        exclude: Collection[str] = (),
    ) -> list[LeasedDelivery]:
        """Lease up to `limit` deliveries that are due, the longest due first; durable on return."""

        def walk(connection: Connection) -> Any:
            rows = _walk(connection, now, limit, exclude)
            return rows if rows is None else _take(connection, rows, until, node)

        def seek(connection: Connection) -> Any:
            return _take(connection, _seek(connection, now, limit, exclude), until, node)

        if limit <= 0:
            return []
        taken = await self._writer.run(walk)
        if taken is None:
            taken = await self._writer.run(seek, long=True)
        return _leased(taken)

    async def leased_by(self, nodes: Collection[str]) -> list[tuple[str, LeasedDelivery]]:
        """Return all that is leased under these names, each with its name."""

        def read(connection: Connection) -> list[Any]:
            return [row for row in connection.execute(SQL["leased_all"]) if row[0] in nodes]

        found: dict[str, list[Any]] = {}
        for node, message, destination, text, *state in await self._database.browse(read):
            found.setdefault(node, []).append((message, destination, text, state, ""))
        return [(node, each) for node, taken in found.items() for each in _leased(taken)]

    async def nodes(self) -> list[str]:
        """Return the names under which deliveries are leased."""
        rows: Any = await self._database.browse(lambda c: c.execute(SQL["leased_nodes"]).fetchall())
        return [node for (node,) in rows]

    async def next_due(self, exclude: Collection[str] = ()) -> float | None:
        """Return when the next delivery is due (or its lease runs out), None where none waits."""
        rows = self._database.read(SQL["waiting_first"], (WALK_ROWS if exclude else 1,))
        for wake_at, destination in rows:
            if destination not in exclude:
                due_at: float = wake_at
                return due_at
        if len(rows) < WALK_ROWS:
            return None
        destinations = await self._database.browse(_destinations)
        return min((at for name, at in destinations if name not in exclude), default=None)

    async def message(self, message: int) -> Message | None:
        """Return an accepted message, also when it is done, while it is retained."""
        rows = self._database.read(SQL["message_get"], (message,))
        return _decode_accepted(rows[0][0]).message if rows else None

    async def deliveries(self, message: int) -> list[Delivery]:
        """Return all deliveries of a message, by ordinal."""
        rows = self._database.read(SQL["message_get"], (message,))
        if not rows:
            return []
        born = {delivery.ordinal: delivery for delivery in _decode_accepted(rows[0][0]).deliveries}
        states = self._database.read(SQL["delivery_states"], (message,))
        return [_as_it_stands(born[row[0]], row) for row in states]

    async def several(self, messages: Sequence[int]) -> list[tuple[Message, list[Delivery]]]:
        """Return messages with all their deliveries, in the order asked for."""
        return await self._database.browse(partial(_several, messages=messages))

    async def leases(self, message: int) -> list[Lease]:
        """Return who has deliveries of a message in hand, by ordinal."""
        rows = self._database.read(SQL["delivery_leases"], (message,))
        return [Lease(*row) for row in rows]

    async def find(self, query: QueueFilter) -> list[QueueItem]:
        """Return deliveries that fit, oldest message first."""
        sql, values = _find_statement(query)
        rows: Any = await self._database.browse(lambda c: c.execute(sql, values).fetchall())
        accepted = _Accepted()
        items = []
        for message, text, *state in rows:
            change = accepted.get(message, text)
            items.append(QueueItem(change.message, accepted.delivery(message, state)))
        return items

    async def count(self, query: QueueFilter) -> int:
        """Return how many deliveries fit."""
        sql, values = _count_statement(query)
        rows: Any = await self._database.browse(lambda c: c.execute(sql, values).fetchall())
        return int(rows[0][0])

    async def counts(self) -> dict[DeliveryState, int]:
        """Return how many deliveries are due, leased and held."""
        counts = {DeliveryState.DUE: 0, DeliveryState.LEASED: 0, DeliveryState.HELD: 0}
        rows: Any = await self._database.browse(
            lambda c: c.execute(SQL["delivery_counts"]).fetchall()
        )
        counts.update((_STATES[state], count) for state, count in rows)
        return counts

    async def steered(self, after: int | None) -> tuple[int, list[Held | Retried | Dropped]]:
        """Return what operators did after that place in the journey, and the next place."""
        if after is None:
            return self._database.read(SQL["journey_end"], ())[0][0], []
        rows = self._database.read(SQL["journey_by_operators"], (after,))
        return rows[-1][0] if rows else after, [_decode_steering(text)[0] for _, text in rows]


class _Accepted:
    """Accepted messages, each decoded once however many of its deliveries are asked for."""

    def __init__(self) -> None:
        self._changes: dict[int, Accepted] = {}
        self._born: dict[int, dict[int, Delivery]] = {}

    def get(self, message: int, text: str) -> Accepted:
        change = self._changes.get(message)
        if change is None:
            change = self._changes[message] = _decode_accepted(text)
            self._born[message] = {d.ordinal: d for d in change.deliveries}
        return change

    def delivery(self, message: int, state: Any) -> Delivery:
        return _as_it_stands(self._born[message][state[0]], state)


def _as_it_stands(born: Delivery, row: Any) -> Delivery:
    """Return a delivery as it was accepted, with what changed since."""
    _, state, due_at, attempts, delay_notified, last = row
    return Delivery(
        message=born.message,
        ordinal=born.ordinal,
        recipient=born.recipient,
        original=born.original,
        destination=born.destination,
        mailbox=born.mailbox,
        notify=born.notify,
        orcpt=born.orcpt,
        state=_STATES[state],
        due_at=due_at,
        attempts=attempts,
        delay_notified=bool(delay_notified),
        last=None if last is None else _decode_reply(last),
        folder=born.folder,
    )


# Inside the writer's transaction.


def _walk(
    connection: Connection, now: float, limit: int, exclude: Collection[str]
) -> list[Any] | None:
    """Return the first that are due; None where all that were looked at are excluded."""
    most = max(WALK_ROWS, limit) if exclude else limit
    rows = connection.execute(SQL["waiting_walk"], (now, most)).fetchall()
    if not exclude:
        return rows
    wanted = [row for row in rows if row[2] not in exclude][:limit]
    return None if not wanted and len(rows) == most else wanted


def _seek(connection: Connection, now: float, limit: int, exclude: Collection[str]) -> list[Any]:
    """Return the first that are due, from the heads of all destinations that are not excluded."""
    heads = [
        (at, name)
        for name, at in _destinations(connection)
        if at is not None and at <= now and name not in exclude
    ]
    candidates: list[Any] = []
    for _, name in heapq.nsmallest(limit, heads):
        candidates += connection.execute(SQL["waiting_of_destination"], (name, now, limit))
    return heapq.nsmallest(limit, candidates, key=lambda row: (row[3], row[0], row[1]))


def _destinations(connection: Connection) -> list[tuple[str, float]]:
    return [
        (name, at) for name, at in connection.execute(SQL["waiting_destinations"]) if at is not None
    ]


def _take(connection: Connection, rows: Iterable[Any], until: float, node: str) -> list[Any]:
    """Lease these deliveries and read what `_leased` needs."""
    texts: dict[int, str] = {}
    taken = []
    leases = []
    for message, ordinal, destination, _ in rows:
        text = texts.get(message)
        if text is None:
            text = texts[message] = connection.execute(SQL["message_get"], (message,)).get
        *state, before = connection.execute(SQL["delivery_to_lease"], (message, ordinal)).fetchone()
        taken.append((message, destination, text, state, before))
        leases.append((until, heir_of(before, node), message, ordinal))
    connection.executemany(SQL["delivery_leased"], leases)
    return taken


def _leased(taken: Iterable[Any]) -> list[LeasedDelivery]:
    accepted = _Accepted()
    grouped: dict[tuple[int, str, str], list[Delivery]] = {}
    messages: dict[int, Message] = {}
    for message, destination, text, state, before in taken:
        messages[message] = accepted.get(message, text).message
        key = message, destination, before
        grouped.setdefault(key, []).append(accepted.delivery(message, state))
    return [
        LeasedDelivery(messages[message], tuple(deliveries), before)
        for (message, _, before), deliveries in grouped.items()
    ]


def _several(
    connection: Connection, messages: Sequence[int]
) -> list[tuple[Message, list[Delivery]]]:
    found = []
    for number in messages:
        for (text,) in connection.execute(SQL["message_get"], (number,)).fetchall():
            change = _decode_accepted(text)
            born = {delivery.ordinal: delivery for delivery in change.deliveries}
            states = connection.execute(SQL["delivery_states"], (number,)).fetchall()
            found.append((change.message, [_as_it_stands(born[row[0]], row) for row in states]))
    return found


def _find_statement(query: QueueFilter) -> tuple[str, list[object]]:
    where, values = _conditions(query)
    sql = (
        "SELECT delivery.message, message.accepted, delivery.ordinal, delivery.state, delivery.due_at,"
        " delivery.attempts, delivery.delay_notified, delivery.last"
        " FROM delivery JOIN message ON message.id = delivery.message"
        f" WHERE {where}"
        " ORDER BY delivery.message, delivery.ordinal LIMIT ?"
    )
    return sql, [*values, query.limit]


def _count_statement(query: QueueFilter) -> tuple[str, list[object]]:
    where, values = _conditions(query)
    joined = " JOIN message ON message.id = delivery.message" if query.sender is not None else ""
    return f"SELECT count(*) FROM delivery{joined} WHERE {where}", values


def _conditions(query: QueueFilter) -> tuple[str, list[object]]:
    states = [state.value for state in query.states]
    where = [f"delivery.state IN ({', '.join('?' * len(states))})"]
    values: list[object] = [*states]
    if not any(state.final for state in query.states):
        where.append("delivery.ended_at IS NULL")
    if query.destination is not None:
        where.append("delivery.destination = ?")
        values.append(query.destination)
    if query.message is not None:
        where.append("delivery.message = ?")
        values.append(query.message)
    for column, wanted in (
        ("message.sender", query.sender),
        ("delivery.recipient", query.recipient),
    ):
        if wanted is None:
            continue
        if wanted.startswith("@"):
            where.append(f"substr({column}, -length(?)) = ?")
            values += [wanted.lower()] * 2
        else:
            where.append(f"{column} = ?")
            values.append(fold(wanted))
    if query.after > (0, -1):
        where.append("(delivery.message, delivery.ordinal) > (?, ?)")
        values += query.after
    return " AND ".join(where), values
