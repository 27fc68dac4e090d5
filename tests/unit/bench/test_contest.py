from collections.abc import Callable, Sequence
from contextlib import ExitStack

import pytest

from bench.contest import Contest, Row, Scale, Side, result, run, skipped
from bench.figures import Better, Figures, Goal, Met


class Recorded(Contest):
    """Writes down the order of its runs."""

    name = "recorded"
    rows = (Row("recorded-a", "a", "s", "peer"), Row("recorded-b", "b", "s", "peer"))

    def __init__(self, *, alone: bool = False) -> None:
        self.calls: list[str] = []
        self._alone = alone

    def open(self, stack: ExitStack, scale: Scale) -> tuple[Side, Side | None]:
        stack.callback(self.calls.append, "closed")
        return self._side("ours", 2), None if self._alone else self._side("peer", 1)

    def _side(self, who: str, factor: float) -> Callable[[], Sequence[float]]:
        def once() -> Sequence[float]:
            self.calls.append(who)
            return factor * len(self.calls), factor

        return once


def test_sides_run_in_turns_after_a_warm_up() -> None:
    contest = Recorded()
    first, second = run(contest, Scale(runs=2), lambda _: None)
    # Both grow faster and faster, so each is warmed up for as long as that may take.
    assert contest.calls == ["ours"] * 4 + ["peer"] * 4 + ["ours", "peer"] * 2 + ["closed"]
    assert first.runs_ours == (18.0, 22.0)
    assert first.runs_peer == (10.0, 12.0)
    assert first.ours == 20
    assert first.ratio == pytest.approx(20 / 11)
    assert second.ratio == 2


def test_a_steady_side_is_warm_after_two_runs() -> None:
    class Steady(Recorded):
        def _side(self, who: str, factor: float) -> Callable[[], Sequence[float]]:
            once = super()._side(who, factor)
            return lambda: (100.0 + once()[0], factor)

    contest = Steady()
    run(contest, Scale(runs=1), lambda _: None)
    assert contest.calls == ["ours"] * 2 + ["peer"] * 2 + ["ours", "peer", "closed"]


def test_servers_are_stopped_when_a_side_fails() -> None:
    class Failing(Recorded):
        def _side(self, who: str, factor: float) -> Callable[[], Sequence[float]]:
            raise TimeoutError("too slow")

    contest = Failing()
    with pytest.raises(TimeoutError, match="too slow"):
        run(contest, Scale(), lambda _: None)
    assert contest.calls == ["closed"]


def test_a_contest_may_be_alone_and_may_want_one_run_only() -> None:
    contest = Recorded(alone=True)
    contest.max_runs, contest.warm_up = 1, False
    first, _ = run(contest, Scale(runs=5), lambda _: None)
    assert contest.calls == ["ours", "closed"]
    assert (first.peer, first.ratio, first.runs_peer) == (None, None, ())


def test_a_result_says_whether_its_goal_is_met() -> None:
    row = Row("r", "title", "ms", "peer", Better.LOWER, Goal(2, 5))
    found = result(row, Figures((10.0, 30.0, 20.0), (60.0, 60.0, 60.0)))
    assert (found.ours, found.peer, found.ratio, found.met) == (20, 60, 3, Met.MUST)


def test_a_skipped_row_keeps_its_goal_and_says_why() -> None:
    found = skipped(Row("r", "t", "ms", "peer", goal=Goal(4)), "postfix is not installed")
    assert (found.must, found.ours, found.skipped) == (4, None, "postfix is not installed")


def test_a_quick_scale_is_a_fifth() -> None:
    assert Scale(quick=True).of(1000) == 200
    assert Scale(quick=True).of(100, least=50) == 50
    assert Scale().of(1000) == 1000
