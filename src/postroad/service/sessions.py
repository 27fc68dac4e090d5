"""Sessions of people who logged in with a browser: opened, recognised by their token, ended."""

import hashlib
import hmac

from msgspec import Struct

from postroad.model import (
    Account,
    Group,
    InvalidId,
    SessionOpened,
    SessionsEnded,
    SessionUsed,
    WebSession,
    format_id,
    parse_id,
)
from postroad.ports import Clock, Directory, Entropy, Ledger, SessionStore

PREFIX = "ps"
_OCTETS = 32  # 256 bits
_DAY = 86_400.0
_NOBODY = b"\0" * 32
_MAX_AGENT = 200


class SessionSettings(Struct, frozen=True, kw_only=True):
    """A session is over when it was not used for `idle_seconds`, and in any case after
    `session_seconds`; an account has `max_sessions`. For `fresh_seconds` after it was proved who
    somebody is, he may change what he logs in with. That it is in use is written every `touch_seconds`.
    """

    idle_seconds: float = 14 * _DAY
    session_seconds: float = 90 * _DAY
    max_sessions: int = 30
    fresh_seconds: float = 900.0
    touch_seconds: float = 60.0


class Present(Struct, frozen=True):
    """Who is there: the session, and its account as it is now."""

    session: WebSession
    account: Account


class Sessions:
    """Opens, recognises and ends sessions. A token is ``ps_<id>_<secret>``; the store has its digest."""

    def __init__(
        self,
        *,
        ledger: Ledger,
        store: SessionStore,
        directory: Directory,
        clock: Clock,
        entropy: Entropy,
        settings: SessionSettings | None = None,
    ) -> None:
        self._ledger = ledger
        self._store = store
        self._directory = directory
        self._clock = clock
        self._entropy = entropy
        self.settings = settings or SessionSettings()

    async def open(self, account: Account, client: str, agent: str) -> str:
        """Open a session for somebody who proved who he is, and return its token."""
        now, settings = self._clock.now(), self.settings
        number = self._entropy.id()
        token = f"{PREFIX}_{format_id(number)}_{self._entropy.token(_OCTETS)}"
        session = WebSession(
            id=number,
            account=account.id,
            digest=_digest(token),
            opened_at=now,
            used_at=now,
            confirmed_at=now,
            client=client,
            agent="".join(letter for letter in agent[:_MAX_AGENT] if letter.isprintable()),
        )
        change = SessionOpened(
            now,
            session,
            used_since=now - settings.idle_seconds,
            opened_since=now - settings.session_seconds,
            keep=settings.max_sessions,
        )
        await self._ledger.commit(Group((change,)))
        return token

    async def find(self, token: str) -> Present | None:
        """Return who has this token, None where it is no good or the session is over."""
        prefix, _, rest = token.partition("_")
        try:
            number = parse_id(rest.partition("_")[0])
        except InvalidId:
            return None
        session = await self._store.session(number) if prefix == PREFIX else None
        known = _NOBODY if session is None else session.digest
        if not hmac.compare_digest(_digest(token), known) or session is None:
            return None
        now = self._clock.now()
        if self._is_over(session, now):
            return None
        account = await self._directory.account_by_id(session.account)
        if account is None or not account.enabled:
            return None
        if now >= session.used_at + self.settings.touch_seconds:
            await self._ledger.commit(Group((SessionUsed(now, session.id),)))
        return Present(session, account)

    def is_fresh(self, session: WebSession) -> bool:
        """Whether it was proved a short while ago who that is."""
        return self._clock.now() < session.confirmed_at + self.settings.fresh_seconds

    async def confirm(self, session: WebSession) -> None:
        """Who it is was proved anew."""
        await self._ledger.commit(Group((SessionUsed(self._clock.now(), session.id, True),)))

    async def list(self, account: Account) -> list[WebSession]:
        """Return an account's sessions that are not over, the last used first."""
        now = self._clock.now()
        found = await self._store.sessions(account.id)
        return [each for each in found if not self._is_over(each, now)]

    async def end(self, account: Account, *sessions: int) -> None:
        """End these sessions, if they are of that account; none of them has to be there."""
        if sessions:
            change = SessionsEnded(self._clock.now(), account.id, sessions)
            await self._ledger.commit(Group((change,)))

    async def end_others(self, session: WebSession) -> None:
        """End all sessions of the account but this one."""
        change = SessionsEnded(self._clock.now(), session.account, but=session.id)
        await self._ledger.commit(Group((change,)))

    def _is_over(self, session: WebSession, now: float) -> bool:
        settings = self.settings
        return (
            now >= session.used_at + settings.idle_seconds
            or now >= session.opened_at + settings.session_seconds
        )


def _digest(token: str) -> bytes:
    return hashlib.sha256(token.encode("utf-8", "replace")).digest()
