"""Turns the frequent changes (accepted, attempted, deposited) into rows, ready for the writer.

This happens when `commit` is called, before the group waits for its turn: rows of many groups are then
written together (`writing`).
"""

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
    Message,
    Staged,
    encode_changes,
)
from postroad.storage.ordering import FREQUENT, deposits_first
from postroad.storage.sql.kinds import (
    ATTEMPT,
    CONTENT,
    DELIVERY,
    ENDED,
    ENTRY,
    ENTRY_LATER,
    JOURNEY,
    MESSAGE,
    REST,
    Row,
)

_encode = msgspec.json.Encoder().encode
_DUE, _LEASED = DeliveryState.DUE, DeliveryState.LEASED
_WAITING = (_DUE, _LEASED)


class Rows:
    """The rows of one group, or of those of its changes that follow each other.

    `rows` is whole once `seal` was called. `_born` tells where the rows of deliveries are that the group
    itself accepted, `_brought` which contents came with it. `_told` are changes of the message `_about`,
    one behind the other, that go into one row of the journey.
    """

    __slots__ = (
        "_about",
        "_attempts",
        "_born",
        "_brought",
        "_deliveries",
        "_deposits",
        "_ended",
        "_journey",
        "_messages",
        "_told",
        "rows",
    )

    def __init__(self) -> None:
        self.rows: list[Row] = []
        self._deposits: list[Deposited] = []
        self._messages: list[Row] = []
        self._deliveries: list[Row] = []
        self._attempts: list[Row] = []
        self._ended: list[int] = []
        self._journey: list[Row] = []
        self._born: dict[int, dict[int, int]] = {}
        self._brought: set[int] = set()
        self._about = 0
        self._told: list[Accepted | Attempted | Deposited] = []

    def add_staged(self, staged: Staged) -> None:
        """Add a content's row."""
        ref, data = staged.ref, staged.data
        place = staged.place if data is None else "inline"
        self._brought.add(ref.id)
        values = (ref.id, ref.size, place, staged.begins, staged.digest, data)
        self.rows.append((CONTENT, *values) + REST[6])

    def add(self, change: Accepted | Attempted | Deposited) -> None:
        """Add a change's rows. Call `seal` behind the last."""
        if type(change) is Accepted:
            message = change.message.id
            self._accepted(change)
        elif type(change) is Attempted:
            message = change.message
            self._attempted(change)
        else:
            assert isinstance(change, Deposited)
            message = change.message
            self._deposits.append(change)
        if message != self._about:
            self._tell()
            self._about = message
        self._told.append(change)

    def seal(self) -> None:
        """Bring the rows into order. Deposits come before deliveries and attempts: they look whether
        their delivery ended before.
        """
        self._tell()
        rows = self.rows
        kept = set()
        for change in self._deposits:
            message, content = change.message, change.content
            entry = (
                change.mailbox,
                message,
                content.id,
                content.size,
                change.size,
                content.plain,
                change.at,
                change.prefix,
            )
            if message in self._born and content.id in self._brought:
                kept.add(message)
                rows.append((ENTRY, *entry) + REST[8])
            else:
                rows.append((ENTRY_LATER, *entry, change.ordinal) + REST[9])
        rows += self._messages
        rows += self._deliveries
        rows += self._attempts
        rows += self._journey
        for message in self._ended:
            if message not in kept:
                rows.append((ENDED, message) + REST[1])

    def _tell(self) -> None:
        """Write down for the journey what was told so far."""
        told = self._told
        if not told:
            return
        first = told[0]
        count, kind = len(told), first.__struct_config__.tag
        if type(first) is Accepted:  # it is in the message's own row
            del told[0]
        changes = encode_changes(told).decode() if told else None
        self._journey.append((JOURNEY, count, first.at, self._about, kind, changes) + REST[5])
        self._told = []

    def _accepted(self, change: Accepted) -> None:
        message = change.message
        sender = message.envelope.sender
        self._messages.append(
            (
                MESSAGE,
                message.id,
                message.accepted_at,
                "" if sender is None else sender.folded,
                message.message_id,
                message.content.id,
                _encode(change).decode(),
                _marks(message),
            )
            + REST[7]
        )
        unfinished = False
        born = self._born[message.id] = {}
        for delivery in change.deliveries:
            row = _delivery_row(delivery, change)
            unfinished = unfinished or row[-1] is None
            born[delivery.ordinal] = len(self._deliveries)
            self._deliveries.append(row)
        if not unfinished:
            self._ended.append(message.id)

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
            last = _encode(result.outcome.reply).decode()
            if born is not None and result.ordinal in born:
                # Accepted in the same group: the row is written once, as it stands after the attempt.
                at = born[result.ordinal]
                row = self._deliveries[at]
                self._deliveries[at] = (
                    *row[:6],
                    state._value_,
                    row[7] if due_at is None else due_at,
                    wake_at,
                    None,
                    1,
                    result.delayed,
                    last,
                    ended_at,
                )
                continue
            self._attempts.append(
                (
                    ATTEMPT,
                    state._value_,
                    due_at,
                    wake_at,
                    ended_at,
                    result.delayed,
                    last,
                    message,
                    result.ordinal,
                )
                + REST[8]
            )
        if ended:
            self._ended.append(message)


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
    for step in steps:
        if isinstance(step, Rows):
            step.seal()
    return rows if len(steps) == 1 else steps


def _marks(message: Message) -> str | None:
    if message.label is None:
        return None
    marks = message.label.marks()
    return _encode(marks).decode() if marks else None


def _delivery_row(delivery: Delivery, change: Accepted) -> Row:
    recipient, original, state = delivery.recipient, delivery.original, delivery.state
    folded = recipient.folded
    if state is _LEASED:
        wake_at: float | None = change.until
    else:
        wake_at = delivery.due_at if state is _DUE else None
    return (
        DELIVERY,
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
        None if delivery.last is None else _encode(delivery.last).decode(),
        change.at if state.final else None,
    )


def _unless_same(original: Address, folded: str) -> str | None:
    text = original.folded
    return None if text == folded else text
