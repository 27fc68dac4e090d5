"""How fast we may go: what an operator allows a provider, and what a provider asks of us.

Pure bookkeeping on times that are given. A server that answers 421 or 4.7.x is told from one that is
broken: it gets half as many sessions from us and, when it has but one, so many messages a minute; each
further complaint halves that, and each quiet while doubles it, until nothing is left of it.
"""

from typing import TYPE_CHECKING

from postroad.message.bounce.classify import Category, classify
from postroad.model import Outcome, TemporaryFailure

if TYPE_CHECKING:
    from postroad.queue.destination import Destination

SLOW_FIRST_PER_MINUTE = 60.0
SLOW_LAST_PER_MINUTE = 1.0
COMPLAINTS_TOGETHER_SECONDS = 10.0
_MINUTE = 60.0
_NOT_ABOUT_SPEED = frozenset(
    {
        Category.GREYLISTED,
        Category.MAILBOX_FULL,
        Category.NO_SUCH_USER,
        Category.INACTIVE_USER,
        Category.AUTH_REQUIRED,
    }
)


class Rate:
    """So many messages a minute, evenly: after a pause a second's worth at once, and at least one."""

    __slots__ = ("_at", "_most", "_there", "per_minute")

    def __init__(self, per_minute: float) -> None:
        self.per_minute = per_minute
        self._most = max(1.0, per_minute / _MINUTE)
        self._there = self._most
        self._at = 0.0

    def allowed(self, now: float) -> int:
        """Return how many may go now."""
        return int(self._upto(now) + 1e-9)

    def spend(self, count: int, now: float) -> None:
        """So many go."""
        self._there = self._upto(now) - count

    def wait(self, now: float) -> float:
        """Return for how many seconds none may go; 0: one may."""
        lacking = 1.0 - self._upto(now)
        return max(0.0, lacking * _MINUTE / self.per_minute) if lacking > 1e-9 else 0.0

    def _upto(self, now: float) -> float:
        passed = max(0.0, now - self._at)
        self._at = now
        self._there = min(self._most, self._there + passed * self.per_minute / _MINUTE)
        return self._there


class Throttle:
    """What an operator allows one provider, over all destinations that it runs. 0: no limit."""

    def __init__(self, name: str, per_minute: float, concurrency: int) -> None:
        self.name = name
        self.rate = Rate(per_minute) if per_minute else None
        self.concurrency = concurrency
        self.active = 0
        self.destinations: dict[str, Destination] = {}

    def free(self) -> int:
        """Return how many more sessions there may be."""
        return self.concurrency - self.active if self.concurrency else 1 << 30


class Pace:
    """What a destination has asked of us. `per_minute` is None while fewer sessions are enough."""

    __slots__ = ("_changed_at", "_recover_seconds", "rate", "since", "why")

    def __init__(self, now: float, recover_seconds: float, why: str) -> None:
        self.since = now
        self.why = why
        self.rate: Rate | None = None
        self._changed_at = now
        self._recover_seconds = recover_seconds

    def complained(self, now: float, why: str, *, alone: bool) -> None:
        """It complained again; `alone`: it has a single session from us already."""
        self.why = why
        self._changed_at = now
        if self.rate is not None:
            self.rate = Rate(max(SLOW_LAST_PER_MINUTE, self.rate.per_minute / 2))
        elif alone:
            self.rate = Rate(SLOW_FIRST_PER_MINUTE)

    def too_soon(self, now: float) -> bool:
        """Whether a complaint belongs to the one before it: many sessions hear the same at once."""
        return self.since < now < self._changed_at + COMPLAINTS_TOGETHER_SECONDS

    def recovered(self, now: float) -> bool:
        """Take into account that all was quiet since; return whether nothing is left of it."""
        while now >= self._changed_at + self._recover_seconds:
            if self.rate is None or self.rate.per_minute >= SLOW_FIRST_PER_MINUTE:
                return True
            self.rate = Rate(self.rate.per_minute * 2)
            self._changed_at += self._recover_seconds
        return False


def asks_to_slow_down(outcome: Outcome) -> bool:
    """Whether a server means our speed: 421, or 4.7.x that is not about the recipient or greylisting."""
    if not isinstance(outcome, TemporaryFailure):
        return False
    reply = outcome.reply
    if reply.code != 421 and not reply.enhanced.startswith("4.7."):
        return False
    return classify(reply).category not in _NOT_ABOUT_SPEED
