"""Figures: medians, percentiles, ratios, and whether a goal is met. Pure."""

import math
from collections.abc import Sequence
from enum import Enum

from msgspec import Struct


class Better(Enum):
    """Which way is better for a figure."""

    HIGHER = "higher"
    LOWER = "lower"


class Met(Enum):
    """How far a goal is met."""

    AIM = "aim"
    MUST = "must"
    MISSED = "missed"
    NO_GOAL = "no goal"


class Goal(Struct, frozen=True):
    """What has to be reached, and what would be splendid; None where nothing is asked.

    With a peer both are ratios, of which more is better. Without one both are figures in the row's
    own unit.
    """

    must: float | None = None
    aim: float | None = None


class Figures(Struct, frozen=True):
    """What the runs of one row came to, in the order of the runs; no peer: `peer` is empty."""

    ours: tuple[float, ...]
    peer: tuple[float, ...] = ()


def median(values: Sequence[float]) -> float:
    """Return the middle value, or the mean of the two in the middle. Raises `ValueError` for none."""
    return percentile(values, 0.5)


def percentile(values: Sequence[float], share: float) -> float:
    """Return the value below which `share` (0 to 1) of the values lie, interpolated between two.

    Raises `ValueError` where there are no values or `share` is out of range.
    """
    if not values:
        raise ValueError("no values")
    if not 0 <= share <= 1:
        raise ValueError(f"a share of {share} is not between 0 and 1")
    ordered = sorted(values)
    position = share * (len(ordered) - 1)
    low = math.floor(position)
    high = math.ceil(position)
    return ordered[low] + (ordered[high] - ordered[low]) * (position - low)


def spread(values: Sequence[float]) -> float:
    """Return the distance of the extremes as a share of the median: 0.1 is 10 %."""
    middle = median(values)
    return (max(values) - min(values)) / middle if middle else 0.0


def ratio(figures: Figures, better: Better) -> float | None:
    """Return how many times better we are than the peer, by the medians; None without a peer."""
    if not figures.peer:
        return None
    ours, peer = median(figures.ours), median(figures.peer)
    if better is Better.LOWER:
        ours, peer = peer, ours
    return ours / peer if peer else math.inf


def met(figures: Figures, better: Better, goal: Goal) -> Met:
    """Return which part of the goal the medians reach."""
    against = ratio(figures, better)
    value = median(figures.ours) if against is None else against
    # A ratio is always better when it is higher; a bare figure goes its own way.
    sign = -1 if against is None and better is Better.LOWER else 1
    if goal.aim is not None and sign * value >= sign * goal.aim:
        return Met.AIM
    if goal.must is not None:
        return Met.MUST if sign * value >= sign * goal.must else Met.MISSED
    return Met.NO_GOAL
