"""Writes logins inside the writer's open transaction, and forgets the oldest."""

from postroad.model import LoggedIn, LoginResult
from postroad.storage.sql.connection import Connection
from postroad.storage.sql.statements import SQL


def write(connection: Connection, change: LoggedIn) -> None:
    """Append the logins, keep of them what the change says, note which app passwords were used."""
    rows = [
        (
            login.at,
            login.last_at,
            login.username,
            login.result.value,
            login.mechanism,
            login.server,
            login.client,
            login.app_password,
            login.count,
            login.result is LoginResult.OK,
        )
        for login in change.logins
    ]
    connection.executemany(SQL["login_insert"], rows)
    connection.execute(SQL["login_forget_old"], (change.since,))
    for let_in in (False, True):
        connection.execute(SQL["login_keep_newest"], (let_in, change.keep))
    connection.executemany(SQL["app_password_used"], [(used, change.at) for used in change.used])
