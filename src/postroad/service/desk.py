"""The operator's desk: look at the queue and change what happens to deliveries."""

from collections.abc import Iterable, Sequence

from postroad.model import (
    Delivery,
    DeliveryState,
    Dropped,
    Group,
    Held,
    Message,
    Retried,
    format_id,
)
from postroad.ports import Clock, JourneyStore, Ledger, QueueFilter, QueueItem, QueueStore
from postroad.service.errors import Refused
from postroad.service.history import Hold, fold

Keys = Sequence[tuple[int, int]]
"""Deliveries, each as (message, ordinal)."""


class QueueDesk:
    """Lists and steers deliveries. Works on the store, so it needs no running server; a server that
    runs notices within a second.
    """

    def __init__(
        self, *, store: QueueStore, journey: JourneyStore, ledger: Ledger, clock: Clock
    ) -> None:
        self._store = store
        self._journey = journey
        self._ledger = ledger
        self._clock = clock

    async def list(self, query: QueueFilter) -> list[QueueItem]:
        """Return the deliveries that fit, oldest message first."""
        return await self._store.find(query)

    async def count(self, query: QueueFilter) -> int:
        """Return how many deliveries fit."""
        return await self._store.count(query)

    async def counts(self) -> dict[DeliveryState, int]:
        """Return how many deliveries are due, leased and held."""
        return await self._store.counts()

    async def show(self, message: int) -> tuple[Message, Sequence[Delivery]]:
        """Return a message with all its deliveries. Raises `Refused` where it is not known."""
        found = await self._store.message(message)
        if found is None:
            raise Refused(f"there is no message {format_id(message)} here")
        return found, await self._store.deliveries(message)

    async def holds(self, deliveries: Iterable[Delivery]) -> dict[tuple[int, int], Hold]:
        """Return why those of the deliveries that are held are."""
        found: dict[tuple[int, int], Hold] = {}
        held = dict.fromkeys(
            each.message for each in deliveries if each.state is DeliveryState.HELD
        )
        for message in held:
            past = fold(await self._journey.events(message), float("inf"))
            if past is not None:
                found |= {(message, ordinal): hold for ordinal, hold in past.holds.items()}
        return found

    async def retry(self, keys: Keys, by: str) -> int:
        """Make waiting deliveries due now; return how many. Held ones stay held."""
        chosen = await self._in_states(keys, DeliveryState.DUE)
        return await self._commit(chosen, Retried(self._clock.now(), by, tuple(chosen)))

    async def hold(self, keys: Keys, by: str) -> int:
        """Stop deliveries until they are released; return how many."""
        chosen = await self._in_states(keys, DeliveryState.DUE, DeliveryState.LEASED)
        return await self._commit(chosen, Held(self._clock.now(), by, tuple(chosen)))

    async def release(self, keys: Keys, by: str) -> int:
        """Make held deliveries due now; return how many."""
        chosen = await self._in_states(keys, DeliveryState.HELD)
        return await self._commit(chosen, Retried(self._clock.now(), by, tuple(chosen)))

    async def reschedule(self, keys: Keys, due_at: float, by: str) -> int:
        """Put waiting and held deliveries off, or forward, until `due_at`; return how many."""
        chosen = await self._in_states(keys, DeliveryState.DUE, DeliveryState.HELD)
        change = Retried(self._clock.now(), by, tuple(chosen), due_at)
        return await self._commit(chosen, change)

    async def cancel(self, keys: Keys, by: str) -> int:
        """End deliveries that nobody has begun, without a DSN; return how many. One that a worker takes
        at the same moment is not ended, and not counted.
        """
        chosen = await self._in_states(keys, DeliveryState.DUE, DeliveryState.HELD)
        change = Dropped(self._clock.now(), by, tuple(chosen), cancelled=True)
        await self._commit(chosen, change)
        return len(await self._in_states(chosen, DeliveryState.DROPPED))

    async def drop(self, keys: Keys, by: str) -> int:
        """End deliveries for good, without a DSN; return how many."""
        chosen = await self._in_states(
            keys, DeliveryState.DUE, DeliveryState.HELD, DeliveryState.LEASED
        )
        return await self._commit(chosen, Dropped(self._clock.now(), by, tuple(chosen)))

    async def _in_states(self, keys: Keys, *states: DeliveryState) -> Keys:
        wanted = set(keys)
        chosen = []
        for message in dict.fromkeys(message for message, _ in keys):
            for delivery in await self._store.deliveries(message):
                key = (message, delivery.ordinal)
                if key in wanted and delivery.state in states:
                    chosen.append(key)
        return chosen

    async def _commit(self, chosen: Keys, change: Retried | Held | Dropped) -> int:
        if chosen:
            await self._ledger.commit(Group((change,)))
        return len(chosen)
