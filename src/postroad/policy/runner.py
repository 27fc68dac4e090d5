"""Runs the checks of a stage, one after the other, until one objects."""

import asyncio
import inspect
import time
from collections.abc import Callable, Collection, Coroutine, Iterable
from typing import Any, TypeVar, get_args

import structlog
from msgspec import Struct
from msgspec.structs import replace

from postroad.message.newfield import NewField
from postroad.model import Reply, Ruling, RulingKind, ServerKind
from postroad.policy import eager
from postroad.policy.decision import NOTHING, Decision
from postroad.policy.reading import NO_READINGS, MessageBegun, Readings, Reads
from postroad.policy.running import CheckLate, ForeignChecks, finish
from postroad.policy.stages import MessageReceived, Stage
from postroad.policy.verdict import ACCEPT, Accept, Defer, Quarantine, Reject, Verdict

log = structlog.get_logger("postroad.policy")

MAX_HEADER_OCTETS = 32 * 1024
SLOW_SECONDS = 0.1
"""A check that took so long is told of in the journey, also where it had nothing to say."""

_KINDS: dict[type[Verdict], RulingKind] = {
    Accept: RulingKind.ACCEPT,
    Quarantine: RulingKind.QUARANTINE,
    Defer: RulingKind.DEFER,
    Reject: RulingKind.REJECT,
}

_FAILED = Reply(451, "4.3.0", "A check failed here, try again later")
_LATE = Reply(451, "4.7.0", "A check took too long, try again later")

S = TypeVar("S", bound=Stage)


class Check(Struct, frozen=True):
    """A named function for one stage; `reads` makes what reads the body for it.

    `servers` are those whose mail it looks at; None: all. `foreign`: an operator wrote it, so it may do
    anything, see `policy.running`.
    """

    name: str
    stage: type[Any]
    function: Callable[[Any], Coroutine[Any, Any, Verdict]]
    reads: Reads | None = None
    servers: frozenset[ServerKind] | None = None
    foreign: bool = False


def check(
    *,
    stage: type[S],
    name: str = "",
    reads: Reads | None = None,
    servers: Collection[ServerKind] | None = None,
) -> Callable[[Callable[[S], Coroutine[Any, Any, Verdict]]], Check]:
    """Make a `Check` of an async function.

    Raises `TypeError` where the function is not async, the stage is none, or the stage has no body to
    read.
    """
    if stage not in get_args(Stage):
        raise TypeError(f"{stage!r} is no stage; there are {get_args(Stage)}")
    if reads is not None and stage is not MessageReceived:
        raise TypeError(f"there is no body to read at {stage.__name__}")

    def decorate(function: Callable[[S], Coroutine[Any, Any, Verdict]]) -> Check:
        if not inspect.iscoroutinefunction(function):
            raise TypeError(f"{function!r} must be an async function")
        kinds = None if servers is None else frozenset(servers)
        return Check(name or function.__name__, stage, function, reads, kinds)

    return decorate


