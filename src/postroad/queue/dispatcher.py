"""Brings jobs from their domain over its route to the destination whose workers take them."""

import structlog

from postroad.model import Reply, Route
from postroad.ports import Clock, Deliverer, Entropy, RouteFailed
from postroad.queue.destination import Destination, Lane
from postroad.queue.inventory import Job
from postroad.queue.settings import QueueSettings
from postroad.queue.tasks import Tasks
from postroad.queue.traffic import Traffic
from postroad.queue.worker import Workers

log = structlog.get_logger("postroad.queue")

_OUR_FAULT = Reply(451, "4.3.0", "Finding the way failed by a fault of this server")
_FOREVER = float("inf")


class Dispatcher:
    """Routes domains, once for all jobs that wait for the answer."""

    def __init__(
        self,
        *,
        deliverer: Deliverer,
        clock: Clock,
        entropy: Entropy,
        settings: QueueSettings,
        traffic: Traffic,
        workers: Workers,
    ) -> None:
        self._deliverer = deliverer
        self._clock = clock
        self._entropy = entropy
        self._settings = settings
        self._traffic = traffic
        self._workers = workers
        self._tasks: Tasks = workers.tasks
        self._pools = settings.pools

    def dispatch(self, jobs: list[Job]) -> None:
        """Take jobs that are leased to this process."""
        now = self._clock.now()
        lanes = self._traffic.lanes
        if self._pools:
            self._dispatch_by_pool(jobs, now)
            return
        touched: dict[str, Lane] = {}
        for job in jobs:
            domain = job.leased.deliveries[0].destination
            lane = touched.get(domain)
            if lane is None:
                touched[domain] = lane = lanes.get(domain) or self._traffic.lane(domain)
            lane.pending.append(job)
        for lane in touched.values():
            if not lane.routing:
                self._proceed(lane, now)

    def _dispatch_by_pool(self, jobs: list[Job], now: float) -> None:
        touched: dict[Lane, None] = {}
        for job in jobs:
            leased = job.leased
            lane = self._traffic.lane_of(leased.deliveries[0].destination, leased.message.stream)
            touched[lane] = None
            lane.pending.append(job)
        for lane in touched:
            if not lane.routing:
                self._proceed(lane, now)

    def _proceed(self, lane: Lane, now: float) -> None:
        """What waits in the lane goes to the destination, or makes us ask for the route."""
        if lane.backoff.holds(now) and lane.backoff.reply is not None:
            self._refuse(lane, lane.backoff.reply)
        elif lane.destination is not None and lane.expires_at > now:
            self._enter(lane, lane.destination, now)
        else:
            lane.routing = True
            self._tasks.start(self._route(lane), "route")

    def _enter(self, lane: Lane, destination: Destination, now: float) -> None:
        if destination.backoff.holds(now) and destination.backoff.reply is not None:
            self._refuse(lane, destination.backoff.reply)
            return
        destination.jobs.extend(lane.pending)
        lane.pending.clear()
        self._traffic.destinations.setdefault(destination.key, destination)
        self._workers.staff(destination)

    def _refuse(self, lane: Lane, reply: Reply) -> None:
        """It is left alone at present: defer with the reason, as if it had been tried."""
        jobs, lane.pending = lane.pending, []
        now = self._clock.now()
        self._tasks.start(self._workers.fail(jobs, RouteFailed(reply), now), "refuse")

    async def _route(self, lane: Lane) -> None:
        started_at = self._clock.now()
        failure: RouteFailed
        try:
            route = await self._deliverer.route(lane.domain)
        except RouteFailed as error:
            failure = error
        except Exception:
            log.exception("routing failed in a way it should not", domain=lane.domain)
            failure = RouteFailed(_OUR_FAULT)
        else:
            lane.routing = False
            now = self._clock.now()
            destination = self._traffic.join(lane, route, self._expires_at(route, now))
            self._enter(lane, destination, now)
            return
        finally:
            lane.routing = False
        jobs, lane.pending = lane.pending, []
        if not failure.reply.permanent:
            lane.backoff.fail(failure.reply, self._clock.now(), self._entropy.random())
        await self._workers.fail(jobs, failure, started_at)

    def _expires_at(self, route: Route, now: float) -> float:
        """A route without an end (0) was not found in the DNS, and holds as long as the process."""
        if not route.expires_at:
            return _FOREVER
        return max(route.expires_at, now + self._settings.route_cache_min_seconds)
