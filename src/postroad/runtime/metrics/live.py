"""What each process of a server last said of itself: a small file that is replaced every few seconds.

Several worker processes share the ports, and commands run beside the server: so each process leaves its
counters and how its queue stands in ``live/NUMBER.json`` in the data directory. Nothing is lost with
such a file, so it is not synced, and a disk that is full costs only the view.
"""

import contextlib
import os
import time
from collections import deque
from collections.abc import Awaitable, Callable
from pathlib import Path

import msgspec
import structlog
from msgspec import Struct

from postroad.ports import Clock
from postroad.queue.look import QueueLook
from postroad.runtime.metrics.collect import Point, Sources, collect

log = structlog.get_logger("postroad.metrics")

EVERY_SECONDS = 2.0
STALE_SECONDS = 15.0
_OVER_SECONDS = 20.0
_DIRECTORY = "live"
_MAX_FILES = 1000

RATES = ("accepted", "delivered", "deferred", "bounced", "unknown")


class Snapshot(Struct, frozen=True):
    """One process at the moment `at` (seconds since 1970). `rates` are per second, over the last
    20 seconds, in the order of `RATES`; `blocked` are source addresses: (address, provider, until, why).
    """

    at: float
    worker: int
    pid: int
    points: tuple[Point, ...]
    look: QueueLook
    rates: tuple[float, ...] = (0.0,) * len(RATES)
    blocked: tuple[tuple[str, str, float, str], ...] = ()


_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder(Snapshot).decode

Blocked = Callable[[], tuple[tuple[str, str, float, str], ...]]


class Live:
    """Takes snapshots of this process and leaves them for others."""

    def __init__(self, data_dir: Path, sources: Sources, clock: Clock, blocked: Blocked) -> None:
        self._directory = data_dir / _DIRECTORY
        self._sources = sources
        self._clock = clock
        self._blocked = blocked
        self._past: deque[tuple[float, tuple[float, ...]]] = deque()
        self._failed = False

    def snapshot(self) -> Snapshot:
        """Return how this process stands now."""
        sources = self._sources
        look = sources.look()
        points = tuple(collect(sources, look))
        now = self._clock.monotonic()
        return Snapshot(
            self._clock.now(),
            sources.worker,
            os.getpid(),
            points,
            look,
            self._rates(_totals(points), now),
            self._blocked(),
        )

    def others(self) -> list[Snapshot]:
        """Return what the other processes of this server last said."""
        found = read(self._directory.parent, self._clock.now())
        return [each for each in found if each.worker != self._sources.worker]

    async def run(self) -> None:
        """Leave a snapshot every few seconds until cancelled, and none behind."""
        try:
            while True:
                self.leave()
                await self._clock.sleep(EVERY_SECONDS)
        finally:
            with contextlib.suppress(OSError):
                self._path.unlink(missing_ok=True)

    def leave(self) -> None:
        """Leave a snapshot now."""
        fresh = self._path.with_suffix(".new")
        try:
            self._directory.mkdir(mode=0o700, exist_ok=True)
            fresh.write_bytes(_encode(self.snapshot()))
            fresh.replace(self._path)
            self._failed = False
        except OSError as error:
            if not self._failed:
                log.warning("how this process stands cannot be told to others", error=str(error))
            self._failed = True

    @property
    def _path(self) -> Path:
        return self._directory / f"{self._sources.worker}.json"

    def _rates(self, totals: tuple[float, ...], now: float) -> tuple[float, ...]:
        past = self._past
        past.append((now, totals))
        while len(past) > 1 and past[0][0] < now - _OVER_SECONDS:
            past.popleft()
        then, before = past[0]
        if now - then < 0.1:
            return (0.0,) * len(RATES)
        pairs = zip(totals, before, strict=True)
        return tuple(round((after - early) / (now - then), 3) for after, early in pairs)


def _totals(points: tuple[Point, ...]) -> tuple[float, ...]:
    totals = dict.fromkeys(RATES, 0.0)
    for point in points:
        if point.name == "postroad_messages_accepted":
            totals["accepted"] += point.value
        elif point.name == "postroad_delivery_outcomes":
            totals[point.labels[-1]] += point.value
    return tuple(totals.values())


def read(data_dir: Path, now: float) -> list[Snapshot]:
    """Return what the processes of a server said lately; none where it does not run."""
    found = []
    with contextlib.suppress(OSError):
        for path in sorted((data_dir / _DIRECTORY).glob("*.json"))[:_MAX_FILES]:
            try:
                snapshot = _decode(path.read_bytes())
            except (OSError, msgspec.DecodeError):
                continue  # being replaced, or of another version
            if abs(now - snapshot.at) <= STALE_SECONDS:
                found.append(snapshot)
    return found


class Shared:
    """What all processes of a server share: counts of the store, asked at most every few seconds."""

    def __init__(self, counts: Callable[[], Awaitable[dict[str, int]]], version: str) -> None:
        self._counts = counts
        self._version = version
        self._asked_at = float("-inf")
        self._known: dict[str, int] = {}

    async def points(self) -> list[Point]:
        """Return the values. Raises `StorageError`."""
        now = time.monotonic()
        if now - self._asked_at >= STALE_SECONDS:
            self._known = await self._counts()
            self._asked_at = now
        return [
            Point("postroad_build", (self._version,), 1),
            *(Point("postroad_queue_deliveries", (s,), n) for s, n in self._known.items()),
        ]
