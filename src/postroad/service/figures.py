"""Figures for charts: written from the counters of a process every few seconds, read by time.

Nothing on the way of a message knows of it: `queue.Tally` counts anyway, and what it counted since the
last time is one small change. Where the store fails, it is said once and written with the next; what was
counted just before a crash is missing.
"""

from collections.abc import Iterable, Sequence
from enum import Enum

import structlog
from msgspec import Struct

from postroad.model import (
    HOUR_SECONDS,
    MINUTE_SECONDS,
    Figure,
    FiguresCounted,
    Group,
)
from postroad.model.tally import LONG_SECONDS
from postroad.ports import Clock, FigurePoint, FigureStore, Ledger, StorageError
from postroad.queue.tally import Tally

log = structlog.get_logger("postroad.figures")

EVERY_SECONDS = 5.0
_DAY_SECONDS = 86_400


class FigureBook:
    """Writes down what a process counts."""

    def __init__(self, *, tally: Tally, ledger: Ledger, clock: Clock) -> None:
        self._tally = tally
        self._ledger = ledger
        self._clock = clock
        self._figures: dict[tuple[str, str], Figure] = {}
        self._seconds: tuple[int, ...] = (0,) * (len(LONG_SECONDS) + 1)
        self._failed = False

    async def run(self) -> None:
        """Write every few seconds, where there is anything, until cancelled."""
        while True:
            await self._clock.sleep(EVERY_SECONDS)
            await self.write()

    async def write(self) -> None:
        """Write what was counted since the last time."""
        figures = {(each.stream, each.provider): each for each in _figures(self._tally)}
        seconds = tuple(self._tally.seconds.counts)
        fresh = tuple(
            [
                _since(each, self._figures.get(key))
                for key, each in figures.items()
                if each != self._figures.get(key)
            ]
        )
        if not fresh:
            return
        more = tuple([now - then for now, then in zip(seconds, self._seconds, strict=True)])
        try:
            await self._ledger.commit(Group((FiguresCounted(self._clock.now(), fresh, more),)))
        except StorageError as error:
            if not self._failed:
                log.error("figures could not be written; they are kept", error=str(error))
            self._failed = True
            return
        self._failed = False
        self._figures, self._seconds = figures, seconds


def _figures(tally: Tally) -> Iterable[Figure]:
    for stream, count in tally.accepted.items():
        yield Figure(stream, "", count)
    for provider, streams in tally.outcomes.items():
        for stream, counts in streams.items():
            yield Figure(
                stream,
                provider,
                0,
                counts.delivered,
                counts.deferred,
                counts.bounced,
                counts.unknown,
            )


def _since(now: Figure, then: Figure | None) -> Figure:
    if then is None:
        return now
    return Figure(
        now.stream,
        now.provider,
        now.accepted - then.accepted,
        now.delivered - then.delivered,
        now.deferred - then.deferred,
        now.bounced - then.bounced,
        now.unknown - then.unknown,
    )


class Window(Enum):
    """How far back is looked."""

    HOUR = "hour"
    DAY = "day"
    WEEK = "week"
    MONTH = "month"
    YEAR = "year"


_WINDOWS = {  # how long, of which sums, in which steps
    Window.HOUR: (HOUR_SECONDS, MINUTE_SECONDS, MINUTE_SECONDS),
    Window.DAY: (_DAY_SECONDS, MINUTE_SECONDS, 10 * MINUTE_SECONDS),
    Window.WEEK: (7 * _DAY_SECONDS, HOUR_SECONDS, 2 * HOUR_SECONDS),
    Window.MONTH: (30 * _DAY_SECONDS, HOUR_SECONDS, 8 * HOUR_SECONDS),
    Window.YEAR: (365 * _DAY_SECONDS, HOUR_SECONDS, 4 * _DAY_SECONDS),
}


class Percentiles(Struct, frozen=True):
    """How long deliveries took from acceptance, in seconds: half of them at most `p50`, and so on; read
    off a histogram, so they are near and not exact. None where nothing was delivered.
    """

    p50: float | None
    p95: float | None
    p99: float | None


