"""How often a key, or a client without one, may ask: one bucket for each, bounded in number.

A bucket that is full again is forgotten; where there are too many, the oldest go, which forgives.
"""

from msgspec import Struct

MAX_BUCKETS = 10_000


class Standing(Struct, frozen=True):
    """What is left now, and how many seconds until there is one more (or all again)."""

    allowed: bool
    remaining: int
    wait_seconds: float


class Rates:
    """Token buckets: `per_second` over time, `at_once` in a burst."""

    def __init__(self, per_second: float, at_once: int) -> None:
        self.per_second = per_second
        self.at_once = at_once
        self._full_at: dict[str, float] = {}  # when each bucket will be full

    def take(self, who: str, now: float) -> Standing:
        """Take one from a bucket, if there is one; `now` in seconds, never going back."""
        full_at = max(self._full_at.pop(who, now), now)
        if len(self._full_at) >= MAX_BUCKETS:
            self._forget(now)
        each = 1 / self.per_second
        after = full_at + each
        missing = (after - now) * self.per_second
        if missing > self.at_once + 1e-9:
            self._full_at[who] = full_at
            return Standing(False, 0, after - now - self.at_once * each)
        self._full_at[who] = after
        return Standing(True, int(self.at_once - missing + 1e-9), after - now)

    def _forget(self, now: float) -> None:
        for who in [who for who, full_at in self._full_at.items() if full_at <= now]:
            del self._full_at[who]
        while len(self._full_at) >= MAX_BUCKETS:
            del self._full_at[next(iter(self._full_at))]
