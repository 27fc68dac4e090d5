"""Logging in with a browser: by password, and a code where there is a second factor; confirming it."""

from postroad.model import Account, LoginResult
from postroad.service.authenticate import Authenticator, Visit
from postroad.service.second_factors import SecondFactors
from postroad.service.sessions import Present, Sessions

SERVER = "web"


class WebLogin:
    """Recognises people who prove who they are."""

    def __init__(
        self, authenticator: Authenticator, factors: SecondFactors, sessions: Sessions
    ) -> None:
        self._authenticator = authenticator
        self._factors = factors
        self._sessions = sessions

    async def log_in(self, username: str, password: str, code: str, client: str) -> Account | None:
        """Return the account, None where something is wrong. `code` is ``""`` where none was given.

        Raises `CodeWanted` where the password is right and a code is needed, and `Throttled`.
        """
        return await self._judge(username, password, code, client)

    async def confirm(self, present: Present, password: str, code: str, client: str) -> bool:
        """Whether somebody proved again who he is, as `log_in` asks it. Raises as that."""
        username = str(present.account.address)
        account = await self._judge(username, password, code, client)
        if account is None or account.id != present.account.id:
            return False
        await self._sessions.confirm(present.session)
        return True

    async def _judge(self, username: str, password: str, code: str, client: str) -> Account | None:
        async def then(account: Account) -> LoginResult:
            if not code:
                return LoginResult.CODE_WANTED
            good = await self._factors.check(account, code)
            return LoginResult.OK if good else LoginResult.WRONG

        mechanism = "PASSWORD+CODE" if code else "PASSWORD"
        visit = Visit(client, SERVER, None, mechanism)
        return await self._authenticator.verify(username, password, visit, then)
