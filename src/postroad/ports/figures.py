"""Reading the figures that charts are drawn from."""

from collections.abc import Mapping, Sequence
from typing import Protocol

from msgspec import Struct

from postroad.model import Figure


class FigurePoint(Struct, frozen=True):
    """All streams and providers together, from `at` (seconds since 1970) on, for the seconds asked for.
    `seconds` as in `model.FiguresCounted`.
    """

    at: int
    accepted: int = 0
    delivered: int = 0
    deferred: int = 0
    bounced: int = 0
    unknown: int = 0
    seconds: tuple[int, ...] = ()

    @classmethod
    def of(cls, at: int, counts: Sequence[int], parts: Mapping[int, int]) -> "FigurePoint":
        """Return it of the counts in the order of the fields, and of `seconds` by place."""
        accepted, delivered, deferred, bounced, unknown = counts
        seconds = tuple([parts.get(place, 0) for place in range(max(parts, default=-1) + 1)])
        return cls(at, accepted, delivered, deferred, bounced, unknown, seconds)


class FigureStore(Protocol):
    """Reads figures. Raises `StorageError`.

    `span` is `MINUTE_SECONDS` or `HOUR_SECONDS`: which of the two kinds of sums is read. Times are
    seconds since 1970; `until` is not part of what is read.
    """

    async def over_time(
        self, span: int, since: int, until: int, step_seconds: int
    ) -> list[FigurePoint]:
        """Return sums for each `step_seconds` (a multiple of `span`) in which there was anything."""
        ...

    async def totals(self, span: int, since: int, until: int) -> list[Figure]:
        """Return sums by stream and provider, in that order."""
        ...
