"""`ports.LoginStore`: reads the journey of logins, in a thread."""

from typing import Any

from postroad.model import Login, LoginResult
from postroad.storage.sql.connection import Database
from postroad.storage.sql.statements import SQL


class SqlLogins:
    """See `ports.LoginStore`. Raises `StorageError`."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def newest(
        self,
        username: str | None = None,
        *,
        failed: bool = False,
        since: float | None = None,
        limit: int = 50,
    ) -> list[Login]:
        """Return the newest logins."""
        values: list[object] = [float("-inf") if since is None else since, not failed, limit]
        name = "login_newest"
        if username is not None:
            name = "login_newest_of"
            values.append(username)
        rows: Any = await self._database.browse(lambda c: c.execute(SQL[name], values).fetchall())
        return [_login(row) for row in rows]


def _login(row: Any) -> Login:
    at, last_at, username, result, *others = row
    return Login(at, last_at, username, LoginResult(result), *others)
