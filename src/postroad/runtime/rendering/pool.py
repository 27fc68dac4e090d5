"""`ports.Renderer` by several processes, so that a slow template holds up nobody but its owner.

An owner (a key of the API) has at most all processes but one at work: what is left is for the others,
who take turns. Processes are started as they are needed.
"""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

from postroad.model import Rendered, RenderJob
from postroad.runtime.rendering.client import RenderingProcess


class _Share:
    """What one owner has in hand, while it has anything."""

    __slots__ = ("jobs", "turn")

    def __init__(self, most: int) -> None:
        self.jobs = 0
        self.turn = asyncio.Semaphore(most)


class RenderingPool:
    """See `ports.Renderer`. Of `max_waiting` jobs in hand at most, one owner has half."""

    def __init__(
        self, make: Callable[[], RenderingProcess], *, processes: int, max_waiting: int = 1000
    ) -> None:
        self.processes = tuple(make() for _ in range(processes))
        self._idle = list(reversed(self.processes))
        self._free = asyncio.Semaphore(processes)
        self._share = max(1, processes - 1)
        self._max_waiting = max_waiting
        self._waiting = 0
        self._owners: dict[str, _Share] = {}

    async def render(self, job: RenderJob, owner: str) -> Rendered:
        """See `ports.Renderer`."""
        async with self._counted(owner) as share, share.turn, self._free:
            process = self._idle.pop()
            try:
                return await process.render(job)
            finally:
                self._idle.append(process)  # the next job finds one that runs already

    async def close(self) -> None:
        """End the processes."""
        await asyncio.gather(*(each.close() for each in self.processes))

    @asynccontextmanager
    async def _counted(self, owner: str) -> AsyncIterator[_Share]:
        """Raises `BlockingIOError` where too much waits."""
        share = self._owners.get(owner)
        if share is None:
            share = _Share(self._share)
        if self._waiting >= self._max_waiting:
            raise BlockingIOError(f"{self._waiting} templates wait to be rendered already")
        if share.jobs >= (self._max_waiting + 1) // 2:
            raise BlockingIOError(f"{share.jobs} templates of yours wait to be rendered already")
        self._owners[owner] = share
        share.jobs += 1
        self._waiting += 1
        try:
            yield share
        finally:
            self._waiting -= 1
            share.jobs -= 1
            if not share.jobs:
                del self._owners[owner]
