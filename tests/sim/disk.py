"""A disk that commits late, fails, fills up, and forgets with a crash what was not committed.

`Disk` is what stays: a `MemoryStore` and the contents that were ever committed. `Mount` is the disk as
one life of a process sees it: writes wait in order for the next sync, and then become durable together;
the process learns of it a moment later. What waits when the process dies is gone. A sync that failed
leaves what it should have written in doubt: overwritten by the next, or found whole after a crash.
"""

import asyncio
from collections.abc import Awaitable, Callable, Collection, Sequence
from random import Random
from typing import Any

from postroad.model import ContentRef, Group, LeasedDelivery, Staged, format_id
from postroad.ports import Conflict, StorageError, StorageFull
from postroad.storage.memory import MemoryStore
from postroad.storage.memory.apply import Application
from postroad.storage.memory.ports import (
    MemoryContents,
    MemoryContentWriter,
    MemoryLocks,
    MemoryMailboxes,
    MemoryQueue,
)
from tests.sim.loop import SimLoop

Committed = Callable[["Disk", Group], None]
Operation = Callable[[], Any]


class ContentLost(Exception):
    """A message is to be stored, and its octets, which were a file, are not there any more."""


class DiskWeather:
    """How the disk behaves at present. `sync_seconds` are the least and the most of one sync."""

    def __init__(self) -> None:
        self.sync_seconds = (0.0005, 0.004)
        self.failing = 0.0
        self.sync_failing = 0.0
        self.full = False
        self.read_failing = 0.0


class Disk:
    """What outlives the processes of one system."""

    def __init__(
        self,
        name: str,
        random: Random,
        committed: Committed,
        trace: Callable[[str, bytes], None],
        count: Callable[[str], None],
    ) -> None:
        self.name = name
        self.random = random
        self.store = MemoryStore(node=name)
        self.archive: dict[int, bytes] = {}
        self.weather = DiskWeather()
        self.committed = committed
        self.trace = trace
        self.count = count
        self.syncs = 0
        self.doubtful: list[Operation] = []

    def apply(self, group: Group, files: dict[int, bytes]) -> None:
        """Make a group durable, now. Raises `Conflict`, `ContentLost`."""
        for staged in group.contents:
            if staged.data is None and staged.ref.id not in files:
                raise ContentLost(f"message {format_id(staged.ref.id)} has lost its octets")
        application = Application(self.store.state)
        try:
            application.apply(group, files)
        except BaseException:
            application.undo.roll_back()
            raise
        for staged in group.contents:
            data = files[staged.ref.id] if staged.data is None else staged.data
            self.archive[staged.ref.id] = data
        self.committed(self, group)

    def failure(self) -> StorageError | None:
        """Return what a write comes to, None where it works."""
        weather = self.weather
        if weather.full:
            self.count("disk full")
            return StorageFull("no space left on device")
        if weather.failing and self.random.random() < weather.failing:
            self.count("write error")
            return StorageError("input/output error")
        return None

    def sync_failure(self) -> StorageError | None:
        """Return what a whole sync comes to, None where it works."""
        weather = self.weather
        if weather.sync_failing and self.random.random() < weather.sync_failing:
            self.count("sync error")
            return StorageError("input/output error: sync")
        return None

    def crashed(self) -> list[str]:
        """The process died: what the last sync failed to write may be there all the same, as the frames
        of a write-ahead log are. Return what is wrong with it.
        """
        doubtful, self.doubtful = self.doubtful, []
        wrong: list[str] = []
        if not doubtful or self.random.random() < 0.3:
            return wrong
        self.count("found whole")
        for operation in doubtful:
            try:
                operation()
            except Conflict:
                pass  # it would have been refused, had the sync worked
            except ContentLost as error:
                wrong.append(f"{self.name}: found after a crash: {error}")
        return wrong

    def read_failure(self) -> None:
        """Raise what a read comes to."""
        if self.weather.read_failing and self.random.random() < self.weather.read_failing:
            self.count("read error")
            raise StorageError("input/output error")


class Mount:
    """All storage ports, as one process has them."""

    def __init__(self, disk: Disk, loop: SimLoop, inline_max_octets: int) -> None:
        self.disk = disk
        self.node = disk.name
        self.writer = _Writer(disk, loop)
        state = disk.store.state
        self.ledger = _Ledger(self.writer)
        self.queue = _Queue(self.writer, MemoryQueue(state), disk)
        self.directory = disk.store.directory
        self.mailboxes = _Mailboxes(disk, MemoryMailboxes(state))
        self.locks = MemoryLocks()
        self.journey = disk.store.journey
        self.content = _Contents(disk, self.writer.files, inline_max_octets)


class _Writer:
    """Operations in the order of their calls, several in one sync."""

    def __init__(self, disk: Disk, loop: SimLoop) -> None:
        self.disk = disk
        self.files: dict[int, bytes] = {}
        self._loop = loop
        self._waiting: list[tuple[Operation, asyncio.Future[Any]]] = []
        self._busy = False

    async def do(self, operation: Operation) -> Any:
        """Have it done at the next sync; return its result once it is durable."""
        future = self._loop.create_future()
        if self._loop.effect():
            self._waiting.append((operation, future))
            if not self._busy:
                self._begin()
        return await future

    def _begin(self) -> None:
        self._busy = True
        low, high = self.disk.weather.sync_seconds
        self._loop.call_later(low + (high - low) * self.disk.random.random(), self._sync)

    def _sync(self) -> None:
        """This is the moment at which it is durable, or not."""
        if not self._loop.effect():
            return
        disk = self.disk
        disk.syncs += 1
        batch, self._waiting = self._waiting, []
        results: list[tuple[asyncio.Future[Any], Any, BaseException | None]] = []
        all_fail = disk.sync_failure()
        disk.doubtful = [operation for operation, _ in batch] if all_fail is not None else []
        if all_fail is not None and disk.random.random() < 0.4:
            self._loop.fuse = disk.random.randrange(2, 20)  # a disk that fails seldom fails alone
        for operation, future in batch:
            error: BaseException | None = all_fail or disk.failure()
            value = None
            if error is None:
                try:
                    value = operation()
                except Exception as raised:
                    error = raised
            results.append((future, value, error))
        low, _ = disk.weather.sync_seconds
        self._loop.call_later(low, self._tell, results)

    def _tell(self, results: list[tuple[asyncio.Future[Any], Any, BaseException | None]]) -> None:
        for future, value, error in results:
            if future.done():
                continue  # whoever waited was cancelled
            if error is None:
                future.set_result(value)
            else:
                future.set_exception(error)
        self._busy = False
        if self._waiting:
            self._begin()


