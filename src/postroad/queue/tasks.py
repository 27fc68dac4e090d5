"""Tasks that cannot fail unseen: every one is registered, and what it raises is logged."""

import asyncio
from collections.abc import Coroutine
from typing import Any

import structlog

from postroad.ports import Clock

log = structlog.get_logger("postroad.queue")


async def within(clock: Clock, seconds: float, work: Coroutine[Any, Any, Any]) -> bool:
    """Wait for `work`, at most so long by that clock, then cancel it; return whether it ended."""
    if seconds <= 0:
        work.close()
        return False
    working = asyncio.ensure_future(work)
    sleeping = asyncio.ensure_future(clock.sleep(seconds))
    try:
        await asyncio.wait((working, sleeping), return_when=asyncio.FIRST_COMPLETED)
        ended = working.done()
    finally:
        for task in (working, sleeping):
            task.cancel()
    if ended:
        working.result()
    return ended


class Tasks:
    """The running tasks of one owner."""

    def __init__(self) -> None:
        self._tasks: set[asyncio.Task[None]] = set()

    def __len__(self) -> int:
        return len(self._tasks)

    def start(self, work: Coroutine[Any, Any, None], name: str) -> asyncio.Task[None]:
        """Run `work`; an exception it ends with is logged as an error."""
        task = asyncio.get_running_loop().create_task(work, name=name)
        self._tasks.add(task)
        task.add_done_callback(self._ended)
        return task

    async def wait(self) -> None:
        """Wait until all have ended, also those that they start."""
        while self._tasks:
            await asyncio.wait(self._tasks)

    async def cancel(self) -> None:
        """Cancel all and wait until they have ended."""
        tasks = list(self._tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            log.error("a task of the queue failed", task=task.get_name(), exc_info=error)
