"""`ports.SessionStore`, and how its changes are applied inside the writer's open transaction."""

from typing import Any

import msgspec

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
from postroad.storage.sql.connection import Connection, Database
from postroad.storage.sql.statements import SQL

_encode = msgspec.json.Encoder().encode
_session = msgspec.json.Decoder(WebSession).decode
_factor = msgspec.json.Decoder(SecondFactor).decode
_passkey = msgspec.json.Decoder(Passkey).decode
_grant = msgspec.json.Decoder(Grant).decode


class SqlSessions:
    """See `ports.SessionStore`. Raises `StorageError`."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def session(self, session: int) -> WebSession | None:
        """Return a session by its id; it may be over by its age."""
        rows = self._database.read(SQL["web_session_get"], (session,))
        return _session(rows[0][0]) if rows else None

    async def sessions(self, account: int) -> list[WebSession]:
        """Return an account's sessions, the last used first."""
        return [_session(row) for (row,) in self._all("web_session_all", account)]

    async def factor(self, account: int) -> SecondFactor | None:
        """Return an account's second factor."""
        rows = self._all("second_factor_get", account)
        return _factor(rows[0][0]) if rows else None

    async def passkey(self, credential: bytes) -> Passkey | None:
        """Return a passkey by the id of its credential."""
        rows = self._database.read(SQL["passkey_get"], (credential,))
        return _passkey(rows[0][0]) if rows else None

    async def passkeys(self, account: int) -> list[Passkey]:
        """Return an account's passkeys, the oldest first."""
        return [_passkey(row) for (row,) in self._all("passkey_all", account)]

    async def grant(self, grant: int) -> Grant | None:
        """Return a grant by its id; it may have run out."""
        rows = self._database.read(SQL["oauth_grant_get"], (grant,))
        return _grant(rows[0][0]) if rows else None

    async def grants(self, account: int) -> list[Grant]:
        """Return an account's grants, the last used first."""
        return [_grant(row) for (row,) in self._all("oauth_grant_all", account)]

    def _all(self, statement: str, account: int) -> list[Any]:
        rows: list[Any] = self._database.read(SQL[statement], (account,))
        return rows


def account_removed(connection: Connection, account: int) -> None:
    """Forget all of an account."""
    for table in ("web_session", "passkey", "oauth_grant"):
        connection.execute(SQL[f"{table}_delete_account"], (account,))
    connection.execute(SQL["second_factor_delete"], (account,))


def _put_session(connection: Connection, session: WebSession) -> None:
    row = (session.id, session.account, session.used_at, _encode(session).decode())
    connection.execute(SQL["web_session_put"], row)


def _opened(connection: Connection, change: SessionOpened) -> None:
    account = change.session.account
    _need_account(connection, account)
    if connection.execute(SQL["web_session_get"], (change.session.id,)).get is not None:
        raise conflicts.given_twice()
    rows: Any = connection.execute(SQL["web_session_all"], (account,)).fetchall()
    for session in logging_in.sessions_over(change, [_session(row) for (row,) in rows]):
        connection.execute(SQL["web_session_delete"], (session, account))
    _put_session(connection, change.session)


def _used(connection: Connection, change: SessionUsed) -> None:
    found: Any = connection.execute(SQL["web_session_get"], (change.session,)).get
    if found is not None:
        _put_session(connection, logging_in.session_used(change, _session(found)))


def _ended(connection: Connection, change: SessionsEnded) -> None:
    if change.sessions:
        rows = [(session, change.account) for session in change.sessions]
        connection.executemany(SQL["web_session_delete"], rows)
        return
    found: Any = connection.execute(SQL["web_session_all"], (change.account,)).fetchall()
    for (row,) in found:
        session = _session(row)
        if session.id != change.but:
            connection.execute(SQL["web_session_delete"], (session.id, change.account))


def _put_factor(connection: Connection, factor: SecondFactor) -> None:
    row = (factor.account, _encode(factor).decode())
    connection.execute(SQL["second_factor_put"], row)


def _factor_set(connection: Connection, change: SecondFactorSet) -> None:
    _need_account(connection, change.factor.account)
    _put_factor(connection, change.factor)
    connection.execute(SQL["account_second_factor"], (change.factor.account, 1))


def _factor_used(connection: Connection, change: SecondFactorUsed) -> None:
    found: Any = connection.execute(SQL["second_factor_get"], (change.account,)).get
    if found is None:
        raise conflicts.no_second_factor()
    _put_factor(connection, logging_in.factor_used(change, _factor(found)))


def _factor_removed(connection: Connection, change: SecondFactorRemoved) -> None:
    connection.execute(SQL["second_factor_delete"], (change.account,))
    if not connection.changes():
        raise conflicts.no_second_factor()
    connection.execute(SQL["account_second_factor"], (change.account, 0))


def _put_passkey(connection: Connection, passkey: Passkey) -> None:
    row = (passkey.id, passkey.account, passkey.made_at, _encode(passkey).decode())
    connection.execute(SQL["passkey_put"], row)


def _passkey_added(connection: Connection, change: PasskeyAdded) -> None:
    passkey = change.passkey
    _need_account(connection, passkey.account)
    rows: Any = connection.execute(SQL["passkey_all"], (passkey.account,)).fetchall()
    if connection.execute(SQL["passkey_get"], (passkey.id,)).get is not None:
        raise conflicts.passkey_exists()
    if len(rows) >= change.keep:
        raise conflicts.too_many_passkeys(change.keep)
    _put_passkey(connection, passkey)


def _passkey_used(connection: Connection, change: PasskeyUsed) -> None:
    found: Any = connection.execute(SQL["passkey_get"], (change.id,)).get
    if found is None:
        raise conflicts.no_passkey()
    _put_passkey(connection, logging_in.passkey_used(change, _passkey(found)))


def _passkey_removed(connection: Connection, change: PasskeyRemoved) -> None:
    connection.execute(SQL["passkey_delete"], (change.id, change.account))
    if not connection.changes():
        raise conflicts.no_passkey()


def _put_grant(connection: Connection, grant: Grant) -> None:
    row = (grant.id, grant.account, grant.used_at, _encode(grant).decode())
    connection.execute(SQL["oauth_grant_put"], row)


def _given(connection: Connection, change: GrantGiven) -> None:
    account = change.grant.account
    _need_account(connection, account)
    if connection.execute(SQL["oauth_grant_get"], (change.grant.id,)).get is not None:
        raise conflicts.given_twice()
    rows: Any = connection.execute(SQL["oauth_grant_all"], (account,)).fetchall()
    for grant in logging_in.grants_over(change, [_grant(row) for (row,) in rows]):
        connection.execute(SQL["oauth_grant_delete"], (grant, account))
    _put_grant(connection, change.grant)


def _turned(connection: Connection, change: GrantTurned) -> None:
    found: Any = connection.execute(SQL["oauth_grant_get"], (change.grant,)).get
    if found is None:
        raise conflicts.no_grant()
    _put_grant(connection, logging_in.grant_turned(change, _grant(found)))


def _grant_ended(connection: Connection, change: GrantEnded) -> None:
    if change.grant:
        connection.execute(SQL["oauth_grant_delete"], (change.grant, change.account))
    else:
        connection.execute(SQL["oauth_grant_delete_account"], (change.account,))


def _need_account(connection: Connection, account: int) -> None:
    if connection.execute(SQL["account_get_by_id"], (account,)).get is None:
        raise conflicts.no_account(account)


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
