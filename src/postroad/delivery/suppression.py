"""Addresses to which nothing of a stream is sent any more: kept from it, and found by hard bounces.

A recipient on the list gets nothing: the delivery ends as a permanent failure that says so, with its
report to the sender, and no server is bothered. This happens when the message would be sent, and not
when it is accepted: so it holds for every way in, for mail that waited while the address was put on the
list, and the journey tells it. A refusal that says that an address is dead puts it on the list, in the
same commit as the outcome.

Where the list cannot be read, the delivery waits.
"""

from collections.abc import Callable, Collection, Sequence
from datetime import UTC, datetime
from typing import TypeAlias

import structlog
from msgspec import Struct
from msgspec.structs import replace

from postroad.delivery.around import DelivererAround, SessionAround
from postroad.message.bounce.classify import Classification
from postroad.model import (
    MAX_EVIDENCE,
    Delivery,
    LeasedDelivery,
    Outcome,
    PermanentFailure,
    Reply,
    Route,
    Step,
    Suppressed,
    Suppression,
    SuppressionReason,
    TemporaryFailure,
    format_id,
)
from postroad.ports import (
    Attempt,
    Clock,
    Deliverer,
    Session,
    StorageError,
    SuppressionStore,
)

log = structlog.get_logger("postroad.delivery")

Classify: TypeAlias = Callable[[Reply, str], Classification]

_UNREADABLE = TemporaryFailure(Reply(451, "4.3.0", "the suppression list cannot be read"))


class Suppressing(DelivererAround):
    """`ports.Deliverer` around another one, for the mail of `streams`."""

    def __init__(
        self,
        inner: Deliverer,
        *,
        store: SuppressionStore,
        streams: Collection[str],
        classify: Classify,
        clock: Clock,
    ) -> None:
        super().__init__(inner)
        self._store = store
        self.streams = frozenset(streams)
        self._classify = classify
        self._clock = clock

    async def at_once(self, job: LeasedDelivery) -> Attempt | None:
        """As the inner one; None where a recipient is on the list."""
        if job.message.stream in self.streams and (await self.look(job)).barred:
            return None
        return await self._inner.at_once(job)

    async def connect(self, route: Route) -> Session:
        """Open a session that leaves out who is on the list. Raises `RouteFailed`."""
        return _SuppressingSession(await self._inner.connect(route), self)

    async def look(self, job: LeasedDelivery) -> "Look":
        """Return which deliveries of a job must not be made."""
        message = job.message
        try:
            found = await self._store.of(
                message.stream, [each.recipient for each in job.deliveries]
            )
        except StorageError as error:
            log.error("the suppression list cannot be read", error=str(error))
            return Look(
                {each.ordinal: _UNREADABLE for each in job.deliveries}, (), self._clock.now()
            )
        if not found:
            return NOBODY
        listed = {each.address.folded: each for each in found}
        barred: dict[int, Outcome] = {}
        steps = []
        for delivery in job.deliveries:
            entry = listed.get(delivery.recipient.folded)
            if entry is not None:
                barred[delivery.ordinal] = PermanentFailure(refusal_of(entry))
                text = f"{delivery.recipient}: {entry.evidence or entry.reason.value}"
                steps.append(Step(0.0, "suppressed", text))
        return Look(barred, tuple(steps), self._clock.now())

    def learn(self, job: LeasedDelivery, attempt: Attempt) -> Attempt:
        """Return the attempt with the addresses that it showed to be dead."""
        message = job.message
        host = attempt.taken.host if attempt.taken is not None else ""
        recipients = {each.ordinal: each.recipient for each in job.deliveries}
        dead = tuple(
            Suppression(
                recipients[ordinal],
                message.stream,
                SuppressionReason.HARD_BOUNCE,
                f"{format_id(message.id)}: {outcome.reply}"[:MAX_EVIDENCE],
                attempt.ended_at,
            )
            for ordinal, outcome in attempt.outcomes
            if isinstance(outcome, PermanentFailure)
            and ordinal in recipients
            and self._classify(outcome.reply, host).hard
        )
        if not dead:
            return attempt
        seconds = max(0.0, attempt.ended_at - attempt.started_at)
        steps = [
            Step(seconds, "suppressed", f"{each.address}: gets nothing of this stream from now on")
            for each in dead
        ]
        change = Suppressed(attempt.ended_at, dead)
        return replace(attempt, changes=(*attempt.changes, change), steps=(*attempt.steps, *steps))


class Look(Struct, frozen=True):
    """What the list says of a job: outcomes by ordinal, steps for the journey, when it was looked at."""

    barred: dict[int, Outcome]
    steps: tuple[Step, ...]
    at: float


NOBODY = Look({}, (), 0.0)


class _SuppressingSession(SessionAround):
    """`ports.Session` that leaves out who is on the list."""

    def __init__(self, inner: Session, suppressing: Suppressing) -> None:
        super().__init__(inner)
        self._suppressing = suppressing

    def concerns(self, job: LeasedDelivery) -> bool:
        """Whether its stream has a list."""
        return job.message.stream in self._suppressing.streams

    async def treat(self, jobs: Sequence[LeasedDelivery]) -> list[Attempt]:
        """Make one attempt for each job, leaving out who is on the list."""
        suppressing = self._suppressing
        looks = [await suppressing.look(job) if self.concerns(job) else NOBODY for job in jobs]
        left = [
            replace(job, deliveries=_others(job.deliveries, look)) if look.barred else job
            for job, look in zip(jobs, looks, strict=True)
        ]
        made = iter(await self._attempt([job for job in left if job.deliveries]))
        attempts = []
        for job, rest, look in zip(jobs, left, looks, strict=True):
            attempt = Attempt(look.at, look.at, ()) if not rest.deliveries else next(made)
            if rest.deliveries and self.concerns(job):
                attempt = suppressing.learn(rest, attempt)
            attempts.append(_merged(job, attempt, look) if look.barred else attempt)
        return attempts

    async def _attempt(self, jobs: Sequence[LeasedDelivery]) -> list[Attempt]:
        return await self._inner.attempt(jobs) if jobs else []


NOT_SENT = "not sent: on the suppression list"
"""How the replies begin that stand for servers that are not asked."""


def refusal_of(entry: Suppression) -> Reply:
    """Return the reply that stands for the server that is not asked."""
    since = datetime.fromtimestamp(entry.since, UTC).strftime("%Y-%m-%d")
    text = f"{NOT_SENT} of stream {entry.stream} since {since}"
    return Reply(550, "5.7.1", f"{text} ({entry.reason.value})")


def _others(deliveries: tuple[Delivery, ...], look: Look) -> tuple[Delivery, ...]:
    return tuple(each for each in deliveries if each.ordinal not in look.barred)


def _merged(job: LeasedDelivery, attempt: Attempt, look: Look) -> Attempt:
    outcomes = {**dict(attempt.outcomes), **look.barred}
    return replace(
        attempt,
        outcomes=tuple(
            (each.ordinal, outcomes[each.ordinal])
            for each in job.deliveries
            if each.ordinal in outcomes
        ),
        steps=(*look.steps, *attempt.steps),
    )
