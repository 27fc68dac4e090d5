"""Work beside the mail: one task each, begun anew where a reload changes what it was made of."""

import asyncio
from collections.abc import Callable, Coroutine, Iterable

from msgspec import Struct


class Chore(Struct, frozen=True):
    """Work without end. `settings` are all that it was made of: with others it begins anew."""

    name: str
    settings: object
    work: Callable[[], Coroutine[object, object, None]]


class Chores:
    """Runs chores. `failed` gets the error of the first that ends by itself, which none may."""

    def __init__(self) -> None:
        self.failed: asyncio.Future[BaseException] = asyncio.get_running_loop().create_future()
        self._running: dict[str, tuple[object, asyncio.Task[None]]] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._may_end = False

    @property
    def running(self) -> dict[str, "asyncio.Task[None]"]:
        """The tasks by name."""
        return {name: task for name, (_, task) in self._running.items()}

    def keep(self, wanted: Iterable[Chore]) -> None:
        """Run these and no others; those with the settings of before just go on."""
        chores = {chore.name: chore for chore in wanted}
        for name, (settings, task) in list(self._running.items()):
            if name not in chores or chores[name].settings != settings:
                task.cancel()
                del self._running[name]
        for name, chore in chores.items():
            if name not in self._running:
                task = asyncio.get_running_loop().create_task(chore.work(), name=name)
                self._tasks.add(task)
                task.add_done_callback(self._ended)
                self._running[name] = (chore.settings, task)

    def may_end(self) -> None:
        """From now on it is no failure that one ends."""
        self._may_end = True

    async def stop(self) -> None:
        """Cancel all, and wait until they ended."""
        self.may_end()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def _ended(self, task: "asyncio.Task[None]") -> None:
        self._tasks.discard(task)
        if task.cancelled() or self.failed.done():
            return
        error = task.exception()
        if error is None and not self._may_end:
            error = RuntimeError(f"{task.get_name()} ended though nobody stopped it")
        if error is not None:
            self.failed.set_result(error)
