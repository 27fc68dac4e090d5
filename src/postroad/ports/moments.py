"""What limits remember: a moment for each key, shared by all processes of one machine's server."""

from collections.abc import Callable
from typing import Protocol


class Moments(Protocol):
    """Moments (monotonic seconds) by space and key. Bounded: where there is no room, others are
    forgotten, the least first. A restart of the server forgets all.
    """

    def change(self, space: str, key: str, decide: Callable[[float | None], float | None]) -> None:
        """Put what `decide` returns in the place of what is kept for a key; None on either side is
        nothing. No other process changes it meanwhile; `decide` must not wait.
        """
        ...
