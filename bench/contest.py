"""A contest: two sides that do the same work in turns, and the rows that come of it.

A contest starts its servers once, runs each side until it is warm, and then runs ours, theirs, ours,
theirs … so that whatever the machine does meanwhile hits both. A run gives one figure per row.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from contextlib import ExitStack

from msgspec import Struct

from bench.figures import Better, Figures, Goal, Met, median, met, ratio

WARM_UP_RUNS = 4
STEADY = 0.1
"""By how much two runs of a side that is warm may differ."""

Side = Callable[[], Sequence[float]]
"""One run of one side: a figure for each row of the contest."""


class Row(Struct, frozen=True):
    """A line of the table. `peer_name` is empty where nobody is compared with."""

    name: str
    title: str
    unit: str
    peer_name: str = ""
    better: Better = Better.HIGHER
    goal: Goal = Goal()


class Result(Struct, frozen=True, omit_defaults=True):
    """A row as it was measured, or why it was not (`skipped`)."""

    name: str
    title: str
    unit: str
    better: Better
    peer_name: str = ""
    ours: float | None = None
    peer: float | None = None
    ratio: float | None = None
    must: float | None = None
    aim: float | None = None
    met: Met = Met.NO_GOAL
    runs_ours: tuple[float, ...] = ()
    runs_peer: tuple[float, ...] = ()
    skipped: str = ""


class Scale(Struct, frozen=True):
    """How much is measured: `runs` of each side, and with `quick` only a fifth of the messages."""

    runs: int = 5
    quick: bool = False

    def of(self, count: int, *, least: int = 1) -> int:
        """Return how many to do where `count` is the full measure."""
        return max(least, count // 5) if self.quick else count


class Contest(ABC):
    """Something to measure. `name` is what `--only` takes."""

    name: str
    rows: tuple[Row, ...]
    seconds: float = 25.0  # about how long it takes with five runs, for the progress bar
    warm_up: bool = True
    max_runs: int | None = None

    @abstractmethod
    def open(self, stack: ExitStack, scale: Scale) -> tuple[Side, Side | None]:
        """Start the servers; return our side and the peer's.

        Raises `PeerUnavailable` where a peer cannot run here.
        """


def run(contest: Contest, scale: Scale, progress: Callable[[str], None]) -> list[Result]:
    """Measure a contest. Raises what its sides raise."""
    runs = min(scale.runs, contest.max_runs or scale.runs)
    ours: list[Sequence[float]] = []
    theirs: list[Sequence[float]] = []
    with ExitStack() as stack:
        progress("starting")
        us, peer = contest.open(stack, scale)
        if contest.warm_up:
            progress("warming up")
            _warm_up(us)
            if peer is not None:
                _warm_up(peer)
        for number in range(1, runs + 1):
            progress(f"run {number} of {runs}")
            ours.append(us())
            if peer is not None:
                theirs.append(peer())
    return [
        result(
            row,
            Figures(
                tuple(float(each[index]) for each in ours),
                tuple(float(each[index]) for each in theirs),
            ),
        )
        for index, row in enumerate(contest.rows)
    ]


def _warm_up(side: Side) -> None:
    """Run until the first figures of two runs agree, or that has gone on for long enough."""
    last = side()[0]
    for _ in range(WARM_UP_RUNS - 1):
        before, last = last, side()[0]
        if abs(last - before) <= STEADY * max(last, before):
            return


def result(row: Row, figures: Figures) -> Result:
    """Return what the figures say about a row."""
    return Result(
        name=row.name,
        title=row.title,
        unit=row.unit,
        better=row.better,
        peer_name=row.peer_name,
        ours=median(figures.ours),
        peer=median(figures.peer) if figures.peer else None,
        ratio=ratio(figures, row.better),
        must=row.goal.must,
        aim=row.goal.aim,
        met=met(figures, row.better, row.goal),
        runs_ours=figures.ours,
        runs_peer=figures.peer,
    )


def skipped(row: Row, why: str) -> Result:
    """Return a row that could not be measured."""
    return Result(
        name=row.name,
        title=row.title,
        unit=row.unit,
        better=row.better,
        peer_name=row.peer_name,
        must=row.goal.must,
        aim=row.goal.aim,
        skipped=why,
    )
