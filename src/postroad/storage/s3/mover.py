"""Brings contents from files to S3 once a row names them, and removes objects whose rows are gone.

Nothing is lost by an end at any moment: a file stays until its object is seen in S3, and a second time
of either is no harm. What a process left behind is found by its next life, or by another.
"""

import asyncio
import contextlib
from collections import deque
from collections.abc import Awaitable, Callable, Iterable, Sequence

import structlog

from postroad.model import ContentRef, format_id
from postroad.ports import StorageError
from postroad.storage.files import FileContents
from postroad.storage.large import Lookup, Stored
from postroad.storage.s3.bucket import Bucket, Claimed

log = structlog.get_logger("postroad.storage")

STEP_CONTENTS = 100
MAX_REMOVALS = 100_000  # that wait for S3; beyond, the sweep finds them
LEFT_BEHIND_SECONDS = 30.0
WATCH_SECONDS = 30.0
FIRST_PAUSE_SECONDS = 0.5
LONGEST_PAUSE_SECONDS = 15.0


async def _nobody(contents: Sequence[int]) -> dict[int, Stored]:
    return {}


class Mover:
    """Moves contents, a few at a time. `waiting_octets` is how much this process still has to bring."""

    def __init__(self, files: FileContents, bucket: Bucket, *, uploads: int) -> None:
        self.lookup: Lookup = _nobody
        self._files = files
        self._bucket = bucket
        self._uploads = uploads
        self._waiting: deque[int] = deque()
        self._queued: set[int] = set()
        self._there: set[int] = set()
        self._expected: dict[int, int] = {}
        self.waiting_octets = 0
        self._removals: deque[int] = deque(maxlen=MAX_REMOVALS)
        self._wake = asyncio.Event()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._failing = False

    def expect(self, content_id: int, size: int, *, there: bool) -> None:
        """A content is staged, and `there` tells whether it is in S3 already; it counts as waiting until
        it is brought, or nobody needs it.
        """
        if there:
            self._there.add(content_id)
        self._expected[content_id] = size
        self.waiting_octets += size

    def add(self, contents: Iterable[int]) -> None:
        """The commits of these are over."""
        for content_id in contents:
            if content_id not in self._queued:
                self._queued.add(content_id)
                self._waiting.append(content_id)
        self._wake.set()

    def removed(self, contents: Iterable[int]) -> None:
        """The rows and files of these are gone. Called in any thread."""
        self._removals.extend(contents)
        if self._loop is not None:
            with contextlib.suppress(RuntimeError):  # the loop is closed: the sweep finds them
                self._loop.call_soon_threadsafe(self._wake.set)

    async def run(self) -> None:
        """Move what waits, until cancelled."""
        self._loop = asyncio.get_running_loop()
        while True:
            if not self._waiting and not self._removals:
                self._wake.clear()
                if not self._removals:  # another thread may have come in between
                    await self._wake.wait()
            if self._removals:
                await self.until_done(self._remove_step)
            if self._waiting:
                await self.until_done(self._move_step)

    async def watch(self) -> None:
        """Find, now and then, files that nobody brings: of an earlier life, or of a restore."""
        age = 0.0  # nobody else is at work yet: what is here, is left
        while True:
            self.add(await asyncio.to_thread(self._files.stored, age))
            age = LEFT_BEHIND_SECONDS
            await asyncio.sleep(WATCH_SECONDS)

    async def until_done(self, step: Callable[[], Awaitable[object]]) -> None:
        """Do it again, at longer and longer intervals, until it succeeds. Raises `Claimed`."""
        pause = FIRST_PAUSE_SECONDS
        while True:
            try:
                await step()
            except Claimed:
                raise
            except StorageError as error:
                if not self._failing:
                    log.warning(
                        "contents wait for S3", error=str(error), waiting=len(self._waiting)
                    )
                self._failing = True
            else:
                if self._failing:
                    log.info("S3 answers again")
                self._failing = False
                return
            await asyncio.sleep(pause)
            pause = min(pause * 2, LONGEST_PAUSE_SECONDS)

    async def _move_step(self) -> None:
        """Bring some of what waits. Raises `StorageError`, and then some may still wait."""
        step = [self._waiting[at] for at in range(min(STEP_CONTENTS, len(self._waiting)))]
        rows = await self.lookup(step)
        limit = asyncio.Semaphore(self._uploads)
        failures: dict[int, StorageError] = {}

        async def move(content_id: int) -> None:
            async with limit:
                if failures:
                    return  # the others fare no better; do not keep them waiting
                try:
                    if content_id in rows:
                        await self._bring(content_id, rows[content_id])
                except StorageError as error:
                    failures[content_id] = error
                else:
                    self._done(content_id)

        await asyncio.gather(*map(move, step))
        waiting = [each for each in self._waiting if each in self._queued]
        # One that never succeeds does not stand in the way of others.
        waiting.sort(key=failures.__contains__)
        self._waiting = deque(waiting)
        for error in failures.values():
            raise error

    async def _bring(self, content_id: int, row: Stored) -> None:
        path = self._files.path(content_id)
        if content_id not in self._there:
            try:
                ref = ContentRef(content_id, row.size)
                await self._bucket.put(ref, path, row.begins, row.digest)
            except FileNotFoundError:
                return  # another process brought it, or it was removed
        if not self._files.unlink(content_id) and content_id not in await self.lookup([content_id]):
            # Removed while we brought it, and perhaps removed there before it came.
            self._removals.append(content_id)
        log.debug("content is in S3", content=format_id(content_id), octets=row.size)

    def _done(self, content_id: int) -> None:
        self._queued.discard(content_id)
        self._there.discard(content_id)
        self.waiting_octets -= self._expected.pop(content_id, 0)

    async def _remove_step(self) -> None:
        step = [self._removals[at] for at in range(min(STEP_CONTENTS, len(self._removals)))]
        await self._bucket.remove(step)
        for _ in step:
            self._removals.popleft()
