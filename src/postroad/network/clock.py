"""The real clock and real chance."""

import asyncio
import hashlib
import random
import secrets
import time
from collections.abc import Callable, MutableSequence
from typing import Any

# The 21 bits below the milliseconds (`model.ids`): a counter above the node, so that the ids of one
# process rise strictly and two nodes differ even when they count alike.
_NODE_BITS = 8
_COUNTER_BITS = 13
_MILLISECOND_BITS = 42
_ID_LIMIT = 1 << (_MILLISECOND_BITS + _COUNTER_BITS)


class SystemClock:
    """`ports.Clock` from the operating system."""

    def now(self) -> float:
        """Return seconds since 1970."""
        return time.time()

    def monotonic(self) -> float:
        """Return seconds since some fixed moment."""
        return time.monotonic()

    async def sleep(self, seconds: float) -> None:
        """Wait."""
        await asyncio.sleep(seconds)


class SystemEntropy:
    """`ports.Entropy` from the operating system.

    An id is 42 bits of milliseconds, 13 bits of a counter and 8 bits of the node. The counter starts
    at random in each millisecond; ids rise strictly within a process, also where the clock steps back.
    """

    def __init__(self, node: str = "", now: Callable[[], float] = time.time) -> None:
        digest = hashlib.blake2b(node.encode(), digest_size=1).digest()
        self._node = digest[0] if node else secrets.randbelow(1 << _NODE_BITS)
        self._now = now
        self._last = 0
        # Seeded from the operating system; not for secrets, those are `token`.
        self._random = random.Random(secrets.randbits(256))

    def id(self) -> int:
        """Return a new 63-bit id, sortable by time."""
        # Half of the counter's range stays free above the random start: 4 ids a microsecond.
        fresh = (int(self._now() * 1000) << _COUNTER_BITS) | self._random.getrandbits(
            _COUNTER_BITS - 1
        )
        last = self._last
        self._last = number = fresh if fresh > last else last + 1
        return (number % _ID_LIMIT) << _NODE_BITS | self._node

    def random(self) -> float:
        """Return a number in [0, 1)."""
        return self._random.random()

    def shuffle(self, items: MutableSequence[Any]) -> None:
        """Shuffle in place."""
        self._random.shuffle(items)

    def token(self, octets: int) -> str:
        """Return that many secret random octets in URL-safe base 64."""
        return secrets.token_urlsafe(octets)
