"""The queue as it stood at some moment, rebuilt from the journey alone.

Leases are not in the journey, so a delivery that a worker had at that moment shows as due; and what
retention has pruned is not there any more. Reads page by page: the server's commits do not wait, and
memory holds two small numbers for each message that was unfinished, whatever the journey's length.
"""

from collections.abc import Iterable, Iterator, Sequence

from msgspec import Struct
from msgspec.structs import replace

from postroad.model import (
    Accepted,
    Address,
    Attempted,
    Change,
    Delivery,
    DeliveryState,
    Dropped,
    Held,
    Message,
    PutOff,
    Result,
    Retried,
    format_id,
)
from postroad.ports import JourneyEvent, JourneyStore, QueueFilter, QueueItem
from postroad.service.errors import Refused

_DUE, _HELD, _DROPPED = DeliveryState.DUE, DeliveryState.HELD, DeliveryState.DROPPED


class Hold(Struct, frozen=True):
    """Why a delivery is held since `at`: by an operator, or (`by` is ``""``) because the outcome of
    its last attempt is unknown and its stream's policy is to hold.
    """

    at: float
    by: str = ""

    @property
    def unknown(self) -> bool:
        """Whether it may have been delivered already."""
        return not self.by


class Past(Struct, frozen=True):
    """A message as it stood: its deliveries by ordinal, and why those that are held are."""

    message: Message
    deliveries: tuple[Delivery, ...]
    holds: dict[int, Hold]


class History:
    """Looks at the queue's past."""

    def __init__(self, *, journey: JourneyStore) -> None:
        self._journey = journey

    async def show(self, message: int, at: float) -> Past:
        """Return a message as it stood at `at`. Raises `Refused` where it was not there then."""
        past = fold(await self._journey.events(message), at)
        if past is None:
            raise Refused(f"there was no message {format_id(message)} here at that time")
        return past

    async def counts(self, at: float) -> dict[DeliveryState, int]:
        """Return how many deliveries were due and held."""
        return (await self._outline(at)).counts()

    async def list(
        self, query: QueueFilter, at: float
    ) -> tuple[list[QueueItem], dict[DeliveryState, int]]:
        """Return the unfinished deliveries that fit, oldest message first, and the counts of all.

        Of `query.states` only due (also for leased) and held can be asked for; ends are in the journey
        of each message.
        """
        outline = await self._outline(at)
        found: list[QueueItem] = []
        for message in sorted(outline.unfinished):
            if query.message not in (None, message):
                continue
            past = fold(await self._journey.events(message), at)
            if past is None:  # pruned in between: it ended long ago
                continue
            found += [
                QueueItem(past.message, delivery)
                for delivery in past.deliveries
                if not delivery.state.final and _fits(query, past.message, delivery)
            ]
            if len(found) >= query.limit:
                break
        return found[: query.limit], outline.counts()

    async def _outline(self, at: float) -> "_Outline":
        outline = _Outline()
        async for page in self._journey.pages(at):
            for event in page:
                outline.apply(event.change)
        return outline


def fold(events: Iterable[JourneyEvent], at: float) -> Past | None:
    """Return what the events of a message up to `at` make of it; None where it was not there yet."""
    message: Message | None = None
    deliveries: dict[int, Delivery] = {}
    holds: dict[int, Hold] = {}
    for event in events:
        if event.at > at:
            continue
        change = event.change
        if isinstance(change, Accepted):
            message = change.message
            deliveries = {each.ordinal: _unleased(each) for each in change.deliveries}
        for ordinal, after in _after(change, deliveries):
            before, deliveries[ordinal] = deliveries[ordinal], after
            if after.state is not _HELD:
                holds.pop(ordinal, None)
            elif before.state is not _HELD or isinstance(change, Attempted):
                holds[ordinal] = _hold(change, holds.get(ordinal), after)
    if message is None:
        return None
    return Past(message, tuple(deliveries[key] for key in sorted(deliveries)), holds)


def _unleased(delivery: Delivery) -> Delivery:
    leased = delivery.state is DeliveryState.LEASED
    return replace(delivery, state=_DUE) if leased else delivery


def _hold(change: Change, before: Hold | None, delivery: Delivery) -> Hold:
    if isinstance(change, Held):
        return Hold(change.at, change.by)
    assert isinstance(change, Attempted)
    for result in change.results:
        if result.ordinal == delivery.ordinal and result.state is _HELD:
            return Hold(change.at)
    return before or Hold(change.at)


