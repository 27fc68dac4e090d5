"""What the queue asks of the store."""

from collections.abc import Collection, Sequence
from typing import Protocol

from msgspec import Struct

from postroad.model import (
    Delivery,
    DeliveryState,
    Dropped,
    Held,
    LeasedDelivery,
    Message,
    Retried,
)


class QueueFilter(Struct, frozen=True):
    """Which deliveries to list: all fields that are set must fit.

    `sender` and `recipient` are whole addresses or ``@domain``. `after` is the (message, ordinal)
    behind which the list goes on.
    """

    states: tuple[DeliveryState, ...] = (
        DeliveryState.DUE,
        DeliveryState.LEASED,
        DeliveryState.HELD,
    )
    destination: str | None = None
    sender: str | None = None
    recipient: str | None = None
    message: int | None = None
    after: tuple[int, int] = (0, -1)
    limit: int = 100


class QueueItem(Struct, frozen=True):
    """A delivery with its message."""

    message: Message
    delivery: Delivery


class Lease(Struct, frozen=True):
    """Who has a delivery in hand: under which name, and until when (seconds since 1970)."""

    ordinal: int
    node: str
    until: float


class QueueStore(Protocol):
    """Reads the queue, and leases from it."""

    async def lease(
        self,
        *,
        now: float,
        until: float,
        node: str,
        limit: int,
        exclude: Collection[str] = (),
    ) -> list[LeasedDelivery]:
        """Lease up to `limit` deliveries that are due (or whose lease ran out), the longest due first.

        Deliveries to destinations in `exclude` are left alone. Those of one message to one
        destination come together in one `LeasedDelivery`, but for those that somebody had in hand whose
        lease ran out (`before`); what was marked as on its way stays so (`model.heir_of`). The leases
        are durable on return.
        """
        ...

    async def leased_by(self, nodes: Collection[str]) -> list[tuple[str, LeasedDelivery]]:
        """Return all that is leased under these names, each with its name. Called at start, when what is
        leased under the own name was in hand when an earlier life ended.
        """
        ...

    async def nodes(self) -> list[str]:
        """Return the names under which deliveries are leased. Called at start."""
        ...

    async def next_due(self, exclude: Collection[str] = ()) -> float | None:
        """Return when the next delivery is due (or its lease runs out), None where none waits."""
        ...

    async def message(self, message: int) -> Message | None:
        """Return an accepted message, also when it is done, while it is retained."""
        ...

    async def deliveries(self, message: int) -> list[Delivery]:
        """Return all deliveries of a message, by ordinal."""
        ...

    async def several(self, messages: Sequence[int]) -> list[tuple[Message, list[Delivery]]]:
        """Return messages with all their deliveries, in the order asked for, without those not known."""
        ...

    async def leases(self, message: int) -> list[Lease]:
        """Return who has deliveries of a message in hand, by ordinal."""
        ...

    async def find(self, query: QueueFilter) -> list[QueueItem]:
        """Return deliveries that fit, oldest message first."""
        ...

    async def count(self, query: QueueFilter) -> int:
        """Return how many deliveries fit; `limit` does not matter."""
        ...

    async def counts(self) -> dict[DeliveryState, int]:
        """Return how many deliveries are due, leased and held."""
        ...

    async def steered(self, after: int | None) -> tuple[int, list[Held | Retried | Dropped]]:
        """Return what operators did after that place in the journey, at most 1,000 changes, and the
        place to ask from next time. None asks only where the journey ends now.
        """
        ...
