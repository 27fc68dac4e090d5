"""From an attempt to an entry for the recorder: judge it, and make the reports that follow from it."""

import asyncio
from collections.abc import Sequence
from typing import Any

import structlog
from msgspec.structs import replace

from postroad.model import (
    DeliveryState,
    LeasedDelivery,
    Result,
    Step,
    format_id,
)
from postroad.ports import Attempt, Clock, Entropy, StorageError
from postroad.queue.admission import Admission
from postroad.queue.bounce import Bounce, Bouncer
from postroad.queue.entries import entry_of, unreported, untried
from postroad.queue.inventory import Job
from postroad.queue.outcome import Judgement, holds, judge
from postroad.queue.recorder import Entry, Recorder
from postroad.queue.schedule import growing
from postroad.queue.settings import QueueSettings

log = structlog.get_logger("postroad.queue")

_LAST_SECONDS = 2.0


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
            if attempt.untried:
                put(untried(job, attempt))
                continue
            judgement = judge(job.leased, attempt, settings, random)
            if judgement.notices:
                with_notices.append((job, attempt, judgement))
            else:
                put(entry_of(job, attempt, judgement.results))
        while with_notices:
            making = asyncio.ensure_future(self._with_reports(*with_notices[-1]))
            try:
                entry = await asyncio.shield(making)
            except asyncio.CancelledError:
                await self._stopped(making, with_notices)
                raise
            with_notices.pop()
            put(entry)

    async def _stopped(
        self, making: "asyncio.Future[Entry]", left: list[tuple[Job, Attempt, Judgement]]
    ) -> None:
        """Have the rest recorded as the process stops: with the report that is being made, if that takes
        no longer than a moment, since that of a success could not be made later.
        """
        moment = asyncio.ensure_future(self._clock.sleep(_LAST_SECONDS))
        put, settings = self._recorder.put, self._settings
        try:
            while left:
                ends: list[asyncio.Future[Any]] = [making, moment]
                await asyncio.wait(ends, return_when=asyncio.FIRST_COMPLETED)
                if not making.done():
                    break
                left.pop()
                put(making.result())
                if left:
                    making = asyncio.ensure_future(self._with_reports(*left[-1]))
        finally:
            making.cancel()
            moment.cancel()
            for job, attempt, judgement in left:
                put(entry_of(job, attempt, unreported(judgement, attempt.ended_at, settings)))

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
        self._recorder.put(entry_of(job, attempt, results))

    async def _with_reports(self, job: Job, attempt: Attempt, judgement: Judgement) -> Entry:
        try:
            bounces, steps = await self._bounces(job.leased, attempt, judgement)
        except Exception:
            # Never final without its report: the delivery stays, and its end comes with the next try.
            log.exception("a report could not be made", id=format_id(job.leased.message.id))
            return entry_of(job, attempt, unreported(judgement, attempt.ended_at, self._settings))
        now = self._clock.now()
        births = tuple(
            self._admission.admit(each.message, (each.delivery,), now) for each in bounces
        )
        return entry_of(
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
