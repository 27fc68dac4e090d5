"""Notes by the day, to be worked off later: what reports are made of."""

from collections.abc import Iterator
from typing import Protocol


class DaySpool(Protocol):
    """Keeps lines by day (UTC, ``2026-11-25``). All raise `StorageError`.

    Lines are statistics: the newest may be lost in a crash, and of a day that is full no more are kept.
    """

    def add(self, day: str, line: bytes) -> bool:
        """Keep a line without a line end; False where the day is full."""
        ...

    def days(self) -> list[str]:
        """Return the days that have lines, oldest first."""
        ...

    def lines(self, day: str) -> Iterator[bytes]:
        """Yield the lines of a day, each once."""
        ...

    def forget(self, day: str) -> None:
        """Remove the lines of a day, if there are any."""
        ...
