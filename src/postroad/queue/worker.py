"""Workers: each opens a session to one destination and brings it jobs until none are left.

What the other side does is an outcome; what goes wrong in here is logged, and is an outcome too.
"""

import asyncio
from collections.abc import Callable, Sequence

import structlog
from msgspec.structs import replace

from postroad.model import (
    Delivered,
    Group,
    Leased,
    PermanentFailure,
    Reply,
    RouteKind,
    Step,
    TemporaryFailure,
    Unknown,
    format_id,
    outcome_of,
)
from postroad.ports import (
    Attempt,
    Clock,
    Deliverer,
    Entropy,
    Ledger,
    NotNow,
    RouteFailed,
    Session,
    StorageError,
)
from postroad.queue.destination import Destination
from postroad.queue.entries import put_off
from postroad.queue.inventory import Inventory, Job
from postroad.queue.outcome import not_reached, same_for_all
from postroad.queue.pace import asks_to_slow_down
from postroad.queue.recorder import Recorder
from postroad.queue.recovery import in_flight
from postroad.queue.reporter import Reporter
from postroad.queue.schedule import expiry
from postroad.queue.settings import QueueSettings, UnknownPolicy
from postroad.queue.tasks import Tasks
from postroad.queue.traffic import Traffic

log = structlog.get_logger("postroad.queue")

_CUT_OFF = Reply(451, "4.3.2", "The attempt was cut off: this server was shut down")
_OUR_FAULT = Reply(451, "4.3.0", "The attempt failed by a fault of this server")
_CHUNK = 100
_QUANTUM = 10  # batches that the only worker of a destination does before others get its place


