"""`ports.FigureStore` in memory, and how its change is applied."""

from collections import defaultdict
from typing import TYPE_CHECKING

from postroad.model import Figure, FiguresCounted
from postroad.ports.figures import FigurePoint
from postroad.storage.bounds import FIGURE_DAYS
from postroad.storage.memory.state import State

if TYPE_CHECKING:
    from postroad.storage.memory.apply import Application

_COUNTS = ("accepted", "delivered", "deferred", "bounced", "unknown")


class MemoryFigures:
    """See `ports.FigureStore`."""

    def __init__(self, state: State) -> None:
        self._state = state

    async def over_time(
        self, span: int, since: int, until: int, step_seconds: int
    ) -> list[FigurePoint]:
        """Return sums for each step in which there was anything."""
        sums: dict[int, list[int]] = defaultdict(lambda: [0] * len(_COUNTS))
        parts: dict[int, dict[int, int]] = defaultdict(dict)
        for (of, at, _, _), counts in self._state.figures.items():
            if of == span and since <= at < until:
                place = at // step_seconds * step_seconds
                sums[place] = [a + b for a, b in zip(sums[place], counts, strict=True)]
        for (of, at, part), count in self._state.figure_seconds.items():
            if of == span and since <= at < until:
                found = parts[at // step_seconds * step_seconds]
                found[part] = found.get(part, 0) + count
        return [
            FigurePoint.of(at, sums[at], parts[at]) for at in sorted(sums.keys() | parts.keys())
        ]

    async def totals(self, span: int, since: int, until: int) -> list[Figure]:
        """Return sums by stream and provider."""
        sums: dict[tuple[str, str], list[int]] = defaultdict(lambda: [0] * len(_COUNTS))
        for (of, at, stream, provider), counts in self._state.figures.items():
            if of == span and since <= at < until:
                key = stream, provider
                sums[key] = [a + b for a, b in zip(sums[key], counts, strict=True)]
        return [Figure(*key, *counts) for key, counts in sorted(sums.items())]


def count(do: "Application", change: FiguresCounted) -> None:
    """Add to the sums of both spans, and forget the old."""
    state = do.state
    for span, days in FIGURE_DAYS.items():
        at = int(change.at) // span * span
        for each in change.figures:
            key = (span, at, each.stream, each.provider)
            before = state.figures.get(key, (0,) * len(_COUNTS))
            more = [getattr(each, name) for name in _COUNTS]
            do.undo.put(
                state.figures, key, tuple([a + b for a, b in zip(before, more, strict=True)])
            )
        for part, number in enumerate(change.seconds):
            if number:
                place = (span, at, part)
                do.undo.put(
                    state.figure_seconds, place, state.figure_seconds.get(place, 0) + number
                )
        oldest = at - days * 86_400
        for old in [key for key in state.figures if key[0] == span and key[1] < oldest]:
            do.undo.delete(state.figures, old)
        for gone in [key for key in state.figure_seconds if key[0] == span and key[1] < oldest]:
            do.undo.delete(state.figure_seconds, gone)
