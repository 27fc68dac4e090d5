"""Learns what operators did beside this process: ``postroad queue hold|release|retry|drop``.

These commands work on the store, with or without a server. The store keeps the states right whatever we
do; what is missed without this is that deliveries in our memory would have one more attempt, and that a
destination's back-off would not end.
"""

import structlog

from postroad.model import Retried
from postroad.ports import Clock, QueueStore, StorageError
from postroad.queue.inventory import Inventory, Key
from postroad.queue.leaser import Leaser
from postroad.queue.settings import QueueSettings
from postroad.queue.traffic import Traffic

log = structlog.get_logger("postroad.queue")


class Steering:
    """Looks every `poll_seconds`, until cancelled."""

    def __init__(
        self,
        *,
        store: QueueStore,
        clock: Clock,
        settings: QueueSettings,
        inventory: Inventory,
        traffic: Traffic,
        leaser: Leaser,
    ) -> None:
        self._store = store
        self._clock = clock
        self._settings = settings
        self._inventory = inventory
        self._traffic = traffic
        self._leaser = leaser

    async def run(self) -> None:
        """Look and carry out."""
        place: int | None = None
        while True:
            try:
                place = await self._look(place)
            except StorageError as error:
                log.error("what operators did could not be read", error=str(error))
            await self._clock.sleep(self._settings.poll_seconds)

    async def _look(self, place: int | None) -> int:
        place, changes = await self._store.steered(place)
        # Only the last word on a delivery counts: one that was held and released again may be back
        # in memory by now.
        waiting: dict[Key, bool] = {}
        for change in changes:
            for key in change.keys:
                waiting[key] = isinstance(change, Retried)
        self._inventory.withdraw([key for key, goes_on in waiting.items() if not goes_on])
        if any(waiting.values()):
            self._traffic.clear_backoffs()
            self._leaser.wake()
        return place
