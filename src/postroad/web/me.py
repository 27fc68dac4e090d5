"""Logging in and out with a browser, and what somebody sees and changes of his own account.

::

    POST   /api/v1/login              {"username", "password", "code"?}: the cookie of a session
    POST   /api/v1/logout
    GET    /api/v1/me
    POST   /api/v1/me/confirm         {"password", "code"?}: proved again who it is
    POST   /api/v1/me/password        {"password"}
    GET    /api/v1/me/sessions
    DELETE /api/v1/me/sessions        all others
    DELETE /api/v1/me/sessions/{id}
"""

from collections.abc import Sequence
from typing import Annotated, Any

from litestar import Request, Response, delete, get, post
from litestar.params import FromPath
from litestar.types import ControllerRouterHandler
from msgspec import Meta, Struct

from postroad.model import Account, InvalidId, format_id, parse_id
from postroad.service.authenticate import CodeWanted
from postroad.service.sessions import Present
from postroad.service.throttle import Throttled
from postroad.web.body import decoded
from postroad.web.logins import client_of, throttled
from postroad.web.people import People, cookie, require_own_site, token_of
from postroad.web.problem import Problem
from postroad.web.services import Services
from postroad.web.signing_in import SigningIn

_HIDDEN: dict[str, Any] = {"include_in_schema": False}
_Word = Annotated[str, Meta(max_length=1024)]


class LoginGiven(Struct, forbid_unknown_fields=True):
    """Who wants to log in; `code` of an authenticator app, or a recovery code."""

    username: _Word
    password: _Word
    code: _Word = ""


class Confirmation(Struct, forbid_unknown_fields=True):
    """Proves again who somebody is."""

    password: _Word
    code: _Word = ""


class NewPassword(Struct, forbid_unknown_fields=True):
    """What is to be the password from now on."""

    password: _Word


class Me(Struct, frozen=True):
    """Who is logged in. `fresh`: he may change what he logs in with, without proving again who he is."""

    id: str
    address: str
    operator: bool
    second_factor: bool
    session: str
    fresh: bool


class SessionShown(Struct, frozen=True):
    """A session as its owner sees it. Times are seconds since 1970."""

    id: str
    opened_at: float
    used_at: float
    client: str
    agent: str
    current: bool


def routes(services: Services) -> Sequence[ControllerRouterHandler]:
    """Return the routes, none where nobody logs in."""
    if services.signing_in is None:
        return []
    return _Routes(services.signing_in).handlers()


class Opening:
    """Hands sessions out to people who proved who they are."""

    def __init__(self, people: People) -> None:
        self._sessions = people.sessions

    async def open(self, request: Request[Any, Any, Any], account: Account) -> Response[Me]:
        """Hand a new session out, and end the one that the browser had."""
        agent = request.headers.get("user-agent", "")
        token = await self._sessions.open(account, client_of(request.scope), agent)
        present = await self._sessions.find(token)
        if present is None:
            raise Problem(401, "wrong", "the account is gone")
        before = token_of(request.scope)
        old = None if before is None else await self._sessions.find(before)
        if old is not None:
            await self._sessions.end(old.account, old.session.id)
        seconds = self._sessions.settings.session_seconds
        headers = {"Set-Cookie": cookie(request.scope, token, seconds)}
        return Response(self.shown(present), headers=headers)

    def shown(self, present: Present) -> Me:
        """Return what somebody is told of himself."""
        account = present.account
        return Me(
            id=format_id(account.id),
            address=str(account.address),
            operator=account.operator,
            second_factor=account.second_factor,
            session=format_id(present.session.id),
            fresh=self._sessions.is_fresh(present.session),
        )


class _Routes:
    def __init__(self, signing_in: SigningIn) -> None:
        self.people: People = signing_in.people
        self.sessions = signing_in.people.sessions
        self.web_login = signing_in.web_login
        self.accounts = signing_in.accounts
        self.opening = Opening(signing_in.people)

    def handlers(self) -> Sequence[ControllerRouterHandler]:
        """Return the routes."""
        return [self._log_in(), self._log_out(), *self._me(), *self._sessions()]

    def _log_in(self) -> ControllerRouterHandler:
        @post("/api/v1/login", status_code=200, **_HIDDEN)
        async def log_in(request: Request[Any, Any, Any]) -> Response[Me]:
            require_own_site(request.scope)
            given = await decoded(request, LoginGiven)
            client = client_of(request.scope)
            try:
                account = await self.web_login.log_in(
                    given.username, given.password, given.code, client
                )
            except Throttled as error:
                raise throttled(error) from None
            except CodeWanted:
                raise _code_wanted() from None
            if account is None:
                raise Problem(401, "wrong", "that is no address and password of an account here")
            return await self.opening.open(request, account)

        return log_in

    def _log_out(self) -> ControllerRouterHandler:
        @post("/api/v1/logout", status_code=204, **_HIDDEN)
        async def log_out(request: Request[Any, Any, Any]) -> Response[None]:
            present = await self.people.present(request.scope)
            if present is not None:
                await self.sessions.end(present.account, present.session.id)
            gone = cookie(request.scope, "", 0)
            # What the browser kept of this person's mail goes, too.
            headers = {"Set-Cookie": gone, "Clear-Site-Data": '"cache"'}
            return Response(None, status_code=204, headers=headers)

        return log_out

    def _me(self) -> list[ControllerRouterHandler]:
        @get("/api/v1/me", **_HIDDEN)
        async def me(request: Request[Any, Any, Any]) -> Me:
            return self.opening.shown(await self.people.need(request))

        @post("/api/v1/me/confirm", status_code=204, **_HIDDEN)
        async def confirm(request: Request[Any, Any, Any]) -> None:
            present = await self.people.need(request)
            given = await decoded(request, Confirmation)
            client = client_of(request.scope)
            try:
                good = await self.web_login.confirm(present, given.password, given.code, client)
            except Throttled as error:
                raise throttled(error) from None
            except CodeWanted:
                raise _code_wanted() from None
            if not good:
                raise Problem(403, "wrong", "that is not the password of this account")

        @post("/api/v1/me/password", status_code=204, **_HIDDEN)
        async def password(request: Request[Any, Any, Any]) -> None:
            present = await self.people.need_fresh(request)
            given = await decoded(request, NewPassword)
            await self.accounts.set_password(
                present.account.address, given.password, but=present.session.id
            )

        return [me, confirm, password]

    def _sessions(self) -> list[ControllerRouterHandler]:
        @get("/api/v1/me/sessions", **_HIDDEN)
        async def sessions(request: Request[Any, Any, Any]) -> list[SessionShown]:
            present = await self.people.need(request)
            return [
                SessionShown(
                    format_id(each.id),
                    each.opened_at,
                    each.used_at,
                    each.client,
                    each.agent,
                    each.id == present.session.id,
                )
                for each in await self.sessions.list(present.account)
            ]

        @delete("/api/v1/me/sessions", **_HIDDEN)
        async def end_others(request: Request[Any, Any, Any]) -> None:
            present = await self.people.need(request)
            await self.sessions.end_others(present.session)

        @delete("/api/v1/me/sessions/{number:str}", **_HIDDEN)
        async def end(request: Request[Any, Any, Any], number: FromPath[str]) -> None:
            present = await self.people.need(request)
            try:
                await self.sessions.end(present.account, parse_id(number))
            except InvalidId:
                raise Problem(404, "no-session", "there is no such session") from None

        return [sessions, end_others, end]


def _code_wanted() -> Problem:
    return Problem(
        401, "code-wanted", "the password is right; a code of the second factor is wanted"
    )
