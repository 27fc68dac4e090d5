"""How the queue stands in memory at one moment, for people and for metrics: what moves, what waits."""

from collections.abc import Iterable

from msgspec import Struct

from postroad.model import Reply
from postroad.queue.destination import Destination, Lane
from postroad.queue.traffic import Traffic

MAX_LISTED = 500
_MAX_DOMAINS = 20


class DestinationLook(Struct, frozen=True):
    """One destination. Times are seconds since 1970; `left_alone_until` is 0 where it is not left alone.
    `per_minute` is what it gets since it asked us to slow down (0: as many as come), `slowed_by` what it
    said; `allowed_per_minute` is what an operator lets its provider have of this process.
    """

    provider: str
    domains: tuple[str, ...]
    pool: str
    waiting: int
    active: int
    idle: int
    limit: int
    left_alone_until: float = 0.0
    failures: int = 0
    reply: Reply | None = None
    per_minute: float = 0.0
    slowed_by: str = ""
    allowed_per_minute: float = 0.0

    @property
    def troubled(self) -> bool:
        """Whether an operator may want to know of it."""
        return bool(self.left_alone_until or self.slowed_by)


class LaneLook(Struct, frozen=True):
    """A domain that no way was found to."""

    domain: str
    pool: str
    until: float
    failures: int
    reply: Reply


class QueueLook(Struct, frozen=True):
    """The queue of one process. Of destinations at most `MAX_LISTED` are listed, those with trouble and
    those with most to do first.
    """

    in_memory: int
    unrecorded: int
    active: int
    idle: int
    count: int
    troubled: int
    destinations: tuple[DestinationLook, ...] = ()
    lanes: tuple[LaneLook, ...] = ()


def look(traffic: Traffic, in_memory: int, unrecorded: int, now: float) -> QueueLook:
    """Return how the queue stands."""
    found = [_destination(each, now) for each in traffic.destinations.values()]
    found.sort(key=lambda each: (not each.troubled, -each.waiting - each.active))
    return QueueLook(
        in_memory,
        unrecorded,
        sum(each.active for each in found),
        sum(each.idle for each in found),
        len(found),
        sum(each.left_alone_until > 0 for each in found),
        tuple(found[:MAX_LISTED]),
        tuple(_lanes(traffic.lanes.values(), now))[:MAX_LISTED],
    )


def _destination(each: Destination, now: float) -> DestinationLook:
    backoff, pace, throttle = each.backoff, each.pace, each.throttle
    alone = backoff.holds(now)
    return DestinationLook(
        each.route.provider or each.route.kind.value,
        tuple(sorted(each.domains)[:_MAX_DOMAINS]),
        each.route.pool,
        len(each.jobs),
        each.active,
        len(each.idle),
        int(each.limit),
        backoff.until if alone else 0.0,
        backoff.failures,
        backoff.reply if alone else None,
        pace.rate.per_minute if pace is not None and pace.rate is not None else 0.0,
        pace.why if pace is not None else "",
        throttle.rate.per_minute if throttle is not None and throttle.rate is not None else 0.0,
    )


def _lanes(lanes: Iterable[Lane], now: float) -> Iterable[LaneLook]:
    for lane in lanes:
        backoff = lane.backoff
        if backoff.holds(now) and backoff.reply is not None:
            yield LaneLook(lane.domain, lane.pool, backoff.until, backoff.failures, backoff.reply)
