"""Running a coroutine at once, and making a task of it only if it has to wait.

Most handlers of a mail command never wait: a table look-up answers them. Starting a task for each costs
more than the work. `start` runs the coroutine to its first real wait; only then does it become a task,
going on from there. (Python 3.12 has eager tasks; 3.11 is our floor.)

Inside the part that runs at once there is no current task, so `asyncio.timeout` must not be the first
thing that it waits on.
"""

import asyncio
import types
from collections.abc import Coroutine, Generator
from typing import Any, Generic, TypeVar

T = TypeVar("T")


def start(
    coroutine: Coroutine[Any, Any, T], loop: asyncio.AbstractEventLoop
) -> "asyncio.Task[T] | Done[T]":
    """Run to the first wait. Return `Done` if it ended before, else the task that goes on.

    What the coroutine raises before its first wait is raised here.
    """
    try:
        waiting_for = coroutine.send(None)
    except StopIteration as stop:
        return Done(stop.value)
    return loop.create_task(_go_on(coroutine, waiting_for))


class Done(Generic[T]):
    """The result of a coroutine that never waited; `result()` as of a task."""

    __slots__ = ("_value",)

    def __init__(self, value: T) -> None:
        self._value = value

    def result(self) -> T:
        """Return what the coroutine returned."""
        return self._value


async def _go_on(coroutine: Coroutine[Any, Any, T], waiting_for: Any) -> T:
    return await _resume(coroutine, waiting_for)


@types.coroutine
def _resume(coroutine: Coroutine[Any, Any, T], waiting_for: Any) -> Generator[Any, Any, T]:
    # The future was yielded with its "somebody awaits me" mark set; yielding it again, from within a
    # task, is what that task expects to see.
    while True:
        try:
            yield waiting_for
        except BaseException as error:
            try:
                waiting_for = coroutine.throw(error)
            except StopIteration as stop:
                value: T = stop.value
                return value
        else:
            break
    value = yield from coroutine  # a coroutine is iterable in here (PEP 492)
    return value
