import math

import pytest

from bench.figures import Better, Figures, Goal, Met, median, met, percentile, ratio, spread


def test_the_median_is_the_middle_or_between_the_two_in_the_middle() -> None:
    assert median([5, 1, 3]) == 3
    assert median([4, 1, 2, 3]) == 2.5
    assert median([7]) == 7


def test_percentiles_are_interpolated() -> None:
    values = list(range(101))
    assert percentile(values, 0.99) == 99
    assert percentile([10, 20], 0.5) == 15
    assert percentile([10, 20], 0) == 10
    assert percentile([10, 20], 1) == 20


@pytest.mark.parametrize(("values", "share"), [([], 0.5), ([1.0], 1.1), ([1.0], -0.1)])
def test_percentiles_of_nothing_are_refused(values: list[float], share: float) -> None:
    with pytest.raises(ValueError, match=r"no values|not between"):
        percentile(values, share)


def test_spread_is_a_share_of_the_median() -> None:
    assert spread([90, 100, 110]) == pytest.approx(0.2)
    assert spread([0, 0]) == 0


def test_a_ratio_above_one_is_always_better_for_us() -> None:
    figures = Figures(ours=(10, 40, 20), peer=(5, 5, 5))
    assert ratio(figures, Better.HIGHER) == 4
    assert ratio(figures, Better.LOWER) == 0.25
    assert ratio(Figures(ours=(1,)), Better.HIGHER) is None
    assert ratio(Figures(ours=(1,), peer=(0,)), Better.HIGHER) == math.inf


@pytest.mark.parametrize(
    ("ours", "verdict"), [(70, Met.AIM), (69, Met.MUST), (40, Met.MUST), (39.9, Met.MISSED)]
)
def test_goals_against_a_peer_are_ratios(ours: float, verdict: Met) -> None:
    figures = Figures(ours=(ours,), peer=(10,))
    assert met(figures, Better.HIGHER, Goal(must=4, aim=7)) is verdict


@pytest.mark.parametrize(
    ("ours", "verdict"), [(5, Met.AIM), (5.1, Met.MUST), (20, Met.MUST), (20.1, Met.MISSED)]
)
def test_goals_without_a_peer_are_figures(ours: float, verdict: Met) -> None:
    assert met(Figures(ours=(ours,)), Better.LOWER, Goal(must=20, aim=5)) is verdict


def test_a_lower_figure_that_is_better_gives_a_ratio_that_is_higher() -> None:
    figures = Figures(ours=(10,), peer=(600,))
    assert met(figures, Better.LOWER, Goal(must=5, aim=50)) is Met.AIM


def test_without_a_goal_nothing_is_missed() -> None:
    assert met(Figures(ours=(1,), peer=(100,)), Better.HIGHER, Goal()) is Met.NO_GOAL
    assert met(Figures(ours=(1,)), Better.HIGHER, Goal(aim=2)) is Met.NO_GOAL
