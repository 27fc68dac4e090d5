"""What somebody logs in with, as he sees and changes it: the second factor, passkeys, app passwords; and
logging in by a passkey. All changes need somebody who proved a short while ago who he is.

::

    GET, POST, DELETE  /api/v1/me/second-factor     POST .../begin
    GET, POST          /api/v1/me/passkeys          POST .../begin     DELETE .../{id}
    GET, POST          /api/v1/me/app-passwords     DELETE .../{name}
    POST               /api/v1/login/passkey        POST .../begin
"""

import base64
import binascii
from collections.abc import Sequence
from typing import Annotated, Any

import segno
from litestar import Request, Response, delete, get, post
from litestar.params import FromPath
from litestar.types import ControllerRouterHandler
from msgspec import Meta, Struct

from postroad.model import Scope
from postroad.service.authenticate import Visit
from postroad.service.passkeys import Asked, Site
from postroad.service.throttle import Throttled
from postroad.service.web_login import SERVER
from postroad.web.body import decoded
from postroad.web.logins import client_of, throttled
from postroad.web.me import Me, Opening
from postroad.web.people import require_own_site
from postroad.web.problem import Problem
from postroad.web.services import Services
from postroad.web.signing_in import SigningIn

_HIDDEN: dict[str, Any] = {"include_in_schema": False}
_Word = Annotated[str, Meta(max_length=1024)]
_Name = Annotated[str, Meta(min_length=1, max_length=64)]


class Enrolled(Struct, forbid_unknown_fields=True):
    """A secret that was begun, and a code that an app shows for it."""

    secret: _Word
    code: _Word


class EnrolmentShown(Struct, frozen=True):
    """What an app is told: the secret in base 32, the URI, and that as rows of a QR code (``1``:
    dark).
    """

    secret: str
    uri: str
    qr: list[str]


class FactorShown(Struct, frozen=True):
    """The second factor: since when, and how many recovery codes are left; `since` null: there is
    none.
    """

    since: float | None
    recovery_codes_left: int


class PasskeyGiven(Struct, forbid_unknown_fields=True):
    """What a browser answered to ``begin``; `name` where it is a new one."""

    state: Annotated[str, Meta(max_length=4096)]
    response: dict[str, Any]
    name: Annotated[str, Meta(max_length=64)] = ""


class PasskeyShown(Struct, frozen=True):
    """A passkey as its owner sees it. Times are seconds since 1970."""

    id: str
    name: str
    made_at: float
    used_at: float | None


class NewAppPassword(Struct, forbid_unknown_fields=True):
    """What program it is for, and what that may do; no scopes: all."""

    name: _Name
    scopes: Annotated[list[Scope], Meta(max_length=10)] = []


class AppPasswordShown(Struct, frozen=True):
    """An app password as its owner sees it; `password` once, when it was made."""

    name: str
    scopes: list[str]
    made_at: float | None = None
    used_at: float | None = None
    password: str = ""


def routes(services: Services) -> Sequence[ControllerRouterHandler]:
    """Return the routes, none where nobody logs in."""
    if services.signing_in is None:
        return []
    found = _Routes(services.signing_in)
    return [*found.factor(), *found.passkeys(), *found.login(), *found.app_passwords()]


