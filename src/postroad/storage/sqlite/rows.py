"""Turns the frequent changes (accepted, attempted, deposited) into rows, ready for the writer.

This happens when `commit` is called, before the group waits for its turn: rows of many groups can
then be written with one call per table.
"""

from typing import TypeAlias

import msgspec

from postroad.model import (
    Accepted,
    Address,
    Attempted,
    Change,
    Delivery,
    DeliveryState,
    Deposited,
    Group,
    Reply,
    Staged,
    encode_change,
)
from postroad.storage.ordering import FREQUENT, deposits_first

Row: TypeAlias = tuple[object, ...]
Key: TypeAlias = tuple[int, int]

_reply_encoder = msgspec.json.Encoder()
_DUE, _LEASED = DeliveryState.DUE, DeliveryState.LEASED
_WAITING = (_DUE, _LEASED)


class Rows:
    """Rows by table of one group, or of several whose order does not matter.

    `keys` are the deliveries whose state these rows depend on; rows that touch the same delivery
    must not be merged. `ended` are messages of which a delivery ended and whose content may not be
    needed any more. `kept` are messages that came with their content and were deposited in the same
    group. `_born` tells where the rows of deliveries are that the group itself accepted.
    """

    __slots__ = (
        "_born",
        "attempts",
        "contents",
        "deliveries",
        "deposits",
        "ended",
        "journey",
        "kept",
        "keys",
        "messages",
    )

    def __init__(self) -> None:
        self.contents: list[Row] = []
        self.messages: list[Row] = []
        self.deliveries: list[Row] = []
        self.deposits: list[Deposited] = []
        self.attempts: list[Row] = []
        self.ended: list[tuple[int]] = []
        self.journey: list[Row] = []
        self.keys: set[Key] = set()
        self._born: dict[int, dict[int, int]] = {}
        self.kept: set[int] = set()

    def extend(self, other: "Rows") -> None:
        """Append the other's rows."""
        self.contents += other.contents
        self.messages += other.messages
        self.deliveries += other.deliveries
        self.deposits += other.deposits
        self.attempts += other.attempts
        self.ended += other.ended
        self.journey += other.journey
        self.keys |= other.keys
        self.kept |= other.kept

    def add_staged(self, staged: Staged) -> None:
        """Add a content's row."""
        place = "file" if staged.data is None else "inline"
        self.contents.append((staged.ref.id, staged.ref.size, place, staged.data))

    def add(self, change: Accepted | Attempted | Deposited) -> None:
        """Add a change's rows."""
        if type(change) is Accepted:
            self._accepted(change)
        elif type(change) is Attempted:
            self._attempted(change)
        else:
            assert isinstance(change, Deposited)
            self.deposits.append(change)
            if change.message in self._born and self._brings(change.content.id):
                self.kept.add(change.message)
            self.keys.add((change.message, change.ordinal))
            self.journey.append(
                (change.at, change.message, "deposited", encode_change(change).decode())
            )

    def _brings(self, content: int) -> bool:
        return any(row[0] == content for row in self.contents)

    def _accepted(self, change: Accepted) -> None:
        message = change.message
        sender = message.envelope.sender
        self.messages.append(
            (
                message.id,
                message.accepted_at,
                "" if sender is None else sender.folded,
                message.message_id,
                message.content.id,
                encode_change(change).decode(),
            )
        )
        self.journey.append((change.at, message.id, "accepted", None))
        unfinished = False
        born = self._born[message.id] = {}
        for delivery in change.deliveries:
            row = _delivery_row(delivery, change)
            unfinished = unfinished or row[-1] is None
            born[delivery.ordinal] = len(self.deliveries)
            self.deliveries.append(row)
        if not unfinished:
            self.ended.append((message.id,))

    def _attempted(self, change: Attempted) -> None:
        message = change.message
        ended = False
        born = self._born.get(message)
        for result in change.results:
            state = result.state
            due_at = result.due_at if state is _DUE else None
            final = state.final
            ended = ended or final
            wake_at = result.due_at if state in _WAITING else None
            ended_at = change.at if final else None
            last = _encode_reply(result.outcome.reply)
            if born is not None and result.ordinal in born:
                # Accepted in the same group: the row is written once, as it stands after the attempt.
                at = born[result.ordinal]
                row = self.deliveries[at]
                self.deliveries[at] = (
                    *row[:5],
                    state._value_,
                    row[6] if due_at is None else due_at,
                    wake_at,
                    None,
                    1,
                    result.delayed,
                    last,
                    ended_at,
                )
                continue
            self.attempts.append(
                (
                    state._value_,
                    due_at,
                    wake_at,
                    ended_at,
                    result.delayed,
                    last,
                    message,
                    result.ordinal,
                )
            )
            self.keys.add((message, result.ordinal))
        if ended and message not in self.kept:
            self.ended.append((message,))
        self.journey.append((change.at, message, "attempted", encode_change(change).decode()))


def plan(group: Group) -> Rows | list[Rows | Change]:
    """Return the group's rows or, where it has other changes too, what to apply in order."""
    rows = Rows()
    for staged in group.contents:
        rows.add_staged(staged)
    steps: list[Rows | Change] = [rows]
    changes = group.changes if len(group.changes) == 1 else deposits_first(group.changes)
    for change in changes:
        if isinstance(change, FREQUENT):
            if not isinstance(last := steps[-1], Rows):
                steps.append(last := Rows())
            last.add(change)
        else:
            steps.append(change)
    return rows if len(steps) == 1 else steps


def _delivery_row(delivery: Delivery, change: Accepted) -> Row:
    recipient, original, state = delivery.recipient, delivery.original, delivery.state
    folded = recipient.folded
    if state is _LEASED:
        wake_at: float | None = change.until
    else:
        wake_at = delivery.due_at if state is _DUE else None
    return (
        delivery.message,
        delivery.ordinal,
        folded,
        None if original is recipient else _unless_same(original, folded),
        delivery.destination,
        state._value_,
        delivery.due_at,
        wake_at,
        change.node if state is _LEASED else None,
        delivery.attempts,
        delivery.delay_notified,
        None if delivery.last is None else _encode_reply(delivery.last),
        change.at if state.final else None,
    )


def _unless_same(original: Address, folded: str) -> str | None:
    text = original.folded
    return None if text == folded else text


def _encode_reply(reply: Reply) -> str:
    return _reply_encoder.encode(reply).decode()
