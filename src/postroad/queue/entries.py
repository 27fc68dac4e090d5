"""What of an attempt is to be committed, and what instead where the store contradicts it."""

from collections.abc import Callable, Sequence

import structlog

from postroad.model import (
    Attempted,
    Change,
    DeliveryState,
    Deposited,
    PutOff,
    Released,
    Reply,
    Result,
    TemporaryFailure,
    format_id,
)
from postroad.ports import Attempt
from postroad.queue.admission import Birth
from postroad.queue.bounce import Bounce
from postroad.queue.inventory import Job
from postroad.queue.outcome import Judgement, judge, same_for_all
from postroad.queue.recorder import Entry
from postroad.queue.settings import QueueSettings

log = structlog.get_logger("postroad.queue")


class Fallback:
    """Makes another entry of one that cannot be committed."""

    def __init__(self, settings: QueueSettings, random: Callable[[], float]) -> None:
        self._settings = settings
        self._random = random

    def __call__(self, entry: Entry, error: Exception) -> Entry | None:
        """Return what to record of an attempt whose entry contradicts the store.

        A deposit whose mailbox is gone did not happen: it is tried again, and then learns what became
        of the mailbox. What was sent to another server did happen, only its report is left out.
        """
        leased, attempt = entry.job.leased, entry.attempt
        name = format_id(leased.message.id)
        if entry.fallbacks:
            log.error("an attempt cannot be recorded and is given up", id=name, error=str(error))
            return None
        log.warning("an attempt contradicts the store", id=name, error=str(error))
        if any(isinstance(change, Deposited) for change in attempt.changes):
            text = " ".join(str(error).split()) or "the mailbox changed meanwhile"
            outcome = TemporaryFailure(Reply(451, "4.2.0", _printable(text)))
            attempt = same_for_all(leased, outcome, attempt.started_at, attempt.ended_at)
        judgement = judge(leased, attempt, self._settings, self._random)
        other = entry_of(
            entry.job, attempt, unreported(judgement, attempt.ended_at, self._settings)
        )
        other.fallbacks = 1
        return other


def entry_of(
    job: Job,
    attempt: Attempt,
    results: tuple[Result, ...],
    births: tuple[Birth, ...] = (),
    bounces: Sequence[Bounce] = (),
) -> Entry:
    """Return what is to be committed of an attempt, with the reports that follow from it."""
    attempted = Attempted(
        attempt.ended_at,
        job.leased.message.id,
        attempt.started_at,
        results,
        attempt.taken,
        attempt.steps,
    )
    changes: tuple[Change, ...] = (*attempt.made, attempted, *attempt.changes)
    if not births:
        return Entry(job, attempt, changes)
    return Entry(
        job,
        attempt,
        (*changes, *(birth.change for birth in births)),
        tuple(bounce.staged for bounce in bounces),
        births,
    )


def untried(job: Job, attempt: Attempt) -> Entry:
    """Return what gives a job back that was not tried after all."""
    now, message = attempt.ended_at, job.leased.message.id
    keys = tuple((message, each.ordinal) for each in job.leased.deliveries)
    return Entry(job, attempt, (Released(now, now, keys),))


def put_off(job: Job, attempt: Attempt, reply: Reply, until: float) -> Entry:
    """Return what has a job wait until then, untried."""
    message = job.leased.message.id
    keys = tuple((message, each.ordinal) for each in job.leased.deliveries)
    return Entry(job, attempt, (PutOff(attempt.ended_at, until, reply, keys),))


def unreported(judgement: Judgement, now: float, settings: QueueSettings) -> tuple[Result, ...]:
    """Return the results without what must not come to pass unreported."""
    told = {
        notice.delivery.ordinal for notice in judgement.notices if notice.delivery.notify.on_failure
    }
    later = now + settings.retry_first_seconds
    ended = (DeliveryState.BOUNCED, DeliveryState.EXPIRED)
    return tuple(
        Result(each.ordinal, each.outcome, DeliveryState.DUE, later)
        if each.ordinal in told and each.state in ended
        else Result(each.ordinal, each.outcome, each.state, each.due_at)
        for each in judgement.results
    )


def _printable(text: str) -> str:
    return "".join(letter if letter.isprintable() else "?" for letter in text)
