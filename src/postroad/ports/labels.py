"""What came by the HTTP API: finding it, and what was answered to it."""

from collections.abc import Sequence
from typing import Protocol

from msgspec import Struct

from postroad.model import DeliveryState, KeptAnswer


class MessageQuery(Struct, frozen=True):
    """Which messages are looked for; what is left out asks for nothing.

    `recipient` is a folded address, after aliases or as it was written; all `marks` (`model.label`)
    are of the message; `states`: at least one of its deliveries is in one of them; `sender_domains`: the
    domain of its sender is one of them. `first` and `last` are the lowest and highest id: ids sort by
    time (`model.ids`).
    """

    recipient: str = ""
    marks: tuple[str, ...] = ()
    states: tuple[DeliveryState, ...] = ()
    sender_domains: tuple[str, ...] = ()
    first: int = 0
    last: int = 2**63 - 1


class LabelStore(Protocol):
    """Reads. Raises `StorageError`."""

    async def find(self, query: MessageQuery, limit: int) -> Sequence[int]:
        """Return the ids of messages that fit, the newest first."""
        ...

    async def answer(self, scope: str, key: str, now: float) -> KeptAnswer | None:
        """Return what was answered to a request with that key, while it is kept."""
        ...
