"""The door of the queue: accept messages, run, stop, and carry out what an operator wants."""

import asyncio
from collections.abc import Coroutine, Iterable, Sequence
from typing import Any, TypeAlias

import structlog
from msgspec.structs import replace

from postroad.model import (
    Accepted,
    Attempted,
    Change,
    Delivered,
    Delivery,
    DeliveryState,
    Dropped,
    Group,
    Held,
    LeasedDelivery,
    Message,
    PutOff,
    Released,
    Result,
    Retried,
    Route,
    RouteKind,
    Ruling,
    Staged,
)
from postroad.ports import (
    Clock,
    Conflict,
    ContentStore,
    Deliverer,
    Entropy,
    KeyTaken,
    Ledger,
    QueueStore,
    StorageError,
)
from postroad.queue.admission import Admission, Posted
from postroad.queue.bounce import Bouncer, Resolve, Sign
from postroad.queue.dispatcher import Dispatcher
from postroad.queue.entries import Fallback
from postroad.queue.inventory import Inventory, Job, Key
from postroad.queue.leaser import Leaser
from postroad.queue.look import QueueLook, look
from postroad.queue.quiet import waited_out
from postroad.queue.recorder import Entry, Recorder
from postroad.queue.recovery import recover
from postroad.queue.reporter import Reporter
from postroad.queue.settings import QueueSettings
from postroad.queue.steering import Steering
from postroad.queue.tally import Tally
from postroad.queue.tasks import Tasks, within
from postroad.queue.traffic import Traffic
from postroad.queue.worker import Workers

log = structlog.get_logger("postroad.queue")

Keys: TypeAlias = Sequence[tuple[int, int]]
"""Deliveries, each as (message, ordinal)."""

_LAST_WRITES_SECONDS = 2.0
_DUE, _DELIVERED = DeliveryState.DUE, DeliveryState.DELIVERED


