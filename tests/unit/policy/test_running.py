import asyncio
from collections.abc import Callable

import pytest

from postroad.policy import ACCEPT, Verdict
from postroad.policy.running import MAX_RUNAWAYS, CheckFailed, CheckLate, ForeignChecks, finish


async def accepts() -> Verdict:
    return ACCEPT


async def swallows(ended: asyncio.Event) -> Verdict:
    """Goes on, however often it is cancelled."""
    while not ended.is_set():
        try:
            await ended.wait()
        except asyncio.CancelledError:
            continue
    return ACCEPT


def exits() -> SystemExit:
    return SystemExit(3)


@pytest.mark.parametrize("error", [exits, KeyboardInterrupt, asyncio.CancelledError])
async def test_nothing_but_exceptions_gets_out(error: Callable[[], BaseException]) -> None:
    async def raises() -> Verdict:
        raise error()

    with pytest.raises(CheckFailed):
        await ForeignChecks(1.0).run("x", raises())


async def test_our_own_cancellation_is_obeyed() -> None:
    ended = asyncio.Event()

    async def waits() -> Verdict:
        try:
            await asyncio.sleep(60)
        finally:
            ended.set()
        return ACCEPT

    asking = asyncio.ensure_future(ForeignChecks(60.0).run("x", waits()))
    await asyncio.sleep(0.001)
    asking.cancel()
    with pytest.raises(asyncio.CancelledError):
        await asking
    await asyncio.wait_for(ended.wait(), 5)


async def test_a_check_that_does_not_end_is_asked_no_more() -> None:
    checks = ForeignChecks(0.001)
    ended = asyncio.Event()
    for _ in range(MAX_RUNAWAYS):
        with pytest.raises(CheckLate):
            await checks.run("x", swallows(ended))
    with pytest.raises(CheckFailed, match="20 calls of x do not end"):
        await checks.run("x", accepts())
    assert await checks.run("another", accepts()) is ACCEPT
    ended.set()
    while checks._runaways["x"]:
        await asyncio.sleep(0.001)
    assert await checks.run("x", accepts()) is ACCEPT


async def test_a_task_of_ours_that_is_cancelled_fails() -> None:
    task = asyncio.ensure_future(accepts())
    task.cancel()
    with pytest.raises(CheckFailed, match="cancelled"):
        await finish(task, 1.0)