class _Routes:
    def __init__(self, signing_in: SigningIn) -> None:
        self.people = signing_in.people
        self.factors = signing_in.factors
        self.keys = signing_in.passkeys
        self.words = signing_in.app_passwords
        self.authenticator = signing_in.authenticator
        self.opening = Opening(signing_in.people)

    def factor(self) -> list[ControllerRouterHandler]:
        """Return the routes of the second factor."""
        path = "/api/v1/me/second-factor"

        @get(path, **_HIDDEN)
        async def look(request: Request[Any, Any, Any]) -> FactorShown:
            present = await self.people.need(request)
            found = await self.factors.look(present.account)
            if found is None:
                return FactorShown(None, 0)
            return FactorShown(found.since, len(found.recovery))

        @post(f"{path}/begin", status_code=200, **_HIDDEN)
        async def begin(request: Request[Any, Any, Any]) -> EnrolmentShown:
            present = await self.people.need_fresh(request)
            begun = self.factors.begin(present.account)
            code = segno.make(begun.uri, error="m", micro=False)
            rows = ["".join("1" if dark else "0" for dark in row) for row in code.matrix]
            return EnrolmentShown(begun.secret, begun.uri, rows)

        @post(path, status_code=200, **_HIDDEN)
        async def confirm(request: Request[Any, Any, Any]) -> dict[str, list[str]]:
            present = await self.people.need_fresh(request)
            given = await decoded(request, Enrolled)
            codes = await self.factors.confirm(present.account, given.secret, given.code)
            return {"recovery_codes": codes}

        @delete(path, **_HIDDEN)
        async def remove(request: Request[Any, Any, Any]) -> None:
            present = await self.people.need_fresh(request)
            await self.factors.remove(present.account)

        return [look, begin, confirm, remove]

    def passkeys(self) -> list[ControllerRouterHandler]:
        """Return the routes of somebody's passkeys."""
        path = "/api/v1/me/passkeys"

        @get(path, **_HIDDEN)
        async def look(request: Request[Any, Any, Any]) -> list[PasskeyShown]:
            present = await self.people.need(request)
            return [
                PasskeyShown(_text(each.id), each.name, each.made_at, each.used_at)
                for each in await self.keys.list(present.account)
            ]

        @post(f"{path}/begin", status_code=200, **_HIDDEN)
        async def begin(request: Request[Any, Any, Any]) -> Asked:
            present = await self.people.need_fresh(request)
            return await self.keys.begin_adding(present.account, _site(request))

        @post(path, status_code=201, **_HIDDEN)
        async def add(request: Request[Any, Any, Any]) -> PasskeyShown:
            present = await self.people.need_fresh(request)
            given = await decoded(request, PasskeyGiven)
            made = await self.keys.add(
                present.account, _site(request), given.state, given.name, given.response
            )
            return PasskeyShown(_text(made.id), made.name, made.made_at, None)

        @delete(f"{path}/{{number:str}}", **_HIDDEN)
        async def remove(request: Request[Any, Any, Any], number: FromPath[str]) -> None:
            present = await self.people.need_fresh(request)
            await self.keys.remove(present.account, _octets(number))

        return [look, begin, add, remove]

    def login(self) -> list[ControllerRouterHandler]:
        """Return the routes of logging in by a passkey."""

        @post("/api/v1/login/passkey/begin", status_code=200, **_HIDDEN)
        async def begin(request: Request[Any, Any, Any]) -> Asked:
            require_own_site(request.scope)
            return self.keys.begin_login(_site(request))

        @post("/api/v1/login/passkey", status_code=200, **_HIDDEN)
        async def log_in(request: Request[Any, Any, Any]) -> Response[Me]:
            require_own_site(request.scope)
            given = await decoded(request, PasskeyGiven)
            visit = Visit(client_of(request.scope), SERVER, None, "PASSKEY")
            try:
                account = await self.authenticator.verify_otherwise(
                    visit, lambda: self.keys.judge(_site(request), given.state, given.response)
                )
            except Throttled as error:
                raise throttled(error) from None
            if account is None:
                raise Problem(401, "wrong", "that passkey is not known here; it may be removed")
            return await self.opening.open(request, account)

        return [begin, log_in]

    def app_passwords(self) -> list[ControllerRouterHandler]:
        """Return the routes of app passwords."""
        path = "/api/v1/me/app-passwords"

        @get(path, **_HIDDEN)
        async def look(request: Request[Any, Any, Any]) -> list[AppPasswordShown]:
            present = await self.people.need(request)
            return [
                AppPasswordShown(
                    each.name,
                    [scope.value for scope in each.scopes],
                    each.created_at,
                    each.used_at,
                )
                for each in await self.words.list(present.account)
            ]

        @post(path, status_code=201, **_HIDDEN)
        async def add(request: Request[Any, Any, Any]) -> AppPasswordShown:
            present = await self.people.need_fresh(request)
            given = await decoded(request, NewAppPassword)
            scopes = tuple(given.scopes or Scope)
            word = await self.words.add(present.account, given.name, scopes)
            return AppPasswordShown(
                given.name.strip(), [scope.value for scope in scopes], password=word
            )

        @delete(f"{path}/{{name:str}}", **_HIDDEN)
        async def remove(request: Request[Any, Any, Any], name: FromPath[str]) -> None:
            present = await self.people.need_fresh(request)
            await self.words.remove(present.account, name)

        return [look, add, remove]


def _site(request: Request[Any, Any, Any]) -> Site:
    return Site(request.headers.get("host", ""))


def _text(octets: bytes) -> str:
    return base64.urlsafe_b64encode(octets).rstrip(b"=").decode()


def _octets(text: str) -> bytes:
    try:
        return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
    except (binascii.Error, ValueError):
        raise Problem(404, "no-passkey", "there is no such passkey") from None
