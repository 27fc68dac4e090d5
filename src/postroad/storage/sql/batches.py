"""What waits to be committed, in the order it came, and how it is gathered: what of a writer does not
depend on the engine. `storage.postgres` gathers by the same.
"""

import asyncio
from abc import ABC, abstractmethod
from collections import deque
from collections.abc import Callable, Sequence
from typing import Any

from postroad.model.tally import SECONDS, SIZES, Histogram
from postroad.ports import StorageError
from postroad.storage.sql.connection import Connection
from postroad.storage.sql.rows import Rows

BATCH_MAX_ITEMS = 1000
BATCH_MAX_OCTETS = 4 * 1024 * 1024  # bounds how long the event loop is kept busy by one batch

Job = Callable[[Connection], Any]


class Item:
    """What is applied whole or not at all: `rows`, `steps` or a `job`, and the future of its caller."""

    __slots__ = ("alone", "error", "future", "job", "long", "octets", "result", "rows", "steps")

    def __init__(self, future: "asyncio.Future[Any]") -> None:
        self.future = future
        self.rows: Rows | None = None
        self.steps: Sequence[Any] = ()
        self.job: Job | None = None
        self.octets = 0
        self.long = False
        self.alone = False
        self.result: Any = None
        self.error: Exception | None = None

    @property
    def parts(self) -> list[Rows]:
        """All its rows."""
        return [self.rows] if self.rows else [s for s in self.steps if isinstance(s, Rows)]

    def settle(self, reason: Exception | None) -> None:
        """Tell the caller its result, or the reason why there is none."""
        if self.future.done():  # its caller was cancelled; the change stands
            return
        if reason is not None:
            self.future.set_exception(reason)
        else:
            self.future.set_result(self.result)


class Batches(ABC):
    """Takes items by `put` and hands them out in their order. Bound to the event loop in which it was
    made. `name` is that of the store, for people.
    """

    def __init__(self, name: str) -> None:
        self._name = name
        self._loop = asyncio.get_running_loop()
        self._waiting: deque[Item] = deque()
        self._busy = False
        self._closing = False
        self._idle = asyncio.Event()
        self._idle.set()
        self.batches = Histogram(SIZES)  # groups in each commit
        self.seconds = Histogram(SECONDS)  # from its beginning to stable storage

    def put(self, item: Item) -> None:
        """Queue an item; its future is resolved once it is on stable storage, or refused."""
        if self._closing:
            raise StorageError(f"{self._name} is closed.")
        self._waiting.append(item)
        if not self._busy:
            self._busy = True
            self._idle.clear()
            self._loop.call_soon(self._next_batch)

    def new_item(self) -> Item:
        """Return an item with a future of this writer's loop."""
        return Item(self._loop.create_future())

    async def run(self, job: Job, *, long: bool = False) -> Any:
        """Run `job` in a transaction and return its result. `long`: in the thread, alone."""
        item = self.new_item()
        item.job = job
        item.long = item.alone = long
        self.put(item)
        return await item.future

    async def close(self) -> None:
        """Finish what waits, then end the thread."""
        self._closing = True
        await self._idle.wait()
        await asyncio.to_thread(self._end_thread)

    def _take(self) -> list[Item]:
        """Return the next batch of what waits."""
        waiting = self._waiting
        batch = [first := waiting.popleft()]
        octets = first.octets
        if first.alone:
            return batch
        while waiting and len(batch) < BATCH_MAX_ITEMS:
            following = waiting[0]
            octets += following.octets
            if following.alone or octets > BATCH_MAX_OCTETS or not self._fits(following, first):
                break
            batch.append(waiting.popleft())
        return batch

    def _rest(self) -> None:
        """Nothing waits: the next item begins a batch."""
        self._busy = False
        self._idle.set()

    def _fits(self, item: Item, first: Item) -> bool:
        """Whether an item may go into one batch with the first of it."""
        return True

    @abstractmethod
    def _next_batch(self) -> None:
        """Begin with what waits, or `_rest`; called in the event loop when no batch is under way."""

    @abstractmethod
    def _end_thread(self) -> None:
        """Have the thread end behind what it has to do, and wait for that."""
