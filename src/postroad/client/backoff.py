"""When to ask again, and when to give up. Without I/O: both clients are driven by it."""

import random
from collections.abc import Callable
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any

import httpx
from msgspec import Struct

from postroad.client.call import Call
from postroad.client.errors import ConnectionLost, PostroadError, Unreadable, error_of

_LATER = (429, 503)
_NO_ANSWER = (502, 504)  # of a proxy in between, which does not know what became of it
_UNTOUCHED = (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout)


class Backoff(Struct, frozen=True):
    """How often to ask in all, and how long to wait in between: up to `first_seconds`, twice that after
    each attempt, at most `max_seconds`, by chance (`random`, 0 to 1) so that clients do not come all at
    once. A server that says `Retry-After` is obeyed; where that is more than `max_seconds`, `Busy` is
    raised at once.
    """

    attempts: int = 5
    first_seconds: float = 0.5
    max_seconds: float = 30.0
    random: Callable[[], float] = random.random

    def wait(self, attempt: int) -> float:
        """Return the seconds to wait after an attempt, from 1."""
        most = min(self.max_seconds, self.first_seconds * 2.0 ** min(attempt - 1, 60))
        return most * (0.5 + self.random() / 2)


class Trial:
    """The attempts of one call."""

    def __init__(self, call: Call[Any], backoff: Backoff) -> None:
        self._call = call
        self._backoff = backoff
        self._attempt = 0

    def lost(self, error: httpx.TransportError) -> float:
        """Return how many seconds to wait before the next attempt. Raises `ConnectionLost`."""
        words = f"no answer from the server: {str(error) or type(error).__name__}"
        again = self._call.repeatable or isinstance(error, _UNTOUCHED)
        return self._again(again, ConnectionLost(words, self._call.key), error)

    def judge(self, response: httpx.Response) -> float | None:
        """Return None where the answer is good, or how many seconds to wait. Raises `PostroadError`."""
        status = response.status_code
        if 200 <= status < 300:
            return None
        if status < 400:
            raise Unreadable(f"the server answered {status}; is its address right?")
        if status in _NO_ANSWER:
            words = f"no answer from the server: {status} from a proxy"
            lost = ConnectionLost(words, self._call.key)
            return self._again(self._call.repeatable, lost)
        asked = retry_after(response.headers.get("retry-after"), datetime.now(UTC))
        refused = error_of(status, response.content, asked)
        if asked is not None and asked > self._backoff.max_seconds:
            raise refused
        return max(self._again(status in _LATER, refused), asked or 0.0)

    def _again(self, allowed: bool, error: PostroadError, cause: Exception | None = None) -> float:
        self._attempt += 1
        if not allowed or self._attempt >= self._backoff.attempts:
            raise error from cause
        return self._backoff.wait(self._attempt)


def retry_after(text: str | None, now: datetime) -> float | None:
    """Return the seconds of a Retry-After (RFC 9110 §10.2.3), which may be a date; None without."""
    if text is None:
        return None
    if text.isascii() and text.isdigit():
        return float(text[:9])
    try:
        at = parsedate_to_datetime(text)
    except ValueError:
        return None
    if at.tzinfo is None:
        at = at.replace(tzinfo=UTC)
    return max(0.0, (at - now).total_seconds())
