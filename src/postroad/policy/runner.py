"""Runs the checks of a stage, one after the other, until one objects."""

import asyncio
import inspect
from collections.abc import Awaitable, Callable, Coroutine, Iterable
from typing import Any, TypeVar, get_args

import structlog
from msgspec import Struct

from postroad.model import Reply
from postroad.policy import eager
from postroad.policy.stages import Stage
from postroad.policy.verdict import ACCEPT, Accept, Defer, Verdict

log = structlog.get_logger("postroad.policy")

S = TypeVar("S", bound=Stage)


class Check(Struct, frozen=True):
    """A named function for one stage."""

    name: str
    stage: type[Any]
    function: Callable[[Any], Coroutine[Any, Any, Verdict]]


def check(
    *, stage: type[S], name: str = ""
) -> Callable[[Callable[[S], Coroutine[Any, Any, Verdict]]], Check]:
    """Make a `Check` of an async function.

    Raises `TypeError` where the function is not async or the stage is none.
    """
    if stage not in get_args(Stage):
        raise TypeError(f"{stage!r} is no stage; there are {get_args(Stage)}")

    def decorate(function: Callable[[S], Coroutine[Any, Any, Verdict]]) -> Check:
        if not inspect.iscoroutinefunction(function):
            raise TypeError(f"{function!r} must be an async function")
        return Check(name or function.__name__, stage, function)

    return decorate


class Policy:
    """The checks of a server, in their order.

    `deadline_seconds` is what one check may take before the client is deferred.
    """

    def __init__(self, checks: Iterable[Check] = (), *, deadline_seconds: float = 30.0) -> None:
        self.checks = tuple(checks)
        self._deadline_seconds = deadline_seconds
        self._by_stage: dict[type[Any], tuple[Check, ...]] = {
            stage: tuple(check for check in self.checks if check.stage is stage)
            for stage in get_args(Stage)
        }

    def has(self, stage: type[Any]) -> bool:
        """Whether any check looks at this stage."""
        return bool(self._by_stage[stage])

    async def ask(self, stage: Stage) -> Verdict:
        """Return the first verdict that is not `Accept`, else `Accept`."""
        for each in self._by_stage[type(stage)]:
            verdict = await self._ask_one(each, stage)
            if not isinstance(verdict, Accept):
                return verdict
        return ACCEPT

    async def _ask_one(self, each: Check, stage: Stage) -> Verdict:
        try:
            outcome = eager.start(each.function(stage), asyncio.get_running_loop())
            if isinstance(outcome, asyncio.Task):
                await _finished(outcome, self._deadline_seconds)
            return outcome.result()
        except TimeoutError:
            log.error("check took too long; deferred", check=each.name)
            return Defer(Reply(451, "4.7.0", "A check took too long, try again later"))
        except Exception:
            log.exception("check failed; deferred", check=each.name)
            return Defer(Reply(451, "4.3.0", "A check failed here, try again later"))


async def _finished(task: "asyncio.Task[Verdict]", seconds: float) -> None:
    waiting: Awaitable[tuple[set[Any], set[Any]]] = asyncio.wait({task}, timeout=seconds)
    _, pending = await waiting
    if pending:
        task.cancel()
        raise TimeoutError
