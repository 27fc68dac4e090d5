"""`ports.SourceStore` in memory, and what changes it; and what waits because of it."""

from typing import TYPE_CHECKING

from msgspec.structs import replace

from postroad.model import DeliveryState, PutOff, SourceSpent
from postroad.ports.sources import Spent
from postroad.storage import conflicts
from postroad.storage.bounds import SOURCE_DAYS
from postroad.storage.memory.state import State, with_state

if TYPE_CHECKING:
    from postroad.storage.memory.apply import Application


class MemorySources:
    """See `ports.SourceStore`."""

    def __init__(self, state: State) -> None:
        self._state = state

    async def spent(self, day: int, source: str, provider: str) -> int:
        """Return the count of one source at one provider on a day."""
        return self._state.spent.get((day, source, provider), 0)

    async def of_day(self, day: int) -> list[Spent]:
        """Return all counts of a day, by source and provider."""
        return sorted(
            Spent(source, provider, count)
            for (on, source, provider), count in self._state.spent.items()
            if on == day
        )


def spend(do: "Application", change: SourceSpent) -> None:
    """Add to the count of a day. Raises `Conflict` where that would be more than the cap."""
    spent = do.state.spent
    key = (change.day, change.source, change.provider)
    before = spent.get(key, 0)
    if before + change.count > change.cap:
        raise conflicts.cap_reached(change.source, change.provider, change.cap)
    do.undo.put(spent, key, before + change.count)
    for old in [each for each in spent if each[0] < change.day - SOURCE_DAYS]:
        do.undo.delete(spent, old)


def put_off(do: "Application", change: PutOff) -> None:
    """Have what is leased wait; the journey gets an event per message, of those keys alone."""
    done: dict[int, list[tuple[int, int]]] = {}
    for key in change.keys:
        queued = do.state.deliveries.get(key)
        if queued is not None and queued.delivery.state is DeliveryState.LEASED:
            later = with_state(queued, DeliveryState.DUE, due_at=change.due_at)
            later = replace(later, delivery=replace(later.delivery, last=change.reply))
            do.undo.put(do.state.deliveries, key, later)
            done.setdefault(key[0], []).append(key)
    for message, keys in done.items():
        do.note(replace(change, keys=tuple(keys)), message)
