"""Where deliveries wait: lanes (a domain, until its route is known) and destinations (a host set).

Pure bookkeeping without waiting. Back-off and concurrency belong to the destination, so one that is
slow or dead takes nothing from another.
"""

from collections import deque

from postroad.model import Reply, Route
from postroad.ports import Session
from postroad.queue.inventory import Inventory, Job
from postroad.queue.pace import Pace, Rate, Throttle
from postroad.queue.schedule import growing
from postroad.queue.settings import QueueSettings
from postroad.queue.tally import Counts


class Backoff:
    """For how long something that failed is left alone, and why."""

    __slots__ = ("_settings", "failures", "reply", "until")

    def __init__(self, settings: QueueSettings) -> None:
        self._settings = settings
        self.failures = 0
        self.until = 0.0
        self.reply: Reply | None = None

    def fail(self, reply: Reply, now: float, random: float) -> None:
        """It failed (again): wait longer, from half to all of the growing delay."""
        settings = self._settings
        self.failures += 1
        delay = growing(settings.backoff_first_seconds, settings.backoff_max_seconds, self.failures)
        self.until = now + delay * (0.5 + random / 2)
        self.reply = reply

    def clear(self) -> None:
        """It works, or an operator says so."""
        self.failures = 0
        self.until = 0.0
        self.reply = None

    def holds(self, now: float) -> bool:
        """Whether it is to be left alone now. A clock that steps far back ends it."""
        return now < self.until <= now + self._settings.backoff_max_seconds


class Destination:
    """All that goes over the same sessions: the jobs that wait, in order, and the sessions.

    `limit` is how many workers it may have. It grows by one with each round of successes and halves
    with each failed session (additive increase, multiplicative decrease).
    """

    __slots__ = (
        "_settings",
        "active",
        "backoff",
        "batch",
        "counts",
        "domains",
        "failed_sessions",
        "idle",
        "in_turn",
        "jobs",
        "key",
        "limit",
        "pace",
        "resuming",
        "route",
        "starting",
        "throttle",
    )

    def __init__(self, route: Route, settings: QueueSettings) -> None:
        self.key = route.key
        self.route = route
        self.domains: set[str] = set()
        self.jobs: deque[Job] = deque()
        self.active = 0
        self.starting = 0
        self.idle: list[tuple[Session, float]] = []  # the newest last
        self.limit = float(settings.concurrency_initial)
        self.batch = 1
        self.failed_sessions = 0
        self.backoff = Backoff(settings)
        self.in_turn = False
        self.throttle: Throttle | None = None
        self.counts: dict[str, Counts] = {}  # of its provider, by stream
        self.pace: Pace | None = None
        self.resuming = False  # its jobs wait for their time
        self._settings = settings

    @property
    def resting(self) -> bool:
        """Whether nothing waits, works or is open here."""
        return not (self.jobs or self.active or self.idle)

    @property
    def who(self) -> str:
        """Who runs it, or what it is called."""
        return self.route.provider or self.route.domain

    def wanted(self) -> int:
        """How many more workers would be of use now."""
        if not self.jobs:
            return 0
        useful = -(-len(self.jobs) // self.batch) - self.starting
        most = min(useful, int(self.limit) - self.active)
        if self.throttle is not None:
            most = min(most, self.throttle.free())
        return 0 if self.resuming else most

    def wait(self, now: float) -> float:
        """Return for how many seconds nothing may be sent; only asked where there is a limit."""
        pace = self.pace
        if pace is not None and pace.recovered(now):
            self.pace = pace = None
        waits = [each.wait(now) for each in self._rates(pace)]
        return max(waits, default=0.0)

    def allowed(self, batch: int, now: float) -> int:
        """Return how many of a batch may go now; only asked where there is a limit."""
        return min([batch, *(each.allowed(now) for each in self._rates(self.pace))])

    def spend(self, count: int, now: float) -> None:
        """So many go now."""
        for each in self._rates(self.pace):
            each.spend(count, now)

    def _rates(self, pace: Pace | None) -> list[Rate]:
        found = [None if pace is None else pace.rate]
        if self.throttle is not None:
            found.append(self.throttle.rate)
        return [each for each in found if each is not None]

    def slow_down(self, reply: Reply, now: float) -> str:
        """It asks us to. Return in words what it gets from now on, ``""`` where it just said so."""
        why = str(reply)
        pace = self.pace
        alone = self.limit < 2
        if pace is None or pace.recovered(now):
            pace = self.pace = Pace(now, self._settings.recover_seconds, why)
        elif pace.too_soon(now):
            return ""
        pace.complained(now, why, alone=alone)
        self.limit = max(1.0, self.limit / 2)
        if pace.rate is not None:
            return f"{pace.rate.per_minute:g} messages a minute from now on"
        return f"{int(self.limit)} session{'s' if self.limit >= 2 else ''} at most from now on"

    def take(self, batch: int, now: float, inventory: Inventory) -> list[Job]:
        """Return up to `batch` jobs; workers that are about to come get their share too."""
        self.batch = max(1, batch)
        waiting = self.jobs
        share = -(-len(waiting) // (self.starting + 1))
        taken: list[Job] = []
        for _ in range(min(batch, share)):
            job = waiting.popleft()
            if inventory.take(job, now):
                taken.append(job)
        return taken

    def succeeded(self) -> None:
        """A session served us well."""
        self.failed_sessions = 0
        self.limit = min(self.limit + 1 / self.limit, float(self._settings.concurrency_max))
        if self.backoff.failures:
            self.backoff.clear()

    def struggled(self) -> bool:
        """A session ended without bringing anything; return whether there were too many of these."""
        self.limit = max(1.0, self.limit / 2)
        self.failed_sessions += 1
        return self.failed_sessions >= self._settings.failed_sessions_before_backoff

    def collapsed(self, reply: Reply, now: float, random: float) -> None:
        """It cannot be reached: leave it alone for a while, then try with a single session."""
        self.limit = 1.0
        self.failed_sessions = 0
        self.backoff.fail(reply, now, random)


class Lane:
    """One domain on its way to a destination, from one pool of source addresses. Jobs wait in `pending`
    only while it is being routed.
    """

    __slots__ = ("backoff", "destination", "domain", "expires_at", "pending", "pool", "routing")

    def __init__(self, domain: str, settings: QueueSettings, pool: str = "") -> None:
        self.domain = domain
        self.pool = pool
        self.destination: Destination | None = None
        self.expires_at = 0.0
        self.pending: list[Job] = []
        self.routing = False
        self.backoff = Backoff(settings)

    def blocked(self, now: float, free: int) -> bool:
        """Whether no more should be taken in for it: it is left alone, or holds as much as is free.

        The second rule shares the memory: however many destinations stand still, some of it stays free
        for the others.
        """
        if self.backoff.holds(now) or len(self.pending) >= free:
            return True
        destination = self.destination
        return destination is not None and (
            destination.backoff.holds(now) or len(destination.jobs) >= free
        )
