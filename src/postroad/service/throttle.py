"""Slowing down who guesses passwords, without locking anybody out.

Failures are counted by client and account together, and by client over all accounts: past the free
ones, that client waits, twice as long each time. Failures of one account from many clients slow down
only strangers: who has logged in to it from where he is now notices nothing, and who is elsewhere waits
some seconds and gets in. All of it is in memory and of this process alone; it is bounded, and the
oldest is forgotten first.

Guessing on many connections at once gains nothing: no more attempts are under way than may fail before
one has to wait. The others take their turn, and are judged by what became of those before them.
"""

import asyncio
from collections import OrderedDict, deque
from types import TracebackType

from msgspec import Struct

from postroad.model import client_key
from postroad.ports import Clock

MAX_REMEMBERED = 10_000


class Throttled(Exception):
    """Too many failures; try again after `seconds`."""

    def __init__(self, seconds: float) -> None:
        super().__init__(f"too many failed logins, wait {seconds:.0f} s")
        self.seconds = seconds


class ThrottleSettings(Struct, frozen=True, kw_only=True):
    """Failures that are free: for one client on one account, for one client on all. After these each
    failure doubles the wait, up to `max_wait_seconds`; so long without one, and all are forgiven. More
    than `free_failures_per_account` on one account from wherever, and strangers wait `slow_seconds`.
    An attempt waits `turn_seconds` at most for its turn among others of that client.
    """

    free_failures: int = 5
    free_failures_per_client: int = 20
    free_failures_per_account: int = 50
    first_wait_seconds: float = 2.0
    max_wait_seconds: float = 900.0
    slow_seconds: float = 3.0
    turn_seconds: float = 10.0


class _Failures(Struct):
    count: int = 0
    until: float = 0.0


class _Line:
    """The attempts of one client that are under way, and what waits for its turn."""

    __slots__ = ("names", "total", "waiting")

    def __init__(self) -> None:
        self.names: dict[str, int] = {}
        self.total = 0
        self.waiting: deque[asyncio.Future[None]] = deque()


class Attempt:
    """An attempt under way: for a ``with`` around judging it and telling the throttle of it."""

    __slots__ = ("_client", "_name", "_throttle")

    def __init__(self, throttle: "Throttle", client: str, name: str) -> None:
        self._throttle = throttle
        self._client = client
        self._name = name

    def __enter__(self) -> None:
        """It began when it was made."""

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """It is over: others have their turn."""
        self._throttle.end(self._client, self._name)


class Throttle:
    """Counts failures. `client` is an IP address, `name` an account's, ``""`` where none was said."""

    def __init__(self, clock: Clock, settings: ThrottleSettings) -> None:
        self._clock = clock
        self._settings = settings
        # Keys are of client and name; None is all of them, and no name is a name of its own.
        self._failures: OrderedDict[tuple[str | None, str | None], _Failures] = OrderedDict()
        self._familiar: OrderedDict[tuple[str, str], None] = OrderedDict()
        self._lines: dict[str, _Line] = {}

    async def admit(self, client: str, name: str) -> None:
        """Let a login begin, perhaps after a while. Raises `Throttled`."""
        if not self._failures:
            return
        client = client_key(client)
        now = self._clock.monotonic()
        self._check(client, name, now)
        settings = self._settings
        attacks = self._failures.get((None, name))
        if (
            attacks is not None
            and attacks.count > settings.free_failures_per_account
            and now < attacks.until + settings.max_wait_seconds
            and (client, name) not in self._familiar
        ):
            await self._clock.sleep(settings.slow_seconds)

    async def attempt(self, client: str, name: str) -> Attempt:
        """Let a login be judged, when it is its turn. Raises `Throttled`."""
        client = client_key(client)
        self._check(client, name, self._clock.monotonic())
        line = self._lines.get(client)
        if line is not None and not self._has_room(line, client, name):
            await self._wait(line, client, name)
        line = self._lines.get(client)
        if line is None:
            line = self._lines[client] = _Line()
        line.total += 1
        line.names[name] = line.names.get(name, 0) + 1
        return Attempt(self, client, name)

    def end(self, client: str, name: str) -> None:
        """An attempt is over (`Attempt` says so)."""
        line = self._lines[client]
        line.total -= 1
        line.names[name] -= 1
        if not line.names[name]:
            del line.names[name]
        # All are woken, for which may go on depends on what became of this one.
        for each in line.waiting:
            _wake(each)
        if not line.total and not line.waiting:
            del self._lines[client]

    def failed(self, client: str, name: str) -> None:
        """A login was refused."""
        client = client_key(client)
        settings = self._settings
        now = self._clock.monotonic()
        self._count((client, name), settings.free_failures, now)
        self._count((client, None), settings.free_failures_per_client, now)
        if name:
            self._count((None, name), None, now)
        while len(self._failures) > MAX_REMEMBERED:
            self._failures.popitem(last=False)

    def succeeded(self, client: str, name: str) -> None:
        """Somebody logged in: this client is no stranger to this account."""
        key = (client_key(client), name)
        self._failures.pop(key, None)
        self._familiar[key] = None
        self._familiar.move_to_end(key)
        if len(self._familiar) > MAX_REMEMBERED:
            self._familiar.popitem(last=False)

    def _check(self, client: str, name: str, now: float) -> None:
        for key in ((client, name), (client, None)):
            failures = self._failures.get(key)
            if failures is not None and failures.until > now:
                raise Throttled(failures.until - now)

    def _has_room(self, line: _Line, client: str, name: str) -> bool:
        settings = self._settings
        return line.names.get(name, 0) < self._left(
            (client, name), settings.free_failures
        ) and line.total < self._left((client, None), settings.free_failures_per_client)

    def _left(self, key: tuple[str, str | None], free: int) -> int:
        """How many may be under way together: as many as may fail, and one."""
        failures = self._failures.get(key)
        if failures is None or self._is_long_ago(failures, self._clock.monotonic()):
            return free
        return max(1, free - failures.count)

    async def _wait(self, line: _Line, client: str, name: str) -> None:
        """Wait until there is room. Raises `Throttled`, also where there is none in time."""
        loop = asyncio.get_running_loop()
        over = loop.time() + self._settings.turn_seconds
        try:
            while not self._has_room(line, client, name):
                if loop.time() >= over:
                    raise Throttled(self._settings.first_wait_seconds)
                turn = loop.create_future()
                line.waiting.append(turn)
                timer = loop.call_at(over, _wake, turn)
                try:
                    await turn
                finally:
                    timer.cancel()
                    line.waiting.remove(turn)
                self._check(client, name, self._clock.monotonic())
        finally:
            if not line.total and not line.waiting and self._lines.get(client) is line:
                del self._lines[client]

    def _is_long_ago(self, failures: _Failures, now: float) -> bool:
        return now > failures.until + self._settings.max_wait_seconds

    def _count(self, key: tuple[str | None, str | None], free: int | None, now: float) -> None:
        settings = self._settings
        failures = self._failures.setdefault(key, _Failures())
        self._failures.move_to_end(key)
        if self._is_long_ago(failures, now):
            failures.count = 0
        failures.count += 1
        failures.until = now
        if free is not None and failures.count >= free:
            doublings = min(failures.count - free, 30)
            wait = settings.first_wait_seconds * 2**doublings
            failures.until += min(wait, settings.max_wait_seconds)


def _wake(turn: "asyncio.Future[None]") -> None:
    if not turn.done():
        turn.set_result(None)
