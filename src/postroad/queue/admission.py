"""New deliveries: whether they are born leased, and how they come to the workers after the commit."""

import asyncio
from collections.abc import Callable, Sequence

from msgspec import Struct
from msgspec.structs import replace

from postroad.model import (
    Accepted,
    Delivery,
    DeliveryState,
    LeasedDelivery,
    Message,
    Ruling,
    Staged,
)
from postroad.queue.inventory import Inventory, Job
from postroad.queue.settings import QueueSettings
from postroad.queue.traffic import Traffic

_LEASED = DeliveryState.LEASED


class Posted(Struct, frozen=True):
    """A message that is accepted together with others."""

    message: Message
    deliveries: tuple[Delivery, ...]
    staged: Staged
    rulings: tuple[Ruling, ...] = ()


class Birth(Struct, frozen=True):
    """The change that accepts a message, and the jobs that are ours once it is committed."""

    change: Accepted
    jobs: tuple[LeasedDelivery, ...] = ()


class Admission:
    """Decides by room. While `open` is False everything is committed as due, for whoever comes."""

    def __init__(
        self,
        settings: QueueSettings,
        inventory: Inventory,
        traffic: Traffic,
        dispatch: Callable[[list[Job]], None],
    ) -> None:
        self._settings = settings
        self._inventory = inventory
        self._traffic = traffic
        self._dispatch = dispatch
        self._fresh: list[Job] = []
        self.open = False
        self.turned_away = False  # something was committed as due for lack of room

    def admit(self, message: Message, deliveries: Sequence[Delivery], now: float) -> Birth:
        """Return what to commit for a new message."""
        if not self.open:
            return Birth(Accepted(now, message, tuple(deliveries)))
        until = now + self._settings.lease_seconds
        traffic = self._traffic
        if len(deliveries) == 1:  # most messages
            delivery = deliveries[0]
            if delivery.due_at > now or not traffic.admits(
                delivery.destination, now, message.stream
            ):
                self._turn_away()
                return Birth(Accepted(now, message, (delivery,)))
            born = (replace(delivery, state=_LEASED),)
            job = LeasedDelivery(message, born)
            return Birth(Accepted(now, message, born, self._settings.node, until), (job,))
        return self._admit_many(message, deliveries, now, until)

    def _admit_many(
        self, message: Message, deliveries: Sequence[Delivery], now: float, until: float
    ) -> Birth:
        room = self._inventory.free
        by_destination: dict[str, list[Delivery]] = {}
        all_of_them: list[Delivery] = []
        welcome: dict[str, bool] = {}
        for delivery in deliveries:
            name = delivery.destination
            if name not in welcome:
                welcome[name] = self._traffic.admits(name, now, message.stream)
            if room > 0 and delivery.due_at <= now and welcome[name]:
                delivery = replace(delivery, state=_LEASED)
                by_destination.setdefault(name, []).append(delivery)
                room -= 1
            else:
                self._turn_away()
            all_of_them.append(delivery)
        if not by_destination:
            return Birth(Accepted(now, message, tuple(all_of_them)))
        return Birth(
            Accepted(now, message, tuple(all_of_them), self._settings.node, until),
            tuple(LeasedDelivery(message, tuple(each)) for each in by_destination.values()),
        )

    def _turn_away(self) -> None:
        """Committed as due. Where memory is short, the leaser is to know; a back-off ends by itself."""
        if self._inventory.free * 2 < self._inventory.limit:
            self.turned_away = True

    def born(self, birth: Birth) -> None:
        """It is committed: hand its jobs to the workers, together with all others of this moment."""
        fresh = self._fresh
        if not fresh:
            asyncio.get_running_loop().call_soon(self._flush)
        until = birth.change.until
        for leased in birth.jobs:
            job = self._inventory.add(leased, until)
            if job is not None:
                fresh.append(job)

    def _flush(self) -> None:
        fresh, self._fresh = self._fresh, []
        if fresh:
            self._dispatch(fresh)
