"""`ports.SuppressionStore` in memory."""

from collections.abc import Sequence

from postroad.model import Address, Suppression
from postroad.storage.memory.state import State


class MemorySuppressions:
    """See `ports.SuppressionStore`."""

    def __init__(self, state: State) -> None:
        self._state = state

    async def of(self, stream: str, addresses: Sequence[Address]) -> list[Suppression]:
        """Return what stands against these addresses."""
        known = self._state.suppressions
        found = (known.get((stream, address.folded)) for address in addresses)
        return [each for each in found if each is not None]

    async def page(
        self,
        stream: str | None = None,
        *,
        address: str | None = None,
        after: tuple[str, str] = ("", ""),
        limit: int = 1000,
    ) -> list[Suppression]:
        """Return entries by stream and folded address."""
        found = []
        for key, each in sorted(self._state.suppressions.items()):
            if key <= after or (stream is not None and each.stream != stream):
                continue
            if address is None or address in (key[1], f"@{each.address.domain}"):
                found.append(each)
        return found[:limit]
