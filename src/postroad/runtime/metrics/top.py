"""One look at a server for people: rates, the queue by destination, what was slow, what failed lately.

From what its processes said of themselves (`live`) and from the end of the journey; nothing here asks
more of a server than reading a file and a thousand events.
"""

from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence

from msgspec import Struct

from postroad.model import (
    Attempted,
    Delivered,
    DeliveryState,
    PermanentFailure,
    PutOff,
    RouteKind,
    TemporaryFailure,
    format_id,
)
from postroad.ports import JourneyEvent
from postroad.runtime.metrics.live import RATES, Snapshot, read
from postroad.runtime.office import Office

_EVENTS = 1000
_SHOWN = 10


class Row(Struct, frozen=True):
    """What goes to one provider from one pool. `trouble` says in words what is wrong, if anything is."""

    provider: str
    pool: str
    waiting: int
    active: int
    limit: int
    trouble: str


class Slow(Struct, frozen=True):
    """A delivery that took long, from acceptance to the end of its attempt or of the attempt alone."""

    id: str
    seconds: float
    where: str


class Failure(Struct, frozen=True):
    """An attempt that failed lately (`at`: seconds since 1970)."""

    at: float
    id: str
    what: str
    where: str
    reply: str


class Overview(Struct, frozen=True):
    """All of it. `rates` are per second by word, `deliveries` counts what waits by state."""

    at: float
    processes: int
    rates: dict[str, float]
    deliveries: dict[str, int]
    in_memory: int
    destinations: tuple[Row, ...] = ()
    slowest: tuple[Slow, ...] = ()
    failures: tuple[Failure, ...] = ()
    blocked: tuple[str, ...] = ()


async def overview(office: Office) -> Overview:
    """Return how a server stands. Raises `StorageError`."""
    now = office.clock.now()
    snapshots = read(office.config.server.data_dir, now)
    end, _ = await office.store.queue.steered(None)
    events = await office.store.journey.after(max(0, end - _EVENTS), _EVENTS)
    rates = [sum(each) for each in zip(*(s.rates for s in snapshots), strict=True)] or [0.0] * 5
    counts = await office.desk.counts()
    return Overview(
        now,
        len(snapshots),
        dict(zip(RATES, rates, strict=True)),
        {state.value: count for state, count in counts.items()},
        sum(each.look.in_memory for each in snapshots),
        tuple(rows(snapshots, now)[: 2 * _SHOWN]),
        tuple(slowest(events)),
        tuple(failures(events)),
        tuple(dict.fromkeys(_blocked(snapshots, now))),
    )


def rows(snapshots: Iterable[Snapshot], now: float) -> list[Row]:
    """Return destinations by provider and pool: those in trouble and those with most to do first."""
    sums: dict[tuple[str, str], Counter[str]] = defaultdict(Counter)
    troubles: dict[tuple[str, str], str] = {}
    for snapshot in snapshots:
        for lane in snapshot.look.lanes:
            key = lane.domain, lane.pool
            sums[key]["waiting"] += 0
            troubles[key] = f"no way for {lane.until - now:.0f} s: {lane.reply}"
        for each in snapshot.look.destinations:
            key = each.provider, each.pool
            sums[key].update(waiting=each.waiting, active=each.active, limit=each.limit)
            if each.left_alone_until:
                troubles[key] = f"left alone for {each.left_alone_until - now:.0f} s: {each.reply}"
            elif each.slowed_by:
                rate = f"{each.per_minute:g} a minute" if each.per_minute else "fewer sessions"
                troubles.setdefault(key, f"slowed down to {rate}: {each.slowed_by}")
    found = [
        Row(*key, n["waiting"], n["active"], n["limit"], troubles.get(key, ""))
        for key, n in sums.items()
    ]
    return sorted(found, key=lambda row: (not row.trouble, -row.waiting - row.active, row.provider))


def slowest(events: Sequence[JourneyEvent]) -> list[Slow]:
    """Return the attempts of these events that took longest."""
    found = [
        Slow(format_id(change.message), round(change.at - change.started_at, 3), _where(change))
        for event in events
        if isinstance(change := event.change, Attempted)
        and any(isinstance(each.outcome, Delivered) for each in change.results)
    ]
    return sorted(found, key=lambda slow: -slow.seconds)[:_SHOWN]


def failures(events: Sequence[JourneyEvent]) -> list[Failure]:
    """Return the failures among these events, the newest first."""
    found: list[Failure] = []
    for event in reversed(events):
        change = event.change
        if isinstance(change, PutOff):
            key = format_id(change.keys[0][0])
            found.append(Failure(change.at, key, "put off", "", change.reply.text))
        elif isinstance(change, Attempted):
            for each in change.results:
                if isinstance(each.outcome, Delivered):
                    continue
                what = {TemporaryFailure: "deferred", PermanentFailure: "bounced"}.get(
                    type(each.outcome), "unknown"
                )
                if each.state is DeliveryState.EXPIRED:
                    what = "expired"
                id, reply = format_id(change.message), str(each.outcome.reply)
                found.append(Failure(change.at, id, what, _where(change), reply))
        if len(found) >= _SHOWN:
            break
    return found[:_SHOWN]


def _where(change: Attempted) -> str:
    taken = change.taken
    if taken is None:
        return ""
    return "a mailbox here" if taken.kind is RouteKind.LOCAL else taken.host or taken.kind.value


def _blocked(snapshots: Iterable[Snapshot], now: float) -> Iterable[str]:
    for snapshot in snapshots:
        for source, provider, until, reply in snapshot.blocked:
            yield f"{source} is blocked by {provider} for {until - now:.0f} s: {reply}"
