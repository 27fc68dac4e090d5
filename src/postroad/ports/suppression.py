"""Who gets nothing of a stream any more."""

from collections.abc import Sequence
from typing import Protocol

from postroad.model import Address, Suppression


class SuppressionStore(Protocol):
    """Reads the lists of all streams."""

    async def of(self, stream: str, addresses: Sequence[Address]) -> list[Suppression]:
        """Return what stands against these addresses, in their order; nothing for those not listed."""
        ...

    async def page(
        self,
        stream: str | None = None,
        *,
        address: str | None = None,
        after: tuple[str, str] = ("", ""),
        limit: int = 1000,
    ) -> list[Suppression]:
        """Return entries by stream and folded address, those behind `after` (a pair of these).

        `stream` limits them to one, `address` to a whole address or ``@domain``, folded.
        """
        ...
