"""Reading what happened."""

from collections.abc import AsyncIterator
from typing import Protocol

from msgspec import Struct

from postroad.model import Change, Message


class JourneyEvent(Struct, frozen=True):
    """One change as the journey keeps it; `sequence` orders them as they were committed."""

    sequence: int
    at: float
    change: Change


class JourneyStore(Protocol):
    """Searches the journey."""

    async def events(self, message: int) -> list[JourneyEvent]:
        """Return all events of a message, in the order they were committed."""
        ...

    async def find(
        self,
        *,
        message_id: str | None = None,
        address: str | None = None,
        since: float | None = None,
        limit: int = 20,
    ) -> list[Message]:
        """Return messages by Message-ID header (with or without angle brackets), or by sender or
        recipient address, newest first; without any of them the newest messages.
        """
        ...

    async def after(self, sequence: int, limit: int = 1000) -> list[JourneyEvent]:
        """Return events of all messages committed after `sequence`, for live views and rebuilding."""
        ...

    def pages(self, until: float) -> AsyncIterator[list[JourneyEvent]]:
        """Yield all that happened to deliveries up to `until` (seconds since 1970), in the order of the
        commits, some hundred events at a time. Each page is a read of its own: writers are not kept
        waiting, and what is committed meanwhile may show.
        """
        ...