class Part(Struct, frozen=True):
    """One stream, or one provider, over the whole window."""

    name: str
    accepted: int
    delivered: int
    deferred: int
    bounced: int
    unknown: int


class Chart(Struct, frozen=True):
    """What charts of one window are drawn from: columns of one length, a value for each step, the oldest
    first. `at` are the begins of the steps in seconds since 1970; `total` is the whole window.
    """

    window: Window
    since: int
    until: int
    step_seconds: int
    at: tuple[int, ...]
    accepted: tuple[int, ...]
    delivered: tuple[int, ...]
    deferred: tuple[int, ...]
    bounced: tuple[int, ...]
    unknown: tuple[int, ...]
    p50: tuple[float | None, ...]
    p95: tuple[float | None, ...]
    p99: tuple[float | None, ...]
    total: Part
    latency: Percentiles
    streams: tuple[Part, ...]
    destinations: tuple[Part, ...]


class Figures:
    """Reads figures."""

    def __init__(self, *, store: FigureStore, clock: Clock) -> None:
        self._store = store
        self._clock = clock

    async def chart(self, window: Window) -> Chart:
        """Return all of a window that ends now. Raises `StorageError`."""
        length, span, step = _WINDOWS[window]
        until = int(self._clock.now()) // step * step + step
        since = until - length
        points = await self._store.over_time(span, since, until, step)
        known = {each.at: each for each in points}
        steps = range(since // step * step, until, step)
        all_points = [known.get(at) or FigurePoint(at) for at in steps]
        latencies = [percentiles(each.seconds) for each in all_points]
        figures = await self._store.totals(span, since, until)
        return Chart(
            window=window,
            since=since,
            until=until,
            step_seconds=step,
            at=tuple(steps),
            accepted=tuple([each.accepted for each in all_points]),
            delivered=tuple([each.delivered for each in all_points]),
            deferred=tuple([each.deferred for each in all_points]),
            bounced=tuple([each.bounced for each in all_points]),
            unknown=tuple([each.unknown for each in all_points]),
            p50=tuple([each.p50 for each in latencies]),
            p95=tuple([each.p95 for each in latencies]),
            p99=tuple([each.p99 for each in latencies]),
            total=_sum("", figures),
            latency=percentiles(_together(points)),
            streams=_by({each.stream: each.stream for each in figures}, figures, "stream"),
            destinations=_by(
                {each.provider: each.provider for each in figures if each.provider},
                figures,
                "provider",
            ),
        )


def _by(names: dict[str, str], figures: Sequence[Figure], field: str) -> tuple[Part, ...]:
    parts = [
        _sum(name, [each for each in figures if getattr(each, field) == key])
        for name, key in names.items()
    ]
    return tuple(sorted(parts, key=lambda part: (-part.delivered - part.deferred, part.name)))


def _sum(name: str, figures: Iterable[Figure]) -> Part:
    part = [0] * 5
    for each in figures:
        counts = (each.accepted, each.delivered, each.deferred, each.bounced, each.unknown)
        part = [a + b for a, b in zip(part, counts, strict=True)]
    return Part(name, *part)


def _together(points: Iterable[FigurePoint]) -> list[int]:
    sums = [0] * (len(LONG_SECONDS) + 1)
    for point in points:
        for place, count in enumerate(point.seconds):
            sums[place] += count
    return sums


def percentiles(counts: Sequence[int]) -> Percentiles:
    """Return the percentiles of a histogram with the bounds `LONG_SECONDS`."""
    return Percentiles(*(_quantile(counts, share) for share in (0.5, 0.95, 0.99)))


def _quantile(counts: Sequence[int], share: float) -> float | None:
    """Within a part of the histogram, values count as spread evenly."""
    wanted = share * sum(counts)
    if not wanted:
        return None
    seen = 0
    for place, count in enumerate(counts):
        if count and seen + count >= wanted:
            if place == len(LONG_SECONDS):
                break
            low = LONG_SECONDS[place - 1] if place else 0.0
            return round(low + (LONG_SECONDS[place] - low) * (wanted - seen) / count, 6)
        seen += count
    return LONG_SECONDS[-1]
