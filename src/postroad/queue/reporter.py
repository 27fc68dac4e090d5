"""From an attempt to an entry for the recorder: judge it, and make the reports that follow from it."""

import asyncio
from collections.abc import Sequence

import structlog
from msgspec.structs import replace

from postroad.model import (
    Attempted,
    Change,
    DeliveryState,
    Deposited,
    LeasedDelivery,
    Reply,
    Result,
    Step,
    TemporaryFailure,
    format_id,
)
from postroad.ports import Attempt, Clock, Entropy, StorageError
from postroad.queue.admission import Admission, Birth
from postroad.queue.bounce import Bounce, Bouncer
from postroad.queue.inventory import Job
from postroad.queue.outcome import Judgement, holds, judge, same_for_all
from postroad.queue.recorder import Entry, Recorder
from postroad.queue.schedule import growing
from postroad.queue.settings import QueueSettings

log = structlog.get_logger("postroad.queue")


class Reporter:
    """Takes in attempts."""

    def __init__(
        self,
        *,
        recorder: Recorder,
        bouncer: Bouncer,
        admission: Admission,
        clock: Clock,
        entropy: Entropy,
        settings: QueueSettings,
    ) -> None:
        self._recorder = recorder
        self._bouncer = bouncer
        self._admission = admission
        self._clock = clock
        self._random = entropy.random
        self._settings = settings

    async def report(self, jobs: Sequence[Job], attempts: Sequence[Attempt]) -> None:
        """Have the attempts of these jobs recorded, with the reports to their senders."""
        settings, random, put = self._settings, self._random, self._recorder.put
        with_notices: list[tuple[Job, Attempt, Judgement]] = []
        for job, attempt in zip(jobs, attempts, strict=True):
            judgement = judge(job.leased, attempt, settings, random)
            if judgement.notices:
                with_notices.append((job, attempt, judgement))
            else:
                put(_entry(job, attempt, judgement.results))
        while with_notices:
            job, attempt, judgement = with_notices[-1]
            try:
                entry = await self._with_reports(job, attempt, judgement)
            except asyncio.CancelledError:
                for job, attempt, judgement in with_notices:
                    put(_entry(job, attempt, self._unreported(judgement, attempt.ended_at)))
                raise
            with_notices.pop()
            put(entry)

    def report_now(self, job: Job, attempt: Attempt) -> None:
        """Have an attempt recorded that a shutdown cut off: never final, and told to nobody."""
        settings = self._settings
        due_at = attempt.ended_at + settings.retry_first_seconds
        results = tuple(
            Result(ordinal, outcome, DeliveryState.HELD)
            if holds(outcome, job.leased.message, settings)
            else Result(ordinal, outcome, DeliveryState.DUE, due_at)
            for ordinal, outcome in attempt.outcomes
        )
        self._recorder.put(_entry(job, attempt, results))

    def instead(self, entry: Entry, error: Exception) -> Entry | None:
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
        other = _entry(entry.job, attempt, self._unreported(judgement, attempt.ended_at))
        other.fallbacks = 1
        return other

    async def _with_reports(self, job: Job, attempt: Attempt, judgement: Judgement) -> Entry:
        try:
            bounces, steps = await self._bounces(job.leased, attempt, judgement)
        except Exception:
            # Never final without its report: the delivery stays, and its end comes with the next try.
            log.exception("a report could not be made", id=format_id(job.leased.message.id))
            return _entry(job, attempt, self._unreported(judgement, attempt.ended_at))
        now = self._clock.now()
        births = tuple(
            self._admission.admit(each.message, (each.delivery,), now) for each in bounces
        )
        return _entry(
            job,
            replace(attempt, steps=(*attempt.steps, *steps)),
            judgement.results,
            births,
            bounces,
        )

    async def _bounces(
        self, leased: LeasedDelivery, attempt: Attempt, judgement: Judgement
    ) -> tuple[list[Bounce], list[Step]]:
        failures = 0
        while True:
            try:
                return await self._bouncer.reports(leased, attempt, judgement.notices)
            except StorageError as error:
                failures += 1
                log.error("a report could not be stored yet", error=str(error), failures=failures)
                await self._clock.sleep(growing(0.1, 10.0, failures))

    def _unreported(self, judgement: Judgement, now: float) -> tuple[Result, ...]:
        """The results without what must not come to pass unreported."""
        told = {
            notice.delivery.ordinal
            for notice in judgement.notices
            if notice.delivery.notify.on_failure
        }
        later = now + self._settings.retry_first_seconds
        ended = (DeliveryState.BOUNCED, DeliveryState.EXPIRED)
        return tuple(
            Result(each.ordinal, each.outcome, DeliveryState.DUE, later)
            if each.ordinal in told and each.state in ended
            else Result(each.ordinal, each.outcome, each.state, each.due_at)
            for each in judgement.results
        )


def _entry(
    job: Job,
    attempt: Attempt,
    results: tuple[Result, ...],
    births: tuple[Birth, ...] = (),
    bounces: Sequence[Bounce] = (),
) -> Entry:
    attempted = Attempted(
        attempt.ended_at,
        job.leased.message.id,
        attempt.started_at,
        results,
        attempt.taken,
        attempt.steps,
    )
    changes: tuple[Change, ...] = (attempted, *attempt.changes)
    if not births:
        return Entry(job, attempt, changes)
    return Entry(
        job,
        attempt,
        (*changes, *(birth.change for birth in births)),
        tuple(bounce.staged for bounce in bounces),
        births,
    )


def _printable(text: str) -> str:
    return "".join(letter if letter.isprintable() else "?" for letter in text)
