"""Virtual time: one scheduler, and one event loop for each process that lives in it.

Nothing here waits. When nothing is ready, time jumps to the next timer. All loops share one queue, so
the order of everything is one order, the same for the same seed.

A process dies with its loop: what is ready, what sleeps and what waits for an answer never runs again.
That may be between any two callbacks (`SimLoop.fuse`) or at any effect on the world outside, a write to
a connection or to the disk (`SimLoop.effect_fuse`), in the midst of a callback.
"""

import asyncio
import contextvars
import heapq
from asyncio import events
from collections import deque
from collections.abc import Callable, Coroutine
from typing import Any, TypeVar, cast

T = TypeVar("T")

_PRUNE_TASKS_AT = 256


class Stuck(AssertionError):
    """The simulation does too much at one moment: something runs in a circle without waiting."""


class Handle:
    """A callback that is to run: what `asyncio.Handle` and `TimerHandle` are, with less ado."""

    __slots__ = ("_args", "_callback", "_cancelled", "_context", "_when", "loop")

    def __init__(
        self,
        loop: "SimLoop",
        when: float,
        callback: Callable[..., object],
        args: tuple[Any, ...],
        context: contextvars.Context | None,
    ) -> None:
        self.loop = loop
        self._when = when
        self._callback = callback
        self._args = args
        self._context = contextvars.copy_context() if context is None else context
        self._cancelled = False

    def cancel(self) -> None:
        self._cancelled = True
        self._args = ()

    def cancelled(self) -> bool:
        return self._cancelled

    def when(self) -> float:
        return self._when

    def run(self) -> None:
        """Call it; what it raises is trouble for its loop."""
        try:
            self._context.run(self._callback, *self._args)
        except Exception as error:
            self.loop.call_exception_handler({"message": repr(self._callback), "exception": error})


class Scheduler:
    """Runs the handles of all loops in one order."""

    def __init__(self) -> None:
        self.now = 0.0
        self.steps = 0
        self.ready: deque[Handle] = deque()
        self._timers: list[tuple[float, int, Handle]] = []
        self._sequence = 0

    def at(self, timer: Handle) -> None:
        """Run it when its time has come."""
        self._sequence += 1
        heapq.heappush(self._timers, (timer.when(), self._sequence, timer))

    def run(self, until: float, done: Callable[[], bool] | None = None) -> bool:
        """Let time pass until then, or until `done` after some step; return whether it was `done`."""
        ready, timers = self.ready, self._timers
        current: SimLoop | None = None
        same_moment = 0
        try:
            while True:
                if not ready:
                    if not timers:
                        if done is not None and done():
                            return True
                        self.now = max(self.now, until)
                        return False
                    when = timers[0][0]
                    if when > self.now:
                        if done is not None and done():
                            return True
                        if when > until:
                            self.now = until
                            return False
                        self.now = when
                        same_moment = 0
                    while timers and timers[0][0] <= self.now:
                        ready.append(heapq.heappop(timers)[2])
                handle = ready.popleft()
                if handle._cancelled:
                    continue
                loop = handle.loop
                if not loop.alive:
                    continue
                if loop is not current:
                    current = loop
                    events._set_running_loop(loop)
                self.steps += 1
                same_moment += 1
                if same_moment > 200_000:
                    raise Stuck(f"endless work at {self.now}: {handle!r}")
                handle.run()
                loop.fuse -= 1
                if loop.fuse == 0 or loop.doomed:
                    loop.doomed = True
                    events._set_running_loop(None)
                    current = None
                    loop.on_death()
        finally:
            events._set_running_loop(None)


_Base: Any = asyncio.AbstractEventLoop  # much of it is never asked for


