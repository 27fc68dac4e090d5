"""Work beside the mail: what begins anew, what goes on, and what must not end."""

import asyncio

import pytest

from postroad.runtime.chores import Chore, Chores


class Work:
    def __init__(self) -> None:
        self.began = 0
        self.end = asyncio.Event()

    async def run(self) -> None:
        self.began += 1
        await self.end.wait()


async def turn() -> None:
    for _ in range(3):
        await asyncio.sleep(0)


async def test_only_what_is_made_of_other_settings_begins_anew() -> None:
    same, other, gone = Work(), Work(), Work()
    chores = Chores()
    chores.keep(
        [Chore("same", 1, same.run), Chore("other", 1, other.run), Chore("gone", 1, gone.run)]
    )
    await turn()
    before = chores.running
    chores.keep([Chore("same", 1, same.run), Chore("other", 2, other.run)])
    await turn()
    assert (same.began, other.began, gone.began) == (1, 2, 1)
    assert before["gone"].cancelled()
    assert before["other"].cancelled()
    assert list(chores.running) == ["same", "other"]
    await chores.stop()
    assert all(task.cancelled() for task in chores.running.values())
    assert not chores.failed.done()


async def test_what_ends_by_itself_is_a_failure() -> None:
    async def fail() -> None:
        raise OSError("disk")

    for work, words in ((fail, "disk"), (Work().run, "ended though nobody stopped it")):
        chores = Chores()
        chores.keep([Chore("x", None, work)])
        if work is not fail:
            work.__self__.end.set()  # type: ignore[attr-defined]
        error = await asyncio.wait_for(chores.failed, 1)
        assert words in str(error)
        await chores.stop()


async def test_at_the_end_it_may() -> None:
    work = Work()
    chores = Chores()
    chores.keep([Chore("x", None, work.run)])
    await turn()
    chores.may_end()
    work.end.set()
    await turn()
    await chores.stop()
    with pytest.raises(asyncio.InvalidStateError):
        chores.failed.result()
