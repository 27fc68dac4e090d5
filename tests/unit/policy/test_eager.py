import asyncio

import pytest

from postroad.policy import eager


async def later(value: int) -> int:
    await asyncio.sleep(0.001)
    return value


async def at_once(value: int) -> int:
    return value


async def fails_at_once() -> int:
    raise LookupError


async def fails_later() -> int:
    await asyncio.sleep(0)
    raise LookupError


async def test_no_task_for_what_never_waits() -> None:
    outcome = eager.start(at_once(3), asyncio.get_running_loop())
    assert isinstance(outcome, eager.Done)
    assert outcome.result() == 3


async def test_a_task_for_what_waits() -> None:
    outcome = eager.start(later(4), asyncio.get_running_loop())
    assert isinstance(outcome, asyncio.Task)
    assert await outcome == 4


async def test_errors_before_and_after_the_first_wait() -> None:
    with pytest.raises(LookupError):
        eager.start(fails_at_once(), asyncio.get_running_loop())
    task = eager.start(fails_later(), asyncio.get_running_loop())
    assert isinstance(task, asyncio.Task)
    with pytest.raises(LookupError):
        await task


async def test_cancelling_reaches_the_coroutine() -> None:
    seen = []

    async def cleans_up() -> str:
        try:
            await asyncio.sleep(60)
        except asyncio.CancelledError:
            seen.append("cancelled")
            await asyncio.sleep(0)  # cleaning up may wait too
            seen.append("cleaned up")
            raise
        return "never"

    task = eager.start(cleans_up(), asyncio.get_running_loop())
    assert isinstance(task, asyncio.Task)
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert seen == ["cancelled", "cleaned up"]


async def test_several_waits_and_a_future() -> None:
    loop = asyncio.get_running_loop()
    future: asyncio.Future[int] = loop.create_future()
    loop.call_later(0.001, future.set_result, 5)

    async def several() -> int:
        await asyncio.sleep(0)
        value = await future
        return value + await later(1)

    outcome = eager.start(several(), loop)
    assert isinstance(outcome, asyncio.Task)
    assert await outcome == 6