class Policy:
    """The checks of a server, in their order.

    `deadline_seconds` is what one check may take before the client is deferred. Checks named in
    `dry_run` are asked, and what they would do is told in the journey and not done; what they found
    (facts, header fields) is there for others all the same. `now` returns seconds since 1970,
    `monotonic` seconds that only grow.
    """

    def __init__(
        self,
        checks: Iterable[Check] = (),
        *,
        deadline_seconds: float = 30.0,
        dry_run: Collection[str] = (),
        now: Callable[[], float] = time.time,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self.checks = tuple(checks)
        self._deadline_seconds = deadline_seconds
        self._foreign = ForeignChecks(deadline_seconds)
        self._dry_run = frozenset(dry_run)
        self._now = now
        self._monotonic = monotonic
        self._by_stage: dict[type[Any], tuple[Check, ...]] = {
            stage: tuple(check for check in self.checks if check.stage is stage)
            for stage in get_args(Stage)
        }
        self._readers = [(each.name, each.reads) for each in self.checks if each.reads is not None]
        self._of: dict[ServerKind, Policy] = {}

    def of(self, server: ServerKind) -> "Policy":
        """Return the part of this policy that looks at mail of that server."""
        part = self._of.get(server)
        if part is None:
            part = self._of[server] = Policy(
                (each for each in self.checks if each.servers is None or server in each.servers),
                deadline_seconds=self._deadline_seconds,
                dry_run=self._dry_run,
                now=self._now,
                monotonic=self._monotonic,
            )
            part._foreign = self._foreign
        return part

    def has(self, stage: type[Any]) -> bool:
        """Whether any check looks at this stage."""
        return bool(self._by_stage[stage])

    @property
    def reads(self) -> bool:
        """Whether any check may want to read bodies."""
        return bool(self._readers)

    def readings(self, begun: MessageBegun) -> Readings:
        """Return the readers of a message whose header is known."""
        return Readings(self._readers, begun) if self._readers else NO_READINGS

    async def ask(self, stage: Stage) -> Decision:
        """Ask the checks of a stage in their order, until one defers or rejects."""
        loop = asyncio.get_running_loop()
        decision = NOTHING
        before = stage.facts
        ended = self._monotonic()
        for each in self._by_stage[type(stage)]:
            began = ended
            verdict = await self._ask_one(each, stage, loop)
            ended = self._monotonic()
            seconds = ended - began
            if verdict is ACCEPT and seconds < SLOW_SECONDS:
                continue  # as in nearly all mail
            decision = decision.plus(self._ruled(each, verdict, seconds))
            if decision.refused:
                break
            if decision.facts:
                stage = replace(stage, facts=before + decision.facts)
        return decision

    def _ruled(self, each: Check, verdict: Verdict, seconds: float) -> Decision:
        reason = verdict.reason
        if isinstance(verdict, Defer | Reject):
            reason = reason or str(verdict.reply)
        dry_run = each.name in self._dry_run
        rulings: tuple[Ruling, ...] = ()
        if reason or seconds >= SLOW_SECONDS or not isinstance(verdict, Accept):
            ruling = Ruling(
                each.name, _KINDS[type(verdict)], reason, self._now(), round(seconds, 6), dry_run
            )
            rulings = (ruling,)
        facts: tuple[object, ...] = () if verdict.fact is None else (verdict.fact,)
        if isinstance(verdict, Defer | Reject):
            return Decision(ACCEPT, rulings, (), facts) if dry_run else Decision(verdict, rulings)
        if dry_run:
            return Decision(ACCEPT, rulings, verdict.headers, facts)
        if isinstance(verdict, Quarantine):
            facts += (verdict,)  # for later checks to see that somebody suspects it
        return Decision(verdict, rulings, verdict.headers, facts)

    async def _ask_one(self, each: Check, stage: Stage, loop: asyncio.AbstractEventLoop) -> Verdict:
        try:
            if each.reads is not None and each.name in _failed(stage):
                return Defer(_FAILED)
            if each.foreign:
                return _sound(each, await self._foreign.run(each.name, each.function(stage)))
            outcome = eager.start(each.function(stage), loop)
            if isinstance(outcome, asyncio.Task):
                return _sound(each, await finish(outcome, self._deadline_seconds))
            return _sound(each, outcome.result())
        except CheckLate:
            log.error("check took too long; deferred", check=each.name)
            return Defer(_LATE)
        except Exception:
            log.exception("check failed; deferred", check=each.name)
            return Defer(_FAILED)


def _failed(stage: Stage) -> Collection[str]:
    return stage.readings.failed if isinstance(stage, MessageReceived) else ()


def _sound(each: Check, verdict: Verdict) -> Verdict:
    """Raise `TypeError` or `ValueError` for what a check must not return."""
    if verdict is ACCEPT:
        return verdict
    if type(verdict) not in _KINDS:
        raise TypeError(f"the check {each.name} returned {verdict!r}, which is no verdict")
    if isinstance(verdict, Accept | Quarantine) and verdict.headers:
        if not all(isinstance(field, NewField) for field in verdict.headers):
            raise TypeError(f"the check {each.name} adds headers that are no NewField")
        octets = sum(len(field.to_bytes()) for field in verdict.headers)
        if octets > MAX_HEADER_OCTETS:
            raise ValueError(f"the check {each.name} adds {octets} octets of headers")
    return verdict