class _Ledger:
    """`ports.Ledger`."""

    def __init__(self, writer: _Writer) -> None:
        self._writer = writer

    async def commit(self, group: Group) -> None:
        writer = self._writer
        await writer.do(lambda: writer.disk.apply(group, writer.files))


class _Queue:
    """`ports.QueueStore`: leases are written, all else is read."""

    def __init__(self, writer: _Writer, queue: MemoryQueue, disk: Disk) -> None:
        self._writer = writer
        self._queue = queue
        self._disk = disk
        self.message = queue.message
        self.deliveries = queue.deliveries
        self.several = queue.several
        self.leases = queue.leases
        self.find = queue.find
        self.count = queue.count
        self.counts = queue.counts
        self.nodes = queue.nodes

    async def lease(
        self, *, now: float, until: float, node: str, limit: int, exclude: Collection[str] = ()
    ) -> list[LeasedDelivery]:
        # Nothing due needs no write; the real store looks first, too.
        due = await self._queue.next_due(exclude)
        if due is None or due > now:
            self._disk.read_failure()
            return []
        queue = self._queue
        found: list[LeasedDelivery] = await self._writer.do(
            lambda: _now(queue.lease(now=now, until=until, node=node, limit=limit, exclude=exclude))
        )
        return found

    async def leased_by(self, nodes: Collection[str]) -> list[tuple[str, LeasedDelivery]]:
        self._disk.read_failure()
        return await self._queue.leased_by(nodes)

    async def next_due(self, exclude: Collection[str] = ()) -> float | None:
        self._disk.read_failure()
        return await self._queue.next_due(exclude)

    async def steered(self, after: int | None) -> Any:
        self._disk.read_failure()
        end = self._disk.store.state.next_sequence - 1
        if after == end:
            return end, []  # as the store below says, only sooner
        return await self._queue.steered(after)


class _Mailboxes:
    """`ports.MailboxStore`."""

    def __init__(self, disk: Disk, mailboxes: MemoryMailboxes) -> None:
        self._disk = disk
        self._mailboxes = mailboxes

    async def mailbox(self, mailbox: int) -> Any:
        self._disk.read_failure()
        return await self._mailboxes.mailbox(mailbox)

    async def named(self, account: int, name: str) -> Any:
        self._disk.read_failure()
        return await self._mailboxes.named(account, name)

    async def listing(self, mailbox: int) -> Any:
        self._disk.read_failure()
        return await self._mailboxes.listing(mailbox)

    async def of_account(self, account: int) -> Any:
        self._disk.read_failure()
        return await self._mailboxes.of_account(account)

    async def at_hand(self, mailbox: int, first: int, last: int, max_octets: int) -> Any:
        """Only some are in a cache."""
        self._disk.read_failure()
        found = await self._mailboxes.at_hand(mailbox, first, last, max_octets)
        return [message for message in found if self._disk.random.random() < 0.5]

    async def entries(self, mailbox: int, uids: Sequence[int]) -> Any:
        self._disk.read_failure()
        await asyncio.sleep(0)
        return await self._mailboxes.entries(mailbox, uids)


class _Contents:
    """`ports.ContentStore`: a read takes a moment and may fail; so may a write."""

    def __init__(self, disk: Disk, files: dict[int, bytes], inline_max_octets: int) -> None:
        self._disk = disk
        self._files = files
        self._inline = inline_max_octets
        self._store = MemoryContents(disk.store.state, files, inline_max_octets)

    def stage(self, content_id: int) -> "_ContentWriter":
        return _ContentWriter(self._disk, content_id, self._files, self._inline)

    async def read(self, ref: ContentRef, offset: int = 0, limit: int | None = None) -> bytes:
        await asyncio.sleep(0.0005)
        self._disk.read_failure()
        return await self._store.read(ref, offset, limit)


class _ContentWriter(MemoryContentWriter):
    """Large contents meet the full disk while they come, small ones only in the commit."""

    def __init__(self, disk: Disk, content_id: int, files: dict[int, bytes], inline: int) -> None:
        super().__init__(content_id, files, inline)
        self._disk = disk
        self._large = inline

    def write(self, chunk: bytes) -> None:
        super().write(chunk)
        if self.size > self._large and (error := self._disk.failure()) is not None:
            raise error

    async def finish(self, above: bytes = b"") -> Staged:
        if self.size > self._large:
            await asyncio.sleep(0.002)
            if (error := self._disk.failure()) is not None:
                raise error
        return await super().finish(above)


def _now(work: Awaitable[Any]) -> Any:
    """Return the result of a coroutine that never waits."""
    coroutine: Any = work
    try:
        coroutine.send(None)
    except StopIteration as stop:
        return stop.value
    raise AssertionError("the memory store waits for nothing")
