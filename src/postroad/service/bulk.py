"""Changes to many deliveries, step by step, telling how far they are.

Each step is one commit, and between two of them the work can be stopped: what was done stays done, and
the journeys say by whom. What comes into the queue after the beginning is left alone, so the work ends.
"""

from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from enum import Enum

from msgspec import Struct
from msgspec.structs import replace

from postroad.model import DeliveryState
from postroad.ports import Clock, QueueFilter
from postroad.service.desk import Keys, QueueDesk

STEP = 100
"""Deliveries of one commit."""


class BulkAction(Enum):
    """What is done, as `postroad queue` calls it."""

    RETRY = "retry"
    HOLD = "hold"
    RELEASE = "release"
    DROP = "drop"

    @property
    def states(self) -> tuple[DeliveryState, ...]:
        """The states that it does something to."""
        return _STATES[self]


_STATES = {
    BulkAction.RETRY: (DeliveryState.DUE,),
    BulkAction.HOLD: (DeliveryState.DUE, DeliveryState.LEASED),
    BulkAction.RELEASE: (DeliveryState.HELD,),
    BulkAction.DROP: (DeliveryState.DUE, DeliveryState.LEASED, DeliveryState.HELD),
}


class Progress(Struct, frozen=True):
    """How far it is: `done` of `total` deliveries were looked at, `changed` of them are as was wanted.
    `total` was counted at the beginning, and may be more or less in the end.
    """

    total: int
    done: int
    changed: int
    finished: bool = False


class Bulk:
    """Does it."""

    def __init__(self, desk: QueueDesk, clock: Clock) -> None:
        self._desk = desk
        self._clock = clock

    async def all_that_fit(
        self, action: BulkAction, query: QueueFilter, by: str
    ) -> AsyncGenerator[Progress, None]:
        """Change all that fit, in whichever of the states of `query` the action works on. The first
        `Progress` comes before anything is changed. Raises `StorageError`.
        """
        states = tuple([each for each in query.states if each in action.states])
        query = replace(query, states=states, limit=STEP, after=(0, -1))
        # The upper bits of ids are milliseconds: what has a greater one came later.
        newest = int(self._clock.now() * 1000 + 1) << 21
        total = await self._desk.count(query) if states else 0
        yield Progress(total, 0, 0)
        done = changed = 0
        while states:
            found = await self._desk.list(query)
            keys = [
                (each.message.id, each.delivery.ordinal)
                for each in found
                if each.message.id <= newest
            ]
            if keys:
                changed += await self._act(action)(keys, by)
                done += len(keys)
                yield Progress(max(total, done), done, changed)
                query = replace(query, after=keys[-1])
            if len(keys) < STEP:
                break
        yield Progress(max(total, done), done, changed, finished=True)

    async def these(
        self, action: BulkAction, keys: Keys, by: str
    ) -> AsyncGenerator[Progress, None]:
        """Change those that are named, as far as they can be. Raises `StorageError`."""
        changed = 0
        yield Progress(len(keys), 0, 0)
        for start in range(0, len(keys), STEP):
            step = keys[start : start + STEP]
            changed += await self._act(action)(step, by)
            yield Progress(len(keys), start + len(step), changed)
        yield Progress(len(keys), len(keys), changed, finished=True)

    def _act(
        self, action: BulkAction
    ) -> Callable[[Sequence[tuple[int, int]], str], Awaitable[int]]:
        desk = self._desk
        acts = {
            BulkAction.RETRY: desk.retry,
            BulkAction.HOLD: desk.hold,
            BulkAction.RELEASE: desk.release,
            BulkAction.DROP: desk.drop,
        }
        return acts[action]