class Workers:
    """All workers of the process, and the sessions that wait to be used again."""

    def __init__(
        self,
        *,
        deliverer: Deliverer,
        ledger: Ledger,
        clock: Clock,
        entropy: Entropy,
        settings: QueueSettings,
        inventory: Inventory,
        traffic: Traffic,
        recorder: Recorder,
        reporter: Reporter,
        idle: Callable[[], None],
    ) -> None:
        self._deliverer = deliverer
        self._ledger = ledger
        self._marks = settings.holds_any
        self._clock = clock
        self._entropy = entropy
        self._settings = settings
        self._inventory = inventory
        self._traffic = traffic
        self._recorder = recorder
        self._reporter = reporter
        self._idle = idle  # told when a session begins to wait
        self._idle_sessions = 0
        self._running = 0
        self.tasks = Tasks()
        self.pauses = Tasks()  # of destinations whose jobs wait for their time
        self.stopping = False

    def staff(self, destination: Destination) -> None:
        """Start the workers that the destination can use, as far as sessions are free."""
        if self.stopping:
            return
        for _ in range(destination.wanted()):
            if self._running >= self._settings.max_sessions:
                if not destination.in_turn:
                    destination.in_turn = True
                    self._traffic.turns.append(destination)
                return
            destination.active += 1
            if destination.throttle is not None:
                destination.throttle.active += 1
            destination.starting += 1
            self._running += 1
            self.tasks.start(self._work(destination), "worker")

    async def fail(self, jobs: Sequence[Job], failure: RouteFailed, started_at: float) -> None:
        """Give jobs that could not be attempted the reason why as their outcome."""
        now = self._clock.now()
        live = [job for job in jobs if self._inventory.take(job, now)]
        start = 0
        try:
            while start < len(live):
                await self._recorder.ready()
                chunk = live[start : start + _CHUNK]
                start += len(chunk)
                attempts = []
                for job in chunk:
                    attempts.append(not_reached(job.leased, failure, started_at, now))
                    self._traffic.tally.not_reached(job.leased, attempts[-1])
                    failure.changes = ()  # they went with the first
                await self._reporter.report(chunk, attempts)
        finally:
            for job in live[start:]:  # a shutdown came between: they wait again
                job.flying = False

    async def close_idle(self, before: float) -> None:
        """Close the sessions that have been waiting since before that (monotonic) time."""
        for destination in list(self._traffic.destinations.values()):
            while destination.idle and destination.idle[0][1] <= before:
                session, _ = destination.idle.pop(0)
                self._idle_sessions -= 1
                self.tasks.start(self._close(session), "close")

    @property
    def idle_sessions(self) -> int:
        """How many sessions wait to be used again."""
        return self._idle_sessions

    async def _work(self, destination: Destination) -> None:
        session: Session | None = None
        starting = True
        batches = 0
        try:
            while destination.jobs and not self.stopping:
                if not self._recorder.open:
                    await self._recorder.ready()
                    continue
                if session is None:
                    session = await self._session(destination, starting)
                    if session is None:
                        return
                if starting:
                    starting = False
                    destination.starting -= 1
                batch, now = max(1, session.batch), self._clock.now()
                if destination.throttle is not None or destination.pace is not None:
                    seconds = destination.wait(now)
                    if seconds > 0:
                        self._resume_later(destination, seconds)
                        return
                    batch = destination.allowed(batch, now)
                jobs = destination.take(batch, now, self._inventory)
                if destination.throttle is not None or destination.pace is not None:
                    destination.spend(len(jobs), now)
                if jobs:
                    await self._attempt(destination, session, jobs)
                    batches += 1
                if not session.usable:
                    broken, session = session, None
                    await self._close(broken)
                if self._traffic.turns and (destination.active > 1 or batches >= _QUANTUM):
                    return
        finally:
            if starting:
                destination.starting -= 1
            destination.active -= 1
            if destination.throttle is not None:
                destination.throttle.active -= 1
            self._running -= 1
            if session is not None:
                self._park(destination, session)
            self._next(destination)
            if destination.throttle is not None:
                for other in list(destination.throttle.destinations.values()):
                    self.staff(other)

    def _resume_later(self, destination: Destination, seconds: float) -> None:
        if not destination.resuming:
            destination.resuming = True
            self.pauses.start(self._resume(destination, seconds), "pause")

    async def _resume(self, destination: Destination, seconds: float) -> None:
        try:
            await self._clock.sleep(seconds)
        finally:
            destination.resuming = False
        self.staff(destination)

    def _next(self, destination: Destination) -> None:
        """A worker has ended: whose turn is it?"""
        turns = self._traffic.turns
        if turns:
            if destination.jobs and not destination.in_turn:
                destination.in_turn = True
                turns.append(destination)
            for _ in range(len(turns)):
                if self._running >= self._settings.max_sessions:
                    return
                other = turns.popleft()
                other.in_turn = False
                self.staff(other)
        else:
            self.staff(destination)

    async def _session(self, destination: Destination, starting: bool) -> Session | None:
        """Return a session that waited or a new one; None where the destination cannot be reached."""
        while destination.idle:
            session, _ = destination.idle.pop()
            self._idle_sessions -= 1
            if session.usable:
                return session
            await self._close(session)
        started_at = self._clock.now()
        try:
            return await self._deliverer.connect(destination.route)
        except NotNow as later:
            await self._put_off(destination, later, started_at)
            return None
        except RouteFailed as failure:
            reached = failure
        except Exception:
            log.exception("connecting failed in a way it should not", destination=destination.key)
            reached = RouteFailed(_OUR_FAULT)
        working = destination.active - destination.starting - (not starting)
        if working > 0 and not reached.reply.permanent:
            # Other sessions work: it only takes no more of them at present.
            destination.limit = max(1.0, min(destination.limit / 2, float(destination.active - 1)))
        else:
            await self._collapse(destination, reached, started_at)
        return None

    async def _collapse(
        self, destination: Destination, failure: RouteFailed, started_at: float
    ) -> None:
        """Nothing gets through: all that waits has its outcome, and new mail waits in the store."""
        now = self._clock.now()
        # Workers that fail together fail once.
        if not failure.reply.permanent and not destination.backoff.holds(now):
            destination.collapsed(failure.reply, now, self._entropy.random())
            log.warning(
                "destination left alone",
                destination=destination.key,
                reason=str(failure.reply),
                seconds=round(destination.backoff.until - now),
            )
        jobs = list(destination.jobs)
        destination.jobs.clear()
        await self.fail(jobs, failure, started_at)

    async def _put_off(self, destination: Destination, later: NotNow, started_at: float) -> None:
        """Nothing may be sent before a time: what waits here waits in the store, and says why."""
        jobs = list(destination.jobs)
        destination.jobs.clear()
        log.info(
            "put off",
            destination=destination.key,
            reason=later.reply.text,
            messages=len(jobs),
            seconds=round(later.until - self._clock.now()),
        )
        too_old = []
        for job in jobs:
            now = self._clock.now()
            if later.until >= expiry(self._settings, job.leased.message):
                too_old.append(job)
            elif self._inventory.take(job, now):
                attempt = not_reached(job.leased, later, started_at, now)
                self._traffic.tally.put_off += len(job.leased.deliveries)
                self._recorder.put(put_off(job, attempt, later.reply, later.until))
        await self.fail(too_old, later, started_at)

    def _slow_down(
        self, destination: Destination, jobs: Sequence[Job], attempts: list[Attempt]
    ) -> bool:
        """Heed who asks us to go slower, and say so in the journey of who heard it."""
        for number, attempt in enumerate(attempts):
            for _, outcome in attempt.outcomes:
                if type(outcome) is Delivered or not asks_to_slow_down(outcome):
                    continue
                self._traffic.tally.slowed += 1
                words = destination.slow_down(outcome.reply, self._clock.now())
                if words:
                    log.warning(
                        "asked to slow down",
                        destination=destination.key,
                        id=format_id(jobs[number].leased.message.id),
                        reason=str(outcome.reply),
                        now=words,
                    )
                    step = Step(
                        round(attempt.ended_at - attempt.started_at, 6),
                        "slow",
                        f"{destination.who} asks us to slow down: {words}",
                    )
                    attempts[number] = replace(attempt, steps=(*attempt.steps, step))
                return True
        return False

    async def _attempt(self, destination: Destination, session: Session, jobs: list[Job]) -> None:
        started_at = self._clock.now()
        leased = [job.leased for job in jobs]
        try:
            if self._marks and destination.route.kind is not RouteKind.LOCAL:
                await self._mark(jobs)
            attempts = await session.attempt(leased)
            if len(attempts) != len(jobs):
                raise AssertionError(f"{len(jobs)} jobs came to {len(attempts)} attempts")
        except asyncio.CancelledError:
            self._cut_off(destination, jobs, started_at)
            raise
        except StorageError as error:
            log.error("attempts that must be marked cannot be; put off", error=str(error))
            now = self._clock.now()
            attempts = [
                same_for_all(job, TemporaryFailure(_OUR_FAULT), started_at, now) for job in leased
            ]
        except Exception:
            log.exception("an attempt failed in a way it should not", destination=destination.key)
            now = self._clock.now()
            attempts = [same_for_all(job, Unknown(_OUR_FAULT), started_at, now) for job in leased]
            destination.struggled()
        else:
            good = self._traffic.tally.count(destination.counts, leased, attempts)
            slowed = not good and self._slow_down(destination, jobs, attempts)
            if session.usable:
                if not slowed:
                    destination.succeeded()
                if destination.jobs and destination.active < destination.limit:
                    self.staff(destination)
            else:
                await self._weigh(destination, attempts, started_at)
        await self._reporter.report(jobs, attempts)

    async def _mark(self, jobs: Sequence[Job]) -> None:
        """Have it known after a crash that the attempts of jobs of streams that hold have begun."""
        marked = [
            job
            for job in jobs
            if self._settings.unknown_of(job.leased.message.stream) is UnknownPolicy.HOLD
        ]
        keys = [(each.message, each.ordinal) for job in marked for each in job.leased.deliveries]
        if not keys:
            return
        now, node = self._clock.now(), in_flight(self._settings.node)
        until = now + self._settings.lease_seconds
        await self._ledger.commit(Group((Leased(now, node, until, tuple(keys)),)))
        for job in marked:
            job.marked = True
            job.until = max(job.until, until)

    async def _weigh(
        self, destination: Destination, attempts: Sequence[Attempt], started_at: float
    ) -> None:
        """The session is at its end: was it of any use?"""
        last: Reply | None = None
        for attempt in attempts:
            if attempt.ours or attempt.untried:
                return
            for _, outcome in attempt.outcomes:
                if isinstance(outcome, Delivered | PermanentFailure):
                    destination.succeeded()
                    return
                last = outcome.reply
        if destination.struggled() and last is not None:
            steps, taken = attempts[-1].steps, attempts[-1].taken
            reply = outcome_of(last).reply if last.transient else _OUR_FAULT
            await self._collapse(destination, RouteFailed(reply, steps, taken), started_at)

    def _cut_off(self, destination: Destination, jobs: Sequence[Job], started_at: float) -> None:
        """A shutdown ends attempts in the middle. A deposit then never happened; of another server
        nobody knows.
        """
        now = self._clock.now()
        local = destination.route.kind is RouteKind.LOCAL
        outcome = TemporaryFailure(_CUT_OFF) if local else Unknown(_CUT_OFF)
        for job in jobs:
            self._reporter.report_now(job, same_for_all(job.leased, outcome, started_at, now))

    def _park(self, destination: Destination, session: Session) -> None:
        full = self._running + self._idle_sessions >= self._settings.max_sessions
        if self.stopping or full or not session.usable:
            self.tasks.start(self._close(session), "close")
            return
        destination.idle.append((session, self._clock.monotonic()))
        self._idle_sessions += 1
        if self._idle_sessions == 1:
            self._idle()

    async def _close(self, session: Session) -> None:
        try:
            await session.close()
        except Exception:
            log.exception("closing a session failed in a way it should not")
