"""Work that one node of all does: it begins where the duty is had, and ends where that is lost."""

import asyncio
import contextlib
from collections.abc import Callable, Coroutine

import structlog

from postroad.ports import EVERY_SECONDS, HOLD_SECONDS, Duties, StorageError

_DROP_SECONDS = 2.0  # it runs out anyway

log = structlog.get_logger("postroad.duty")


async def alone(
    duties: Duties,
    duty: str,
    work: Callable[[], Coroutine[object, object, None]],
    every_seconds: float = EVERY_SECONDS,
) -> None:
    """Do `work` while this node has the duty, until cancelled; what `work` raises is raised."""
    loop = asyncio.get_running_loop()
    while True:
        if not await _hold(duties, duty):
            await asyncio.sleep(every_seconds)
            continue
        task = loop.create_task(work(), name=duty)
        held_until = loop.time() + HOLD_SECONDS
        try:
            while loop.time() < held_until - every_seconds:
                await asyncio.wait([task], timeout=every_seconds)
                if task.done():
                    return task.result()
                asked_at = loop.time()
                held = await _hold(duties, duty)
                if held is False:
                    break  # another has it
                if held:
                    held_until = asked_at + HOLD_SECONDS
            log.info("another node does this now", duty=duty)
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
            with contextlib.suppress(StorageError, TimeoutError):
                async with asyncio.timeout(_DROP_SECONDS):
                    await duties.drop(duty)


async def _hold(duties: Duties, duty: str) -> bool | None:
    """Whether we have it; None where the store does not say."""
    try:
        return await duties.hold(duty)
    except StorageError as error:
        log.warning("nobody can say whose duty this is", duty=duty, error=str(error))
        return None
