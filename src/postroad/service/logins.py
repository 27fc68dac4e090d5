"""The journey of logins, written late and in batches.

A login must not wait for the disk: mail programs poll every minute, and guessers never stop. So logins
are collected in memory, those that differ in nothing but their time as one, and written every few
seconds in one commit. That is fine, for nothing is promised to anybody by it: what a crash can cost is
the last seconds of a record that is for looking back. What does not fit in memory, because the store
fails or a flood comes, is counted and reported in the log.
"""

import asyncio

import structlog
from msgspec import Struct
from msgspec.structs import replace

from postroad.model import Group, LoggedIn, Login
from postroad.ports import Clock, Ledger, StorageError

log = structlog.get_logger("postroad.service.logins")

_DAY = 86400.0


class LoginSettings(Struct, frozen=True, kw_only=True):
    """How often logins are written, how many different ones wait for that at most, and what is kept:
    the newest `login_keep` that were let in and as many that were not, for `login_retain_seconds`.
    """

    login_write_seconds: float = 5.0
    login_pending: int = 1000
    login_keep: int = 20_000
    login_retain_seconds: float = 90 * _DAY


class LoginBook:
    """Collects the logins of a process."""

    def __init__(
        self, *, ledger: Ledger, clock: Clock, settings: LoginSettings | None = None
    ) -> None:
        self._ledger = ledger
        self._clock = clock
        self._settings = settings or LoginSettings()
        self._pending: dict[tuple[object, ...], Login] = {}
        self._used: set[int] = set()
        self._dropped = 0

    def record(self, login: Login, used: int | None = None) -> None:
        """Note a login; `used` is the id of the app password that it was made with."""
        key = (
            login.username,
            login.result,
            login.mechanism,
            login.server,
            login.client,
            login.app_password,
        )
        known = self._pending.get(key)
        if known is not None:
            self._pending[key] = replace(known, last_at=login.last_at, count=known.count + 1)
        elif len(self._pending) >= self._settings.login_pending:
            self._dropped += 1
        else:
            self._pending[key] = login
        if used is not None:
            self._used.add(used)

    async def run(self) -> None:
        """Write, now and then, until cancelled."""
        while True:
            await asyncio.sleep(self._settings.login_write_seconds)
            await self.flush()

    async def flush(self) -> None:
        """Write what waits; what cannot be written waits on."""
        if not self._pending and not self._used:
            return
        pending, used, dropped = self._pending, self._used, self._dropped
        self._pending, self._used, self._dropped = {}, set(), 0
        if dropped:
            log.warning("too many logins to write them all down", left_out=dropped)
        now = self._clock.now()
        settings = self._settings
        change = LoggedIn(
            now,
            tuple(pending.values()),
            tuple(sorted(used)),
            settings.login_keep,
            now - settings.login_retain_seconds,
        )
        try:
            await self._ledger.commit(Group((change,)))
        except StorageError as error:
            log.error("logins could not be written down", error=str(error))
            self._pending = {**pending, **self._pending}
            self._used |= used
