"""Time and chance."""

from collections.abc import MutableSequence
from typing import Any, Protocol


class Clock(Protocol):
    """Tells the time. `now` is seconds since 1970 and may step; `monotonic` never goes back."""

    def now(self) -> float:
        """Return seconds since 1970."""
        ...

    def monotonic(self) -> float:
        """Return seconds since some fixed moment."""
        ...

    async def sleep(self, seconds: float) -> None:
        """Wait."""
        ...


class Entropy(Protocol):
    """Makes ids and chooses at random."""

    def id(self) -> int:
        """Return a new 63-bit id, sortable by time, that no other node makes (see `model.ids`)."""
        ...

    def random(self) -> float:
        """Return a number in [0, 1)."""
        ...

    def shuffle(self, items: MutableSequence[Any]) -> None:
        """Shuffle in place."""
        ...

    def token(self, octets: int) -> str:
        """Return that many secret random octets in URL-safe base 64, for passwords and keys."""
        ...
