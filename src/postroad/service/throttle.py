"""Slowing down who guesses passwords, without locking anybody out.

Failures are counted by client and account together, and by client over all accounts: past the free
ones, that client waits, twice as long each time. Failures of one account from many clients slow down
only strangers: who has logged in to it from where he is now notices nothing, and who is elsewhere waits
some seconds and gets in. All of it is in memory and of this process alone; it is bounded, and the
oldest is forgotten first.
"""

from collections import OrderedDict

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
    """

    free_failures: int = 5
    free_failures_per_client: int = 20
    free_failures_per_account: int = 50
    first_wait_seconds: float = 2.0
    max_wait_seconds: float = 900.0
    slow_seconds: float = 3.0


class _Failures(Struct):
    count: int = 0
    until: float = 0.0


class Throttle:
    """Counts failures. `client` is an IP address, `name` an account's, ``""`` where none was said."""

    def __init__(self, clock: Clock, settings: ThrottleSettings) -> None:
        self._clock = clock
        self._settings = settings
        self._failures: OrderedDict[tuple[str, str], _Failures] = OrderedDict()
        self._familiar: OrderedDict[tuple[str, str], None] = OrderedDict()

    async def admit(self, client: str, name: str) -> None:
        """Let a login be looked at, perhaps after a while. Raises `Throttled`."""
        if not self._failures:
            return
        client = client_key(client)
        now = self._clock.monotonic()
        for key in ((client, name), (client, "")):
            failures = self._failures.get(key)
            if failures is not None and failures.until > now:
                raise Throttled(failures.until - now)
        settings = self._settings
        attacks = self._failures.get(("", name))
        if (
            attacks is not None
            and attacks.count > settings.free_failures_per_account
            and now < attacks.until + settings.max_wait_seconds
            and (client, name) not in self._familiar
        ):
            await self._clock.sleep(settings.slow_seconds)

    def failed(self, client: str, name: str) -> None:
        """A login was refused."""
        client = client_key(client)
        settings = self._settings
        now = self._clock.monotonic()
        self._count((client, name), settings.free_failures, now)
        if name:
            self._count((client, ""), settings.free_failures_per_client, now)
            self._count(("", name), None, now)
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

    def _count(self, key: tuple[str, str], free: int | None, now: float) -> None:
        settings = self._settings
        failures = self._failures.setdefault(key, _Failures())
        self._failures.move_to_end(key)
        if now > failures.until + settings.max_wait_seconds:
            failures.count = 0  # long ago
        failures.count += 1
        failures.until = now
        if free is not None and failures.count >= free:
            doublings = min(failures.count - free, 30)
            wait = settings.first_wait_seconds * 2**doublings
            failures.until += min(wait, settings.max_wait_seconds)
