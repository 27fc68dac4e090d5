"""What the queue has done since the process began, by stream and by provider."""

from bisect import bisect_left
from collections import Counter
from collections.abc import Sequence

from postroad.model import (
    Delivered,
    LeasedDelivery,
    PermanentFailure,
    Route,
    RouteKind,
    TemporaryFailure,
)
from postroad.model.tally import LONG_SECONDS, Histogram
from postroad.ports import Attempt

MAX_PROVIDERS = 100
OTHERS = "other"
UNREACHED = "unreached"
"""Stands for who runs a destination that no way was found to, or none of whose hosts answered."""


class Counts:
    """How deliveries of one stream to one provider went; an outcome of each attempt and recipient."""

    __slots__ = ("bounced", "deferred", "delivered", "unknown")

    def __init__(self) -> None:
        self.delivered = 0
        self.deferred = 0
        self.bounced = 0
        self.unknown = 0

    def count(self, attempt: Attempt) -> bool:
        """Count the outcomes of one attempt; return whether every one was a delivery."""
        good = not attempt.untried
        for _, outcome in attempt.outcomes:
            if isinstance(outcome, Delivered):
                self.delivered += 1
                continue
            good = False
            if isinstance(outcome, TemporaryFailure):
                self.deferred += 1
            elif isinstance(outcome, PermanentFailure):
                self.bounced += 1
            else:
                self.unknown += 1
        return good


_NOBODY = Counts()  # stands for none yet


class Tally:
    """All counts. Of providers the first `MAX_PROVIDERS` are told apart, so labels stay few."""

    def __init__(self) -> None:
        self.accepted: Counter[str] = Counter()  # messages, by stream
        self.outcomes: dict[str, dict[str, Counts]] = {}  # by provider, stream
        self.seconds = Histogram(LONG_SECONDS)  # from acceptance to delivery
        self.attempt_seconds = Histogram(LONG_SECONDS)
        self.put_off = 0
        self.slowed = 0

    def of(self, route: Route) -> dict[str, Counts]:
        """Return the counts of who runs a route, by stream."""
        name = "local" if route.kind is RouteKind.LOCAL else route.provider or route.kind.value
        known = self.outcomes.get(name)
        if known is None:
            if len(self.outcomes) >= MAX_PROVIDERS:
                name = OTHERS
            known = self.outcomes.setdefault(name, {})
        return known

    def not_reached(self, leased: LeasedDelivery, attempt: Attempt) -> None:
        """Count the outcomes of a job whose destination could not be reached."""
        by_stream = self.outcomes.setdefault(UNREACHED, {})
        by_stream.setdefault(leased.message.stream, Counts()).count(attempt)

    def count(
        self,
        counts: dict[str, Counts],
        jobs: Sequence[LeasedDelivery],
        attempts: Sequence[Attempt],
    ) -> bool:
        """Count the outcomes of attempts; return whether every one was a delivery."""
        good = 0
        seconds = self.seconds
        bounds, bins = seconds.bounds, seconds.counts
        stream: str | None = None
        by_stream = _NOBODY
        for leased, attempt in zip(jobs, attempts, strict=True):
            message = leased.message
            if message.stream != stream:
                stream = message.stream
                known = counts.get(stream)
                if known is None:
                    known = counts[stream] = Counts()
                by_stream = known
            outcomes = attempt.outcomes
            if len(outcomes) == 1 and type(outcomes[0][1]) is Delivered:  # most
                by_stream.delivered += 1
                good += 1
            elif by_stream.count(attempt):
                good += 1
            else:
                continue
            took = attempt.ended_at - message.accepted_at
            bins[bisect_left(bounds, took)] += 1
            seconds.total += took
        if attempts:  # one of those that went together stands for all
            last = attempts[-1]
            self.attempt_seconds.observe(last.ended_at - last.started_at)
        return good == len(attempts)
