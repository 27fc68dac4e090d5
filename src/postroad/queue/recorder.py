"""Writes what attempts came to: everything that waits when the last commit ends goes into the next.

An attempt that happened is not forgotten because the store fails: it is tried again until it is stored.
Meanwhile no new attempts begin (`ready`), so what waits here is bounded.
"""

import asyncio
from collections.abc import Callable

import structlog

from postroad.model import Change, Group, Staged, format_id
from postroad.ports import Attempt, Clock, Conflict, Ledger, StorageError
from postroad.queue.admission import Birth
from postroad.queue.inventory import Job
from postroad.queue.schedule import growing
from postroad.queue.settings import QueueSettings

log = structlog.get_logger("postroad.queue")

_FIRST_PAUSE_SECONDS = 0.1
_LONGEST_PAUSE_SECONDS = 1.0  # a crash meanwhile would have the same mail sent twice


class Entry:
    """One attempt of one job, as it is to be committed. `fallbacks` counts what was tried instead."""

    __slots__ = ("attempt", "births", "changes", "contents", "fallbacks", "job")

    def __init__(
        self,
        job: Job,
        attempt: Attempt,
        changes: tuple[Change, ...],
        contents: tuple[Staged, ...] = (),
        births: tuple[Birth, ...] = (),
    ) -> None:
        self.job = job
        self.attempt = attempt
        self.changes = changes
        self.contents = contents
        self.births = births
        self.fallbacks = 0


class Recorder:
    """Commits entries, in order, and tells `stored` which are; `instead` makes another entry of one
    that contradicts the store, or None to give it up.
    """

    def __init__(
        self,
        *,
        ledger: Ledger,
        clock: Clock,
        settings: QueueSettings,
        stored: Callable[[list[Entry]], None],
        instead: Callable[[Entry, Exception], Entry | None],
    ) -> None:
        self._ledger = ledger
        self._clock = clock
        self._settings = settings
        self._stored = stored
        self._instead = instead
        self._pending: list[Entry] = []
        self._writing = 0
        self._failures = 0
        self._work = asyncio.Event()
        self._room = asyncio.Event()
        self._idle = asyncio.Event()
        self._room.set()
        self._idle.set()

    @property
    def unrecorded(self) -> int:
        """How many attempts are not stored yet."""
        return len(self._pending) + self._writing

    @property
    def open(self) -> bool:
        """Whether attempts may be made: the store works, and not too many wait for it."""
        return self._room.is_set()

    async def ready(self) -> None:
        """Wait until attempts may be made."""
        await self._room.wait()

    async def drained(self) -> None:
        """Wait until all is stored."""
        await self._idle.wait()

    def put(self, entry: Entry) -> None:
        """Have an entry stored soon."""
        pending = self._pending
        if not pending:
            self._work.set()
            self._idle.clear()
        pending.append(entry)
        if len(pending) >= self._settings.max_unrecorded:
            self._room.clear()

    async def run(self) -> None:
        """Store until cancelled."""
        most = self._settings.record_batch
        while True:
            if not self._pending:
                self._idle.set()
                self._work.clear()
                await self._work.wait()
            batch, self._pending = self._pending[:most], self._pending[most:]
            self._writing = len(batch)
            left = batch
            try:
                left = await self._store(batch)
            finally:
                self._writing = 0
                self._pending[:0] = left
            if left:
                await self._pause(len(left) == len(batch))
            elif self._failures:
                log.warning("the store works again", unrecorded=len(self._pending))
                self._failures = 0
            if not self._failures and len(self._pending) < self._settings.max_unrecorded:
                self._room.set()

    def lost(self) -> None:
        """Say what was never stored; called when the process ends."""
        for entry in self._pending:
            log.error(
                "the outcome of an attempt could not be stored; the delivery will be tried again",
                id=format_id(entry.job.leased.message.id),
                outcomes=[
                    f"{ordinal}: {type(outcome).__name__} {outcome.reply}"
                    for ordinal, outcome in entry.attempt.outcomes
                ],
            )

    def forget(self) -> None:
        """Start anew."""
        self._pending.clear()
        self._failures = 0
        self._room.set()
        self._idle.set()

    async def _pause(self, nothing_went: bool) -> None:
        self._failures += 1
        if nothing_went:
            self._room.clear()
        pause = growing(_FIRST_PAUSE_SECONDS, _LONGEST_PAUSE_SECONDS, self._failures)
        await self._clock.sleep(pause)

    async def _store(self, batch: list[Entry]) -> list[Entry]:
        """Commit the entries in one group or, if that fails, each alone; return those to try again."""
        error = await self._commit(batch)
        if error is None:
            self._stored(batch)
            return []
        if len(batch) == 1:
            errors: list[Exception | None] = [error]
        else:
            errors = list(await asyncio.gather(*(self._commit([entry]) for entry in batch)))
        left: list[Entry] = []
        done: list[Entry] = []
        for entry, failure in zip(batch, errors, strict=True):
            await self._sort(entry, failure, done, left)
        if left:
            log.error("outcomes could not be stored yet", count=len(left), error=str(error))
        if done:
            self._stored(done)
        return left

    async def _sort(
        self, entry: Entry, error: Exception | None, done: list[Entry], left: list[Entry]
    ) -> None:
        while error is not None:
            if isinstance(error, StorageError) and not isinstance(error, Conflict):
                left.append(entry)
                return
            other = self._instead(entry, error)
            if other is None:
                entry.births = ()
                break
            entry = other
            error = await self._commit([entry])
        done.append(entry)

    async def _commit(self, entries: list[Entry]) -> Exception | None:
        if len(entries) == 1:
            changes, contents = entries[0].changes, entries[0].contents
        else:
            changes = tuple([change for entry in entries for change in entry.changes])
            contents = tuple([staged for entry in entries for staged in entry.contents])
        try:
            await self._ledger.commit(Group(changes, contents))
        except StorageError as error:
            return error
        except Exception as error:
            log.exception("the store failed in a way it should not")
            return error
        return None
