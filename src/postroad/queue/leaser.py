"""Fetches due deliveries from the store as there is room, and keeps the leases fresh."""

import asyncio

import structlog

from postroad.model import Attempted, Group, Leased, LeasedDelivery, PutOff, Reply
from postroad.ports import Clock, Ledger, QueueStore, StorageError
from postroad.queue.admission import Admission
from postroad.queue.dispatcher import Dispatcher
from postroad.queue.inventory import Inventory
from postroad.queue.recovery import in_flight, taken_over
from postroad.queue.settings import QueueSettings
from postroad.queue.tasks import within
from postroad.queue.traffic import Traffic
from postroad.queue.worker import Workers

log = structlog.get_logger("postroad.queue")

_SHORTEST_WAIT_SECONDS = 0.02
_STORE_FAILED_SECONDS = 1.0
_WORTHWHILE = 16


class Leaser:
    """Two loops that run until cancelled: `run` and `keep_house`. `chores` is set when there are
    sessions to be closed in a while.
    """

    def __init__(
        self,
        *,
        store: QueueStore,
        ledger: Ledger,
        clock: Clock,
        settings: QueueSettings,
        inventory: Inventory,
        traffic: Traffic,
        admission: Admission,
        dispatcher: Dispatcher,
        workers: Workers,
        chores: asyncio.Event,
    ) -> None:
        self._store = store
        self._ledger = ledger
        self._clock = clock
        self._settings = settings
        self._inventory = inventory
        self._traffic = traffic
        self._admission = admission
        self._dispatcher = dispatcher
        self._workers = workers
        self._wake = asyncio.Event()
        self._chores = chores
        self._planned = 0.0
        self._enough = inventory.limit // 2
        self._quiet = settings.has_quiet_hours
        self._untold: list[Attempted] = []

    def wake(self) -> None:
        """Something may be due."""
        self._wake.set()

    def due(self, at: float) -> None:
        """A delivery was stored that is due then."""
        if at < self._planned:
            self._wake.set()

    def freed(self) -> None:
        """There is more room. Worth a look once a good part of what was leased last is done."""
        if self._admission.turned_away and self._inventory.free >= self._enough:
            self._wake.set()

    async def run(self) -> None:
        """Lease what is due."""
        while True:
            self._wake.clear()
            now = self._clock.now()
            try:
                until = await self._lease(now)
            except StorageError as error:
                log.error("due deliveries could not be leased", error=str(error))
                until = now + _STORE_FAILED_SECONDS
            now = self._clock.now()
            self._planned = until
            await self._wait(self._wake, min(until - now, self._settings.poll_seconds))

    async def _lease(self, now: float) -> float:
        """Lease once; return when to look again."""
        settings, traffic, inventory = self._settings, self._traffic, self._inventory
        admission = self._admission
        await self._tell()
        free = inventory.free
        if free <= 0:
            admission.turned_away = True
            self._enough = max(1, inventory.limit // 20)
            return now + settings.poll_seconds
        exclude = traffic.exclude(now)
        limit = min(settings.lease_batch, max(1, free // 2))
        until = now + settings.lease_seconds
        found = await self._store.lease(
            now=now, until=until, node=settings.node, limit=limit, exclude=exclude
        )
        if any(leased.before for leased in found):
            found = await self._take_over(found, now)
        if self._quiet:
            found = await self._put_off(found, now)
        jobs = [job for leased in found if (job := inventory.add(leased, until)) is not None]
        self._dispatcher.dispatch(jobs)
        fresh = sum(len(job.leased.deliveries) for job in jobs)
        # Where memory is short, more may be due of what was left out: look again when half is done.
        admission.turned_away = fresh >= limit or inventory.free * 2 < inventory.limit
        short = admission.turned_away
        self._enough = inventory.free + max(1, fresh // 2) if short else inventory.limit // 2
        if fresh >= limit:
            return now if limit >= _WORTHWHILE else now + settings.poll_seconds
        next_due = await self._store.next_due(traffic.exclude(now))
        ends = traffic.next_end_of_backoff(now)
        times = [each for each in (next_due, ends) if each is not None]
        return max(min(times, default=now + settings.poll_seconds), now + _SHORTEST_WAIT_SECONDS)

    async def _take_over(self, found: list[LeasedDelivery], now: float) -> list[LeasedDelivery]:
        """What another node had in hand when it was heard of last may have been sent: that is told.

        Raises `StorageError`; it is told next time then, and what is left out runs out.
        """
        kept = []
        for leased in found:
            told = taken_over(leased, self._inventory, self._settings, now)
            if told is None:
                kept.append(leased)
            else:
                self._untold.append(told)
        await self._tell()
        return kept

    async def _tell(self) -> None:
        if self._untold:
            await self._ledger.commit(Group(tuple(self._untold)))
            log.warning("leases of another server ran out", unknown=len(self._untold))
            self._untold.clear()

    async def _put_off(self, found: list[LeasedDelivery], now: float) -> list[LeasedDelivery]:
        """What became due before its quiet hours, and was not sent in time, waits until they end.

        Raises `StorageError`; the leases then run out.
        """
        kept, changes = [], []
        for leased in found:
            quiet = self._settings.of(leased.message.stream).quiet
            until = now if quiet is None else quiet.after(now)
            if until <= now:
                kept.append(leased)
                continue
            reply = Reply(450, "4.7.0", f"Quiet hours of the stream ({quiet})")
            keys = tuple((leased.message.id, each.ordinal) for each in leased.deliveries)
            changes.append(PutOff(now, until, reply, keys))
        if changes:
            await self._ledger.commit(Group(tuple(changes)))
        return kept

    async def keep_house(self) -> None:
        """Close idle sessions, renew leases, forget what is not used."""
        settings = self._settings
        while True:
            self._chores.clear()
            pause = settings.lease_seconds / 3
            if self._workers.idle_sessions:
                pause = min(pause, max(settings.idle_session_seconds / 2, 0.05))
                await self._clock.sleep(pause)
            else:
                await self._wait(self._chores, pause)
            before = self._clock.monotonic() - settings.idle_session_seconds
            await self._workers.close_idle(before)
            await self._renew()
            self._traffic.tidy(self._clock.now())

    async def _renew(self) -> None:
        node = self._settings.node
        await self._renew_under(node, marked=False)
        await self._renew_under(in_flight(node), marked=True)

    async def _renew_under(self, node: str, *, marked: bool) -> None:
        settings, now = self._settings, self._clock.now()
        keys = self._inventory.renewable(now + settings.lease_seconds / 2, marked=marked)
        until = now + settings.lease_seconds
        for start in range(0, len(keys), settings.lease_batch):
            chunk = keys[start : start + settings.lease_batch]
            try:
                await self._ledger.commit(Group((Leased(now, node, until, tuple(chunk)),)))
            except StorageError as error:
                log.error("leases could not be renewed", count=len(keys) - start, error=str(error))
                return
            self._inventory.renew(chunk, until)

    async def _wait(self, event: asyncio.Event, seconds: float) -> None:
        """Wait for the event, at most so long."""
        if seconds <= 0:
            await asyncio.sleep(0)
        elif not event.is_set():
            await within(self._clock, seconds, event.wait())