class Queue:
    """The set of deliveries, and what moves them.

    `resolve` tells where the address of a sender leads, for reports; `sign` signs these. Messages may be
    accepted before `run` and after `stop`; they then wait in the store.
    """

    def __init__(
        self,
        *,
        ledger: Ledger,
        store: QueueStore,
        content: ContentStore,
        deliverer: Deliverer,
        clock: Clock,
        entropy: Entropy,
        settings: QueueSettings,
        resolve: Resolve,
        sign: Sign | None = None,
    ) -> None:
        self.settings = settings
        self._quiet = settings.has_quiet_hours
        self._ledger = ledger
        self._deliverer = deliverer
        self._store = store
        self._clock = clock
        self._tasks = Tasks()
        self._stop = asyncio.Event()
        self._ended = asyncio.Event()
        self._running = False
        self._grace_seconds = 0.0
        chores = asyncio.Event()
        self._inventory = Inventory(settings.max_in_memory)
        self._traffic = Traffic(settings, self._inventory)
        self._local_counts = self._traffic.tally.of(Route(RouteKind.LOCAL, "local", "local"))
        self._admission = Admission(settings, self._inventory, self._traffic, self._dispatch)
        self._recorder = Recorder(
            ledger=ledger,
            clock=clock,
            settings=settings,
            stored=self._stored,
            instead=Fallback(settings, entropy.random),
        )
        self._reporter = Reporter(
            recorder=self._recorder,
            bouncer=Bouncer(
                content=content,
                clock=clock,
                entropy=entropy,
                resolve=resolve,
                settings=settings,
                sign=sign,
            ),
            admission=self._admission,
            clock=clock,
            entropy=entropy,
            settings=settings,
        )
        self._workers = Workers(
            deliverer=deliverer,
            ledger=ledger,
            clock=clock,
            entropy=entropy,
            settings=settings,
            inventory=self._inventory,
            traffic=self._traffic,
            recorder=self._recorder,
            reporter=self._reporter,
            idle=chores.set,
        )
        self._dispatcher = Dispatcher(
            deliverer=deliverer,
            clock=clock,
            entropy=entropy,
            settings=settings,
            traffic=self._traffic,
            workers=self._workers,
        )
        self._leaser = Leaser(
            store=store,
            ledger=ledger,
            clock=clock,
            settings=settings,
            inventory=self._inventory,
            traffic=self._traffic,
            admission=self._admission,
            dispatcher=self._dispatcher,
            workers=self._workers,
            chores=chores,
        )
        self._steering = Steering(
            store=store,
            clock=clock,
            settings=settings,
            inventory=self._inventory,
            traffic=self._traffic,
            leaser=self._leaser,
        )

    @property
    def in_memory(self) -> int:
        """How many deliveries this process holds at present."""
        return self._inventory.size

    @property
    def tally(self) -> Tally:
        """What was done since the process began."""
        return self._traffic.tally

    def look(self) -> QueueLook:
        """Return how it stands: what moves, and what waits why."""
        return look(self._traffic, self.in_memory, self.unrecorded, self._clock.now())

    @property
    def unrecorded(self) -> int:
        """How many attempts have ended whose outcome is not stored yet."""
        return self._recorder.unrecorded

    async def accept(
        self,
        message: Message,
        deliveries: Sequence[Delivery],
        staged: Staged,
        rulings: tuple[Ruling, ...] = (),
        first: tuple[Change, ...] = (),
    ) -> None:
        """Take responsibility for a message: durable on return. `rulings` go into its journey, the
        changes `first` are committed with it.

        Raises `StorageError`, and then nothing happened.
        """
        accepted = self._traffic.tally.accepted
        if self._quiet and (quiet := self.settings.of(message.stream).quiet) is not None:
            deliveries, rulings = waited_out(quiet, deliveries, rulings, self._clock.now())
        if await self._deposited(message, deliveries, staged, rulings, first):
            accepted[message.stream] += 1
            return
        birth = self._admission.admit(message, deliveries, self._clock.now())
        if rulings:
            birth = replace(birth, change=replace(birth.change, rulings=rulings))
        try:
            await self._ledger.commit(Group((*first, birth.change), (staged,)))
        except asyncio.CancelledError:
            # It may yet be committed, after nobody waits here to hand it on. Groups are applied in the
            # order of the calls, so this makes it due then, and is nothing if it was not committed.
            if birth.jobs:
                self._tasks.start(self._give_back(_keys(birth.jobs)), "give back")
            raise
        accepted[message.stream] += 1
        if birth.jobs:
            self._admission.born(birth)

    async def accept_together(
        self, posted: Sequence[Posted], first: tuple[Change, ...] = ()
    ) -> None:
        """Take responsibility for several messages, for all of them or for none: durable on return. The
        changes `first` are committed with them.

        They are committed as due, and leased like all that waits. Raises `StorageError`, and then
        nothing happened.
        """
        now = self._clock.now()
        changes = []
        for each in posted:
            deliveries, rulings = each.deliveries, each.rulings
            if self._quiet and (quiet := self.settings.of(each.message.stream).quiet) is not None:
                deliveries, rulings = waited_out(quiet, deliveries, rulings, now)
            changes.append(Accepted(now, each.message, deliveries, rulings=rulings))
        await self._ledger.commit(Group((*first, *changes), tuple(each.staged for each in posted)))
        for each in posted:
            self._traffic.tally.accepted[each.message.stream] += 1
        self._leaser.wake()

    async def _deposited(
        self,
        message: Message,
        deliveries: Sequence[Delivery],
        staged: Staged,
        rulings: tuple[Ruling, ...],
        first: tuple[Change, ...],
    ) -> bool:
        """Accept and deliver in one commit what only has to be put into mailboxes here.

        False: nothing was committed, the message has to go the long way. So it is with whatever needs
        more than deposits: a mailbox that is gone, a report that was asked for.
        """
        now = self._clock.now()
        for each in deliveries:
            if each.due_at > now or each.notify.on_success:
                return False
        job = LeasedDelivery(message, tuple(deliveries))
        attempt = await self._deliverer.at_once(job)
        if attempt is None:
            return False
        results = []
        for ordinal, outcome in attempt.outcomes:
            if not isinstance(outcome, Delivered):
                return False
            results.append(Result(ordinal, outcome, _DELIVERED))
        attempted = Attempted(
            attempt.ended_at,
            message.id,
            attempt.started_at,
            tuple(results),
            attempt.taken,
            attempt.steps,
        )
        accepted = Accepted(now, message, job.deliveries, rulings=rulings)
        changes = (*first, *attempt.made, accepted, *attempt.changes, attempted)
        try:
            await self._ledger.commit(Group(changes, (staged,)))
        except KeyTaken:
            raise
        except Conflict:
            return False  # a mailbox went just now
        self._traffic.tally.count(self._local_counts, (job,), (attempt,))
        return True

    async def run(self) -> None:
        """Settle what an earlier life of this node (or one that left it to us) had in hand, then work
        until `stop`.

        Raises `StorageError` where the store cannot even be asked at the start, and whatever ends a
        part of the queue that must not end.
        """
        if self._running:
            raise RuntimeError("the queue runs already")
        self._running = True
        self._ended.clear()
        cores: list[asyncio.Task[None]] = []
        try:
            await recover(
                store=self._store,
                ledger=self._ledger,
                clock=self._clock,
                settings=self.settings,
            )
            self._workers.stopping = False
            self._admission.open = True
            cores += [
                _task(self._recorder.run()),  # the last to end
                _task(self._leaser.run()),
                _task(self._leaser.keep_house()),
                _task(self._steering.run()),
                _task(self._until_stopped()),
            ]
            done, _ = await asyncio.wait(cores, return_when=asyncio.FIRST_COMPLETED)
            for task in done:
                task.result()
        finally:
            try:
                await self._shut_down(cores)
            finally:
                self._running = False
                self._stop.clear()
                self._ended.set()

    async def stop(self, grace_seconds: float) -> None:
        """Begin nothing new, give the attempts in flight so long to end, release the rest, return when
        `run` has ended. An attempt that has to be cut off is recorded as one.
        """
        if not self._running:
            return
        self._grace_seconds = grace_seconds
        self._stop.set()
        await self._ended.wait()

    def wake(self) -> None:
        """Look into the store now: something may be due."""
        self._leaser.wake()

    async def retry(self, keys: Keys, by: str) -> None:
        """Make deliveries due now, whatever the schedule says. Raises `StorageError`."""
        await self._commit(Retried(self._clock.now(), by, tuple(keys)))
        self._traffic.clear_backoffs()
        self._leaser.wake()

    async def release(self, keys: Keys, by: str) -> None:
        """Make held deliveries due now. Raises `StorageError`."""
        await self.retry(keys, by)

    async def hold(self, keys: Keys, by: str) -> None:
        """Stop deliveries until they are released. Raises `StorageError`.

        An attempt in flight goes on; if it brings the delivery to its end, that is its end.
        """
        await self._commit(Held(self._clock.now(), by, tuple(keys)))
        self._inventory.withdraw(keys)

    async def drop(self, keys: Keys, by: str) -> None:
        """End deliveries without a report. Raises `StorageError`."""
        await self._commit(Dropped(self._clock.now(), by, tuple(keys)))
        self._inventory.withdraw(keys)

    async def _commit(self, change: Retried | Held | Dropped) -> None:
        if change.keys:
            await self._ledger.commit(Group((change,)))

    async def _until_stopped(self) -> None:
        await self._stop.wait()

    def _dispatch(self, jobs: list[Job]) -> None:
        """Jobs were born. Where the end has come meanwhile they go back to the store."""
        if self._admission.open:
            self._dispatcher.dispatch(jobs)
            return
        keys = _keys(job.leased for job in jobs)
        for job in jobs:
            self._inventory.forget(job)
        self._tasks.start(self._give_back(keys), "give back")

    def _stored(self, entries: list[Entry]) -> None:
        """The outcomes of these attempts are on stable storage."""
        inventory, leaser = self._inventory, self._leaser
        for entry in entries:
            inventory.forget(entry.job)
            for birth in entry.births:
                if birth.jobs:
                    self._admission.born(birth)
                else:
                    leaser.wake()
            attempted = entry.changes[0]
            if isinstance(attempted, Attempted):
                for result in attempted.results:
                    if result.state is _DUE:
                        leaser.due(result.due_at)
            elif isinstance(attempted, Released | PutOff):
                leaser.due(attempted.due_at)
        leaser.freed()

    async def _shut_down(self, cores: Sequence[asyncio.Task[None]]) -> None:
        clock, workers, recorder = self._clock, self._workers, self._recorder
        ends_at = clock.monotonic() + self._grace_seconds
        self._admission.open = False
        workers.stopping = True
        writer, *others = cores or (None,)
        await _cancel(others)
        await workers.pauses.cancel()
        await self._give_back_waiting()
        await workers.close_idle(clock.monotonic())
        await within(clock, self._grace_seconds, workers.tasks.wait())
        for _ in range(2):  # a worker that is cut off leaves its session to another task
            await asyncio.sleep(0)  # a task that is to close a session must have begun, to close it
            await workers.tasks.cancel()
        await self._give_back_waiting()
        if writer is not None and not writer.done():
            left = max(ends_at - clock.monotonic(), _LAST_WRITES_SECONDS)
            await within(clock, left, recorder.drained())
        await _cancel([writer] if writer is not None else [])
        recorder.lost()
        recorder.forget()
        await within(clock, _LAST_WRITES_SECONDS, self._tasks.wait())
        await self._tasks.cancel()
        self._traffic.clear()
        self._inventory.clear()

    async def _give_back_waiting(self) -> None:
        keys = self._inventory.waiting()
        self._inventory.withdraw(keys)
        await self._give_back(keys)

    async def _give_back(self, keys: Sequence[Key]) -> None:
        """What was not begun is due again at once, for whoever comes first."""
        now, step = self._clock.now(), self.settings.lease_batch
        for start in range(0, len(keys), step):
            released = Released(now, now, tuple(keys[start : start + step]))
            try:
                await self._ledger.commit(Group((released,)))
            except StorageError as error:
                # They stay leased to this node, which makes them due when it starts again.
                log.error(
                    "leases could not be given back", count=len(keys) - start, error=str(error)
                )
                return


def _keys(jobs: Iterable[LeasedDelivery]) -> list[Key]:
    return [(leased.message.id, each.ordinal) for leased in jobs for each in leased.deliveries]


def _task(work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
    """A part that must not end: `run` watches it."""
    return asyncio.ensure_future(work)


async def _cancel(tasks: Sequence[asyncio.Task[None]]) -> None:
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
