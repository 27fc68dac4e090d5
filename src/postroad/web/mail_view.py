"""Emails as pages for a frame of the web app, and the pictures in them.

::

    GET /mail-view/{emailId}?images=0|1&light=0|1&measure=0|1    the page
    GET /mail-view/{emailId}/about                               what is in it: {"remotePictures": 3, …}
    GET /mail-view/picture/…                                     a picture; the address is signed

Whatever the sanitiser might miss meets the header fields of the page: no script, no frame, no form, no
connection; style only from within, pictures only from here. The frame has no origin. With ``measure=1``
it has ours, so that the page around it can read how high it is: scripts run in it as little as before.
"""

import re
from collections.abc import Sequence
from typing import Any

import msgspec
from litestar import Request, Response, get
from litestar.params import FromPath
from litestar.types import ControllerRouterHandler

from postroad.message.display import SafePage
from postroad.model import Account
from postroad.service.display import PATH, Display
from postroad.web.logins import log_in
from postroad.web.problem import Problem, invalid
from postroad.web.services import Services
from postroad.wire.jmap import MethodError

BASE = "/mail-view"
_HIDDEN: dict[str, Any] = {"include_in_schema": False}
_HOST = re.compile(r"[A-Za-z0-9.-]{1,253}(?::[0-9]{1,5})?|\[[0-9a-fA-F:.]{2,45}\](?::[0-9]{1,5})?")
_NOTHING = "default-src 'none'; sandbox"


def policy_of(own: str, *, measure: bool) -> str:
    """Return the Content-Security-Policy of a page; `own` is where its pictures come from."""
    shared = " allow-same-origin" if measure else ""
    return (
        f"default-src 'none'; img-src {own}; style-src 'unsafe-inline'; base-uri 'none'; "
        "form-action 'none'; frame-ancestors 'self'; "
        f"sandbox allow-popups allow-popups-to-escape-sandbox{shared}"
    )


def routes(services: Services) -> Sequence[ControllerRouterHandler]:
    """Return the routes, none where JMAP is off."""
    display = services.display
    if display is None:
        return []

    @get(f"{BASE}/{{email:str}}", **_HIDDEN)
    async def page(request: Request[Any, Any, Any], email: FromPath[str]) -> Response[str]:
        account = await account_of(services, request.scope)
        images, light, measure = (_flag(request, name) for name in ("images", "light", "measure"))
        found = await _page(display, account, email, images=images, light=light)
        return Response(
            found.html,
            media_type="text/html",
            headers={
                "Content-Security-Policy": policy_of(_own(services, request), measure=measure),
                "X-Frame-Options": "SAMEORIGIN",
                "Cross-Origin-Opener-Policy": "same-origin",
                "Permissions-Policy": "camera=(), microphone=(), geolocation=()",
                "Cache-Control": "private, no-store",
            },
        )

    @get(f"{BASE}/{{email:str}}/about", **_HIDDEN)
    async def about(request: Request[Any, Any, Any], email: FromPath[str]) -> Response[bytes]:
        account = await account_of(services, request.scope)
        found = await _page(display, account, email, images=False, light=False)
        told = {"remotePictures": found.remote_pictures, "cut": found.cut}
        return Response(msgspec.json.encode(told), media_type="application/json")

    @get(f"{PATH}{{signed:str}}", **_HIDDEN)
    async def picture(signed: FromPath[str]) -> Response[bytes]:
        shown = await display.picture(signed)
        if shown is None:
            raise Problem(404, "no-picture", "there is no picture here, or not any more")
        return Response(
            shown.data,
            media_type=shown.media_type,
            headers={
                "Content-Security-Policy": _NOTHING,
                "Cache-Control": f"private, immutable, max-age={shown.seconds}",
                # The frame is of no origin, so to a browser its pictures are another's.
                "Cross-Origin-Resource-Policy": "cross-origin",
                "Content-Disposition": "inline",
            },
        )

    return [page, about, picture]


async def account_of(services: Services, scope: Any) -> Account:
    """Return who asks, by a session or as JMAP has it. Raises `Problem`."""
    assert services.authenticator is not None
    people = None if services.signing_in is None else services.signing_in.people
    return await log_in(services.authenticator, scope, people)


async def _page(
    display: Display, account: Account, email: str, *, images: bool, light: bool
) -> SafePage:
    try:
        found = await display.page(account, email, images=images, light=light)
    except MethodError as error:
        raise Problem(503, "not-noticed", str(error), headers={"Retry-After": "5"}) from None
    if found is None:
        raise Problem(404, "no-email", "there is no such email for this login")
    return found


def _flag(request: Request[Any, Any, Any], name: str) -> bool:
    value = request.query_params.get(name, "0")
    if value not in ("0", "1"):
        raise invalid(name, "is 0 or 1")
    return value == "1"


def _own(services: Services, request: Request[Any, Any, Any]) -> str:
    """Where pictures come from. ``'self'`` would do where it is understood in frames of no origin."""
    if services.settings.jmap_url:
        return f"{services.settings.jmap_url}{PATH}"
    host = request.headers.get("host", "")
    if _HOST.fullmatch(host) is None:
        return "'self'"
    return f"{request.scope['scheme']}://{host}{PATH}"
