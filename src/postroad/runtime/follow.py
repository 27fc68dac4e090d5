"""Follows the journey as it is written, for those who want to be told: the log of mail, and traces.

Nothing of this is on the way of a message: what is told was committed before. One process of a server
follows, from where the journey ends when it begins. A store that fails is asked again.
"""

from collections.abc import Sequence
from typing import Protocol

import structlog

from postroad.ports import Clock, JourneyEvent, JourneyStore, QueueStore, StorageError

log = structlog.get_logger("postroad.follow")

_EVERY_SECONDS = 1.0
_AT_ONCE = 1000


class Teller(Protocol):
    """Someone who is told."""

    async def tell(self, events: Sequence[JourneyEvent]) -> None:
        """Take events, in order. Raises `StorageError`; anything else is a mistake of ours."""
        ...


class Follower:
    """Reads what is new every second. `tellers` are told one after the other."""

    def __init__(
        self, *, store: QueueStore, journey: JourneyStore, clock: Clock, tellers: Sequence[Teller]
    ) -> None:
        self._store = store
        self._journey = journey
        self._clock = clock
        self._tellers = tellers

    async def run(self) -> None:
        """Follow until cancelled."""
        place: int | None = None
        while True:
            try:
                if place is None:
                    place, _ = await self._store.steered(None)
                events = await self._journey.after(place, _AT_ONCE)
                if events:
                    for teller in self._tellers:
                        await teller.tell(events)
                    place = events[-1].sequence
                if len(events) >= _AT_ONCE:
                    continue
            except StorageError as error:
                log.error("the journey cannot be followed", error=str(error))
            await self._clock.sleep(_EVERY_SECONDS)