def _after(change: Change, deliveries: dict[int, Delivery]) -> Iterator[tuple[int, Delivery]]:
    """What a change makes of deliveries, as the stores do it."""
    if isinstance(change, Attempted):
        for result in change.results:
            old = deliveries.get(result.ordinal)
            if old is not None:
                yield result.ordinal, _attempted(old, result)
    elif isinstance(change, PutOff):
        for _, ordinal in change.keys:
            old = deliveries.get(ordinal)
            if old is not None and old.state is _DUE:
                yield ordinal, replace(old, due_at=change.due_at, last=change.reply)
    elif isinstance(change, Held | Retried | Dropped):
        for _, ordinal in change.keys:
            old = deliveries.get(ordinal)
            if old is None or old.state.final:
                continue
            if isinstance(change, Held):
                yield ordinal, replace(old, state=_HELD)
            elif isinstance(change, Retried):
                yield ordinal, replace(old, state=_DUE, due_at=change.due_at or change.at)
            else:
                yield ordinal, replace(old, state=_DROPPED)


def _attempted(old: Delivery, result: Result) -> Delivery:
    """One that ended meanwhile stays ended; a held one stays held unless this ends it."""
    tried = replace(
        old,
        attempts=old.attempts + 1,
        delay_notified=old.delay_notified or result.delayed,
        last=result.outcome.reply,
    )
    if old.state.final:
        return tried
    due_at = result.due_at if result.state is _DUE else old.due_at
    stays = old.state is _HELD and result.state is _DUE
    return replace(tried, due_at=due_at, state=_HELD if stays else result.state)


class _Outline:
    """Which deliveries are unfinished, and which of them are held: two bit sets for each message."""

    def __init__(self) -> None:
        self.unfinished: dict[int, int] = {}
        self._held: dict[int, int] = {}

    def counts(self) -> dict[DeliveryState, int]:
        """Return how many are due and held."""
        held = sum(bits.bit_count() for bits in self._held.values())
        every = sum(bits.bit_count() for bits in self.unfinished.values())
        return {_DUE: every - held, DeliveryState.LEASED: 0, _HELD: held}

    def apply(self, change: Change) -> None:
        """Take the next change into account."""
        if isinstance(change, Accepted):
            states = [(each.ordinal, each.state) for each in change.deliveries]
            self._accepted(change.message.id, states)
        elif isinstance(change, Attempted):
            if change.message in self.unfinished:
                for result in change.results:
                    if result.state is not _DUE:
                        self._set(change.message, result.ordinal, result.state)
        elif isinstance(change, Held | Retried | Dropped):
            state = _STATE_OF[type(change)]
            for message, ordinal in change.keys:
                self._set(message, ordinal, state)

    def _accepted(self, message: int, states: Sequence[tuple[int, DeliveryState]]) -> None:
        bits = sum(1 << ordinal for ordinal, state in states if not state.final)
        if bits:
            self.unfinished[message] = bits
        held = sum(1 << ordinal for ordinal, state in states if state is _HELD)
        if held:
            self._held[message] = held

    def _set(self, message: int, ordinal: int, state: DeliveryState) -> None:
        bit, bits, held = 1 << ordinal, self.unfinished.get(message, 0), self._held.get(message, 0)
        if not bits & bit:
            return  # it has ended, and stays so
        if state.final:
            _keep(self.unfinished, message, bits & ~bit)
        _keep(self._held, message, held | bit if state is _HELD else held & ~bit)


_STATE_OF = {Held: _HELD, Retried: _DUE, Dropped: _DROPPED}


def _keep(where: dict[int, int], message: int, bits: int) -> None:
    if bits:
        where[message] = bits
    else:
        where.pop(message, None)


def _fits(query: QueueFilter, message: Message, delivery: Delivery) -> bool:
    states = query.states
    state = delivery.state
    if state not in states and not (state is _DUE and DeliveryState.LEASED in states):
        return False
    return (
        query.destination in (None, delivery.destination)
        and _names(query.sender, message.envelope.sender)
        and _names(query.recipient, delivery.recipient)
    )


def _names(wanted: str | None, address: Address | None) -> bool:
    if wanted is None:
        return True
    folded = "" if address is None else address.folded
    lower = wanted.lower()
    return folded.endswith(lower) if lower.startswith("@") else folded == lower
