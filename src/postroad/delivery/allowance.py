"""How much a source address may still send to a provider today, by its warm-up plan.

What is sent is counted in the store before it is sent, in small parts: so several processes on one
store together keep to the cap, and after a crash a part of it at most is lost, never exceeded. A message
counts for each of its recipients; one that begins under the cap goes whole.
"""

from postroad.delivery.settings import Source
from postroad.model import Group, SourceSpent
from postroad.ports import Clock, Conflict, Ledger, SourceStore

DAY_SECONDS = 86_400.0
_PARTS = 20
_LARGEST_PART = 100
_TRIES = 5


class Allowance:
    """What one source may send to one provider. `left` of it is in hand of this process."""

    def __init__(
        self, source: Source, provider: str, store: SourceStore, ledger: Ledger, clock: Clock
    ) -> None:
        self.source = source
        self.provider = provider
        self.left = 0
        self._store = store
        self._ledger = ledger
        self._clock = clock
        self._day = -1
        self._spent = False

    @property
    def cap(self) -> int:
        """How many a day, by the plan."""
        return self.source.cap(self._today()) or 0

    @property
    def renewed_at(self) -> float:
        """When the next day begins, in seconds since 1970."""
        return (self._today() + 1) * DAY_SECONDS

    async def some(self) -> bool:
        """Whether anything may be sent now. Raises `StorageError`."""
        day = self._today()
        if day != self._day:
            self._day, self.left, self._spent = day, 0, False
        while self.left <= 0 and not self._spent:
            await self._reserve(day)
        return self.left > 0

    async def take(self, recipients: int) -> bool:
        """Have a message go to so many; False where the cap is reached. Raises `StorageError`."""
        if (self._today() != self._day or self.left <= 0) and not await self.some():
            return False
        self.left -= recipients
        return True

    async def _reserve(self, day: int) -> None:
        cap = self.cap
        part = max(1, min(cap // _PARTS, _LARGEST_PART))
        for _ in range(_TRIES):  # other processes may come in between
            there = await self._store.spent(day, self.source.address, self.provider)
            wanted = min(part - self.left, cap - there)
            if wanted <= 0:
                break
            change = SourceSpent(
                self._clock.now(), day, self.source.address, self.provider, wanted, cap
            )
            try:
                await self._ledger.commit(Group((change,)))
            except Conflict:
                continue
            self.left += wanted
            return
        self._spent = True

    def _today(self) -> int:
        return int(self._clock.now() // DAY_SECONDS)
