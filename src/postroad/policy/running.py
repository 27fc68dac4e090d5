"""Running checks so that whatever they do comes to a verdict in time.

Ours run at once, and become a task only where they have to wait (`policy.eager`): most of them never do,
and a message is not to pay for tasks. Those of operators run in a task from the start, as any code for
asyncio expects to, and nothing that they raise gets out of it: not `SystemExit`, which would end the
server, nor `CancelledError`, which is only ours to obey. A task that goes on although it was cancelled
is left alone; a check with too many such tasks is not asked any more.
"""

import asyncio
from collections.abc import Awaitable, Coroutine
from typing import Any

from postroad.policy.verdict import Verdict

MAX_RUNAWAYS = 20
"""So many tasks of one check may go on past their deadline."""


class CheckFailed(Exception):
    """A check has no verdict; the cause, if there is one, says more."""


class CheckLate(CheckFailed):
    """It took too long."""


class ForeignChecks:
    """Runs the checks of operators, each for `deadline_seconds` at most."""

    def __init__(self, deadline_seconds: float) -> None:
        self._deadline_seconds = deadline_seconds
        self._runaways: dict[str, set[asyncio.Task[Verdict]]] = {}

    async def run(self, name: str, coroutine: Coroutine[Any, Any, Verdict]) -> Verdict:
        """Return what a check returns. Raises what it raises if that is an `Exception`, and
        `CheckFailed` for anything else; `asyncio.CancelledError` only where the caller is cancelled.
        """
        if len(self._runaways.get(name, ())) >= MAX_RUNAWAYS:
            coroutine.close()
            raise CheckFailed(f"{MAX_RUNAWAYS} calls of {name} do not end")
        task = asyncio.get_running_loop().create_task(_contained(coroutine), name=f"check {name}")
        try:
            return await finish(task, self._deadline_seconds)
        finally:
            if not task.done():
                runaways = self._runaways.setdefault(name, set())
                runaways.add(task)
                task.add_done_callback(runaways.discard)
                task.add_done_callback(_seen)


async def finish(task: "asyncio.Task[Verdict]", seconds: float) -> Verdict:
    """Return what a task returns; if it does not end in time, cancel it and raise `CheckLate`.

    Raises what it raises, and `CheckFailed` where it was cancelled by itself.
    """
    waiting: Awaitable[tuple[set[Any], set[Any]]] = asyncio.wait({task}, timeout=seconds)
    try:
        await waiting
    finally:
        if not task.done():
            task.cancel()
    if not task.done():
        raise CheckLate
    if task.cancelled():
        raise CheckFailed("it was cancelled, and not by us")
    return task.result()


async def _contained(coroutine: Coroutine[Any, Any, Verdict]) -> Verdict:
    try:
        return await coroutine
    except (Exception, asyncio.CancelledError, GeneratorExit):
        raise
    except BaseException as error:  # SystemExit from a task ends the loop
        raise CheckFailed(f"it raised {error!r}") from error


def _seen(task: "asyncio.Task[Verdict]") -> None:
    """What a check raises past its deadline is nobody's affair any more."""
    if not task.cancelled():
        task.exception()
