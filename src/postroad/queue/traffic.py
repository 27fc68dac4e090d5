"""All lanes and destinations of the process: where a job waits, and what is not to be leased now."""

from collections import Counter, deque

from msgspec.structs import replace

from postroad.model import DEFAULT_STREAM, Route, RouteKind
from postroad.queue.destination import Destination, Lane
from postroad.queue.inventory import Inventory
from postroad.queue.pace import Throttle
from postroad.queue.settings import QueueSettings
from postroad.queue.tally import Tally


class Traffic:
    """Knows every lane by its domain (and pool) and every destination by its key."""

    def __init__(self, settings: QueueSettings, inventory: Inventory) -> None:
        self._settings = settings
        self._inventory = inventory
        self.tally = Tally()
        self._pools = settings.pools
        self._throttles: dict[str, Throttle] = {}
        self.lanes: dict[str, Lane] = {}
        self.destinations: dict[str, Destination] = {}
        self.turns: deque[Destination] = deque()  # have jobs, and wait for a free session

    def lane(self, domain: str, pool: str = "") -> Lane:
        """Return the lane of a domain, for mail that leaves from that pool."""
        name = f"{domain} {pool}" if pool else domain
        lane = self.lanes.get(name)
        if lane is None:
            lane = self.lanes[name] = Lane(domain, self._settings, pool)
        return lane

    def lane_of(self, domain: str, stream: str) -> Lane:
        """Return the lane of a domain for mail of a stream."""
        return self.lane(domain, self._settings.pool_of(stream) if self._pools else "")

    def join(self, lane: Lane, route: Route, expires_at: float) -> Destination:
        """The lane leads to the destination of this route, until then."""
        if lane.pool and route.kind is RouteKind.MX:
            route = replace(route, key=f"{route.key} from {lane.pool}", pool=lane.pool)
        destination = self.destinations.get(route.key)
        if destination is None:
            destination = self.destinations[route.key] = Destination(route, self._settings)
            destination.counts = self.tally.of(route)
            destination.throttle = self._throttle(route)
            if destination.throttle is not None:
                destination.throttle.destinations[route.key] = destination
        destination.route = route
        destination.domains.add(lane.domain)
        if lane.destination is not None and lane.destination is not destination:
            lane.destination.domains.discard(lane.domain)
        lane.destination = destination
        lane.expires_at = expires_at
        lane.backoff.clear()
        return destination

    def _throttle(self, route: Route) -> Throttle | None:
        limit = self._settings.providers.get(route.provider)
        if limit is None or route.kind is not RouteKind.MX:
            return None
        found = self._throttles.get(route.provider)
        if found is None:
            found = Throttle(route.provider, limit.per_minute, limit.concurrency)
            self._throttles[route.provider] = found
        return found

    def admits(self, domain: str, now: float, stream: str = DEFAULT_STREAM) -> bool:
        """Whether a new delivery may go to the workers at once."""
        free = self._inventory.free
        if free <= 0:
            return False
        if self._pools:
            return not self.lane_of(domain, stream).blocked(now, free)
        lane = self.lanes.get(domain)
        return lane is None or not lane.blocked(now, free)

    def exclude(self, now: float) -> set[str]:
        """Return the destinations of which nothing should be leased now."""
        free = self._inventory.free
        if not self._pools:
            return {domain for domain, lane in self.lanes.items() if lane.blocked(now, free)}
        # What is leased is told by its domain alone: one lane of it that moves is enough.
        blocked = Counter(lane.domain for lane in self.lanes.values() if lane.blocked(now, free))
        return {domain for domain, lanes in blocked.items() if lanes == len(self._pools)}

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
        self._throttles.clear()
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
                    if destination.throttle is not None:
                        destination.throttle.destinations.pop(key, None)
        for name, lane in list(self.lanes.items()):
            if not (lane.pending or lane.routing or lane.backoff.holds(now)) and (
                lane.destination is None or lane.domain not in lane.destination.domains
            ):
                del self.lanes[name]