class SimLoop(_Base):  # type: ignore[misc]
    """The event loop of one process."""

    def __init__(self, scheduler: Scheduler, name: str) -> None:
        self.name = name
        self.scheduler = scheduler
        self.alive = True
        self.doomed = False
        self.fuse = -1
        self.effect_fuse = -1
        self.on_death: Callable[[], None] = lambda: None
        self.on_trouble: Callable[[str], None] = lambda text: None
        self._tasks: list[asyncio.Task[Any]] = []

    def effect(self) -> bool:
        """Ask before doing anything that the world outside sees: the dead do nothing any more."""
        if not self.alive or self.doomed:
            return False
        self.effect_fuse -= 1
        if self.effect_fuse == 0:
            self.doomed = True
            return False
        return True

    def kill(self) -> None:
        """End the process: no callback of it runs again."""
        self.alive = False
        for task in self._tasks:
            if task.done():
                continue
            task._log_destroy_pending = False  # type: ignore[attr-defined]
            coroutine = cast(Coroutine[Any, Any, Any], task.get_coro())
            # What runs here (`finally`) has no effect: the loop is dead.
            events._set_running_loop(self)
            try:
                coroutine.close()
            except Exception as error:
                _ = error  # "coroutine ignored GeneratorExit": it wanted to wait, and cannot
            finally:
                events._set_running_loop(None)
        self._tasks.clear()

    def pending_tasks(self) -> list[asyncio.Task[Any]]:
        """Return the tasks that have not ended."""
        return [task for task in self._tasks if not task.done()]

    # What asyncio asks of a loop

    def time(self) -> float:
        return self.scheduler.now

    def call_soon(
        self,
        callback: Callable[..., object],
        *args: Any,
        context: contextvars.Context | None = None,
    ) -> Handle:
        handle = Handle(self, 0.0, callback, args, context)
        if self.alive:
            self.scheduler.ready.append(handle)
        return handle

    def call_later(
        self,
        delay: float,
        callback: Callable[..., object],
        *args: Any,
        context: contextvars.Context | None = None,
    ) -> Handle:
        return self.call_at(self.scheduler.now + delay, callback, *args, context=context)

    def call_at(
        self,
        when: float,
        callback: Callable[..., object],
        *args: Any,
        context: contextvars.Context | None = None,
    ) -> Handle:
        timer = Handle(self, when, callback, args, context)
        if self.alive:
            self.scheduler.at(timer)
        return timer

    def create_future(self) -> asyncio.Future[Any]:
        return asyncio.Future(loop=self)

    def create_task(
        self,
        coro: Any,
        *,
        name: str | None = None,
        context: contextvars.Context | None = None,
    ) -> asyncio.Task[Any]:
        if not self.alive:
            coro.close()
            raise RuntimeError("this process is dead")
        task: asyncio.Task[Any] = asyncio.Task(coro, loop=self, name=name or "", context=context)
        tasks = self._tasks
        tasks.append(task)
        if len(tasks) >= _PRUNE_TASKS_AT:
            tasks[:] = [each for each in tasks if not each.done()]
        return task

    def run_until(self, work: Coroutine[Any, Any, T], limit: float) -> T:
        """Let the world go on until `work`, a task here, has ended; at most `limit` seconds."""
        task: asyncio.Task[T] = self.create_task(work)
        scheduler = self.scheduler
        if not task.done() and not scheduler.run(scheduler.now + limit, task.done):
            task.cancel()
            raise Stuck(f"{work!r} has not ended within {limit} seconds")
        return task.result()

    def get_debug(self) -> bool:
        return False

    def is_running(self) -> bool:
        return self.alive

    def is_closed(self) -> bool:
        return not self.alive

    def call_exception_handler(self, context: dict[str, Any]) -> None:
        if self.alive:
            error = context.get("exception")
            self.on_trouble(f"{self.name}: {context.get('message')}: {error!r}")

    async def start_tls(
        self, transport: Any, protocol: Any, sslcontext: Any, **options: Any
    ) -> Any:
        """TLS is a flag here: see `network.Transport.secure`."""
        return await transport.secure(float(options.get("ssl_handshake_timeout") or 60.0))
