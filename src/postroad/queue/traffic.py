"""All lanes and destinations of the process: where a job waits, and what is not to be leased now."""

from collections import deque

from postroad.model import Route
from postroad.queue.destination import Destination, Lane
from postroad.queue.inventory import Inventory
from postroad.queue.settings import QueueSettings


class Traffic:
    """Knows every lane by its domain and every destination by its key."""

    def __init__(self, settings: QueueSettings, inventory: Inventory) -> None:
        self._settings = settings
        self._inventory = inventory
        self.lanes: dict[str, Lane] = {}
        self.destinations: dict[str, Destination] = {}
        self.turns: deque[Destination] = deque()  # have jobs, and wait for a free session

    def lane(self, domain: str) -> Lane:
        """Return the lane of a domain."""
        lane = self.lanes.get(domain)
        if lane is None:
            lane = self.lanes[domain] = Lane(domain, self._settings)
        return lane

    def join(self, lane: Lane, route: Route, expires_at: float) -> Destination:
        """The lane leads to the destination of this route, until then."""
        destination = self.destinations.get(route.key)
        if destination is None:
            destination = self.destinations[route.key] = Destination(route, self._settings)
        destination.route = route
        destination.domains.add(lane.domain)
        if lane.destination is not None and lane.destination is not destination:
            lane.destination.domains.discard(lane.domain)
        lane.destination = destination
        lane.expires_at = expires_at
        lane.backoff.clear()
        return destination

    def admits(self, domain: str, now: float) -> bool:
        """Whether a new delivery may go to the workers at once."""
        free = self._inventory.free
        if free <= 0:
            return False
        lane = self.lanes.get(domain)
        return lane is None or not lane.blocked(now, free)

    def exclude(self, now: float) -> set[str]:
        """Return the destinations of which nothing should be leased now."""
        free = self._inventory.free
        return {domain for domain, lane in self.lanes.items() if lane.blocked(now, free)}

    def next_end_of_backoff(self, now: float) -> float | None:
        """Return when the first of those that are left alone may be tried again."""
        ends = [each.backoff.until for each in self.lanes.values() if each.backoff.holds(now)]
        ends += [
            each.backoff.until for each in self.destinations.values() if each.backoff.holds(now)
        ]
        return min(ends, default=None)

    def clear_backoffs(self) -> None:
        """An operator wants everything tried now."""
        for lane in self.lanes.values():
            lane.backoff.clear()
        for destination in self.destinations.values():
            destination.backoff.clear()

    def clear(self) -> None:
        """Forget everything, at the end."""
        self.lanes.clear()
        self.destinations.clear()
        self.turns.clear()

    def tidy(self, now: float) -> None:
        """Forget lanes and destinations at which nothing happens."""
        for key, destination in list(self.destinations.items()):
            if destination.resting and not destination.backoff.holds(now):
                stale = [
                    domain
                    for domain in destination.domains
                    if (lane := self.lanes.get(domain)) is None or lane.expires_at <= now
                ]
                destination.domains.difference_update(stale)
                if not destination.domains:
                    del self.destinations[key]
        for domain, lane in list(self.lanes.items()):
            if not (lane.pending or lane.routing or lane.backoff.holds(now)) and (
                lane.destination is None or domain not in lane.destination.domains
            ):
                del self.lanes[domain]
