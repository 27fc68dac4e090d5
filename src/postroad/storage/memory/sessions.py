"""`ports.SessionStore` in memory, and how its changes are applied."""

from typing import TYPE_CHECKING, Any

from msgspec.structs import replace

from postroad.model import (
    Grant,
    GrantEnded,
    GrantGiven,
    GrantTurned,
    Passkey,
    PasskeyAdded,
    PasskeyRemoved,
    PasskeyUsed,
    SecondFactor,
    SecondFactorRemoved,
    SecondFactorSet,
    SecondFactorUsed,
    SessionOpened,
    SessionsEnded,
    SessionUsed,
    WebSession,
)
from postroad.storage import conflicts, logging_in
from postroad.storage.memory.state import State

if TYPE_CHECKING:
    from postroad.storage.memory.apply import Application


class MemorySessions:
    """See `ports.SessionStore`."""

    def __init__(self, state: State) -> None:
        self._state = state

    async def session(self, session: int) -> WebSession | None:
        """Return a session by its id; it may be over by its age."""
        return self._state.sessions.get(session)

    async def sessions(self, account: int) -> list[WebSession]:
        """Return an account's sessions, the last used first."""
        return _sessions(self._state, account)

    async def factor(self, account: int) -> SecondFactor | None:
        """Return an account's second factor."""
        return self._state.factors.get(account)

    async def passkey(self, credential: bytes) -> Passkey | None:
        """Return a passkey by the id of its credential."""
        return self._state.passkeys.get(credential)

    async def passkeys(self, account: int) -> list[Passkey]:
        """Return an account's passkeys, the oldest first."""
        return _passkeys(self._state, account)

    async def grant(self, grant: int) -> Grant | None:
        """Return a grant by its id; it may have run out."""
        return self._state.grants.get(grant)

    async def grants(self, account: int) -> list[Grant]:
        """Return an account's grants, the last used first."""
        return _grants(self._state, account)


def account_removed(do: "Application", account: int) -> None:
    """Forget all of an account."""
    state = do.state
    do.undo.delete(state.factors, account)
    tables: list[dict[Any, Any]] = [state.sessions, state.passkeys, state.grants]
    for table in tables:
        for key in [key for key, value in table.items() if value.account == account]:
            do.undo.delete(table, key)


def _sessions(state: State, account: int) -> list[WebSession]:
    found = [each for each in state.sessions.values() if each.account == account]
    return sorted(found, key=lambda each: (-each.used_at, each.id))


def _passkeys(state: State, account: int) -> list[Passkey]:
    found = [each for each in state.passkeys.values() if each.account == account]
    return sorted(found, key=lambda each: (each.made_at, each.id))


def _grants(state: State, account: int) -> list[Grant]:
    found = [each for each in state.grants.values() if each.account == account]
    return sorted(found, key=lambda each: (-each.used_at, each.id))


def _need_account(do: "Application", account: int) -> None:
    if account not in do.state.accounts:
        raise conflicts.no_account(account)


def _opened(do: "Application", change: SessionOpened) -> None:
    session = change.session
    _need_account(do, session.account)
    if session.id in do.state.sessions:
        raise conflicts.given_twice()
    for over in logging_in.sessions_over(change, _sessions(do.state, session.account)):
        do.undo.delete(do.state.sessions, over)
    do.undo.put(do.state.sessions, session.id, session)


def _used(do: "Application", change: SessionUsed) -> None:
    session = do.state.sessions.get(change.session)
    if session is not None:
        do.undo.put(do.state.sessions, session.id, logging_in.session_used(change, session))


def _ended(do: "Application", change: SessionsEnded) -> None:
    for each in _sessions(do.state, change.account):
        if each.id in change.sessions or (not change.sessions and each.id != change.but):
            do.undo.delete(do.state.sessions, each.id)


def _factor_set(do: "Application", change: SecondFactorSet) -> None:
    _need_account(do, change.factor.account)
    do.undo.put(do.state.factors, change.factor.account, change.factor)
    _flag(do, change.factor.account, True)


def _factor_used(do: "Application", change: SecondFactorUsed) -> None:
    factor = do.state.factors.get(change.account)
    if factor is None:
        raise conflicts.no_second_factor()
    do.undo.put(do.state.factors, change.account, logging_in.factor_used(change, factor))


def _factor_removed(do: "Application", change: SecondFactorRemoved) -> None:
    if change.account not in do.state.factors:
        raise conflicts.no_second_factor()
    do.undo.delete(do.state.factors, change.account)
    _flag(do, change.account, False)


def _flag(do: "Application", number: int, second_factor: bool) -> None:
    account = replace(do.state.accounts[number], second_factor=second_factor)
    do.undo.put(do.state.accounts, number, account)


def _passkey_added(do: "Application", change: PasskeyAdded) -> None:
    passkey = change.passkey
    _need_account(do, passkey.account)
    if passkey.id in do.state.passkeys:
        raise conflicts.passkey_exists()
    if len(_passkeys(do.state, passkey.account)) >= change.keep:
        raise conflicts.too_many_passkeys(change.keep)
    do.undo.put(do.state.passkeys, passkey.id, passkey)


def _passkey_used(do: "Application", change: PasskeyUsed) -> None:
    passkey = do.state.passkeys.get(change.id)
    if passkey is None:
        raise conflicts.no_passkey()
    do.undo.put(do.state.passkeys, change.id, logging_in.passkey_used(change, passkey))


def _passkey_removed(do: "Application", change: PasskeyRemoved) -> None:
    passkey = do.state.passkeys.get(change.id)
    if passkey is None or passkey.account != change.account:
        raise conflicts.no_passkey()
    do.undo.delete(do.state.passkeys, change.id)


def _given(do: "Application", change: GrantGiven) -> None:
    grant = change.grant
    _need_account(do, grant.account)
    if grant.id in do.state.grants:
        raise conflicts.given_twice()
    for over in logging_in.grants_over(change, _grants(do.state, grant.account)):
        do.undo.delete(do.state.grants, over)
    do.undo.put(do.state.grants, grant.id, grant)


def _turned(do: "Application", change: GrantTurned) -> None:
    grant = do.state.grants.get(change.grant)
    if grant is None:
        raise conflicts.no_grant()
    do.undo.put(do.state.grants, grant.id, logging_in.grant_turned(change, grant))


def _grant_ended(do: "Application", change: GrantEnded) -> None:
    for each in _grants(do.state, change.account):
        if change.grant in (0, each.id):
            do.undo.delete(do.state.grants, each.id)


APPLY: dict[type, Any] = {
    SessionOpened: _opened,
    SessionUsed: _used,
    SessionsEnded: _ended,
    SecondFactorSet: _factor_set,
    SecondFactorUsed: _factor_used,
    SecondFactorRemoved: _factor_removed,
    PasskeyAdded: _passkey_added,
    PasskeyUsed: _passkey_used,
    PasskeyRemoved: _passkey_removed,
    GrantGiven: _given,
    GrantTurned: _turned,
    GrantEnded: _grant_ended,
}
