"""The page of a first run: on loopback, for whoever reads the token in the terminal.

::

    GET  /setup                     the page; the token is behind the # of its address, which is not sent
    POST /api/v1/setup/look         what to fill in with
    POST /api/v1/setup              make configuration, domain and first account
    POST /api/v1/setup/finish       the server goes on with them; the token is worthless from here on
"""

import asyncio
import hmac
from typing import Annotated, Any, Protocol

from litestar import Litestar, Request, Response, get, post
from litestar.response import Redirect
from msgspec import Meta, Struct

from postroad.model import ApiKey
from postroad.ports import Clock
from postroad.web.body import decoded
from postroad.web.front import App, Front
from postroad.web.pages import page_routes
from postroad.web.people import require_own_site
from postroad.web.problem import Problem, answer
from postroad.web.settings import WebSettings

_HIDDEN: dict[str, Any] = {"include_in_schema": False}
_Word = Annotated[str, Meta(max_length=1024)]


class Token(Struct):
    """Who asks read it in the terminal."""

    token: _Word


class Wish(Token, forbid_unknown_fields=True):
    """What to set up: `addresses` are this machine's public ones, as far as they are known."""

    domain: _Word
    hostname: _Word
    local_part: _Word
    password: _Word
    addresses: Annotated[list[_Word], Meta(max_length=10)] = []


class RecordShown(Struct, frozen=True):
    """A DNS record to publish; `line` is it in a zone file."""

    name: str
    type: str
    data: str
    line: str


class Look(Struct, frozen=True):
    """Where everything will be, and the name of this machine."""

    directory: str
    hostname: str


class Made(Struct, frozen=True):
    """What was set up."""

    address: str
    config: str
    self_signed: bool
    records: list[RecordShown]


class Setter(Protocol):
    """Sets up what the page asks for."""

    def look(self) -> Look:
        """Return what to fill in with."""

    async def set_up(self, wish: Wish) -> Made:
        """Make configuration, domain and account. Raises `Refused`, `InvalidAddress`, `OSError`."""


class _NoKeys:
    async def verify(self, token: str) -> ApiKey | None:
        """There are none yet."""
        return None


class _Fronted(Struct, frozen=True):
    settings: WebSettings
    clock: Clock
    api_keys: _NoKeys


class SetupPage:
    """The application. `finished` is set when the server may go on."""

    def __init__(self, setter: Setter, token: str, clock: Clock, hostname: str) -> None:
        self._setter = setter
        self._token = token
        self._made: Made | None = None
        self.finished = asyncio.Event()
        app = Litestar(
            [self._look(), self._set_up(), self._finish(), _root, *page_routes()],
            openapi_config=None,
            exception_handlers={Exception: answer},
            logging_config=None,
        )
        settings = WebSettings(hostname=hostname, max_body_octets=64 * 1024)
        inner: App = app  # type: ignore[assignment]
        self.app = Front(inner, _Fronted(settings, clock, _NoKeys()))
        self.settings = settings

    def _require(self, request: Request[Any, Any, Any], given: Token) -> None:
        """Raise `Problem` for who does not know the token, or another site's page."""
        require_own_site(request.scope)
        if not hmac.compare_digest(given.token.encode("utf-8", "replace"), self._token.encode()):
            raise Problem(
                403,
                "token",
                "open the address that the terminal shows, with all that is behind the #",
            )

    def _look(self) -> Any:
        @post("/api/v1/setup/look", status_code=200, **_HIDDEN)
        async def look(request: Request[Any, Any, Any]) -> Look:
            self._require(request, await decoded(request, Token))
            return self._setter.look()

        return look

    def _set_up(self) -> Any:
        @post("/api/v1/setup", status_code=200, **_HIDDEN)
        async def set_up(request: Request[Any, Any, Any]) -> Made:
            wish = await decoded(request, Wish)
            self._require(request, wish)
            if self._made is not None:
                raise Problem(409, "made", f"{self._made.address} is set up already; go on")
            self._made = await self._setter.set_up(wish)
            return self._made

        return set_up

    def _finish(self) -> Any:
        @post("/api/v1/setup/finish", status_code=202, **_HIDDEN)
        async def finish(request: Request[Any, Any, Any]) -> Response[None]:
            self._require(request, await decoded(request, Token))
            if self._made is None:
                raise Problem(409, "not-made", "nothing is set up yet")
            self.finished.set()
            return Response(None, status_code=202, headers={"Connection": "close"})

        return finish


@get("/", include_in_schema=False, sync_to_thread=False)
def _root() -> Redirect:
    return Redirect("/setup", status_code=302)
