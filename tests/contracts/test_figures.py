"""Figures: added to minutes and hours, read by time, stream and provider, forgotten."""

from postroad.model import HOUR_SECONDS, MINUTE_SECONDS, Figure, FiguresCounted
from postroad.ports import FigurePoint
from postroad.storage.bounds import FIGURE_DAYS
from tests.contracts.stores import Store, commit

DAY = 86_400
BEGIN = 20_000 * DAY  # of a day, so of an hour and of a minute, too


def counted(at: float, *figures: Figure, seconds: tuple[int, ...] = ()) -> FiguresCounted:
    return FiguresCounted(at, figures, seconds)


async def test_what_processes_count_is_added_up(store: Store) -> None:
    before = len(await store.journey.after(0))
    await commit(
        store,
        counted(BEGIN + 1.5, Figure("", "", 3), Figure("", "local", 0, 2), seconds=(0, 2)),
        counted(BEGIN + 59.9, Figure("", "local", 0, 1, 5), Figure("news", "google", 0, 0, 0, 4)),
        counted(BEGIN + 61.0, Figure("", "", 1, 0, 0, 0, 0), seconds=(1, 0, 0, 7)),
        counted(BEGIN + HOUR_SECONDS, Figure("", "google", 0, 0, 0, 0, 6)),
    )
    end = BEGIN + DAY
    figures = store.figures
    assert await figures.over_time(MINUTE_SECONDS, BEGIN, end, MINUTE_SECONDS) == [
        FigurePoint(BEGIN, 3, 3, 5, 4, 0, (0, 2)),
        FigurePoint(BEGIN + 60, 1, seconds=(1, 0, 0, 7)),
        FigurePoint(BEGIN + HOUR_SECONDS, 0, 0, 0, 0, 6),
    ]
    whole = [
        FigurePoint(BEGIN, 4, 3, 5, 4, 0, (1, 2, 0, 7)),
        FigurePoint(BEGIN + HOUR_SECONDS, 0, 0, 0, 0, 6),
    ]
    assert await figures.over_time(MINUTE_SECONDS, BEGIN, end, HOUR_SECONDS) == whole
    assert await figures.over_time(HOUR_SECONDS, BEGIN, end, HOUR_SECONDS) == whole
    assert await figures.over_time(HOUR_SECONDS, BEGIN, BEGIN + HOUR_SECONDS, DAY) == whole[:1]
    assert await figures.totals(MINUTE_SECONDS, BEGIN, end) == [
        Figure("", "", 4),
        Figure("", "google", 0, 0, 0, 0, 6),
        Figure("", "local", 0, 3, 5),
        Figure("news", "google", 0, 0, 0, 4),
    ]
    assert await figures.totals(MINUTE_SECONDS, BEGIN + 60, BEGIN + 120) == [Figure("", "", 1)]
    assert len(await store.journey.after(0)) == before, "it is not of the journey"


async def test_the_old_is_forgotten_minutes_before_hours(store: Store) -> None:
    first = counted(BEGIN, Figure("", "", 1), seconds=(1,))
    await commit(store, first)
    edge = BEGIN + FIGURE_DAYS[MINUTE_SECONDS] * DAY
    await commit(store, counted(edge, Figure("", "", 1)))
    everything = (0, BEGIN + 1000 * DAY, MINUTE_SECONDS)
    assert [p.at for p in await store.figures.over_time(60, *everything)] == [BEGIN, edge]
    await commit(store, counted(edge + 60, Figure("", "", 1)))
    assert [p.at for p in await store.figures.over_time(60, *everything)] == [edge, edge + 60]
    by_hour = await store.figures.over_time(3600, 0, BEGIN + 1000 * DAY, 3600)
    assert by_hour == [FigurePoint(BEGIN, 1, seconds=(1,)), FigurePoint(edge, 2)]
