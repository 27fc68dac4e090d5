"""People with a browser: the cookie of their session, and that it is they who ask.

A request with a cookie is only taken for its owner's where another site cannot have made it: the cookie
is ``SameSite=Strict``; what changes anything needs the header field ``X-Postroad``, which no form can
send and no other site's script may; and an ``Origin`` that is told must be this server.

The cookie is ``__Host-postroad``: sent over TLS alone, to this host alone, and set by nobody else. Over
plain HTTP on loopback browsers would refuse that, so there it is ``postroad``.
"""

from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

from litestar import Request

from postroad.service.sessions import Present, Sessions
from postroad.web.problem import Problem

COOKIE = "__Host-postroad"
PLAIN_COOKIE = "postroad"
HEADER = b"x-postroad"
_SAFE = ("GET", "HEAD", "OPTIONS")
_LOOPBACK = ("localhost", "127.0.0.1", "::1")
_MAX_COOKIE = 8192


class People:
    """Recognises who asks by the cookie of a session."""

    def __init__(self, sessions: Sessions) -> None:
        self.sessions = sessions

    async def present(self, scope: Mapping[str, Any]) -> Present | None:
        """Return who asks, None without a session that is good. Raises `Problem` (403) for what another
        site may have made.
        """
        token = token_of(scope)
        if token is None:
            return None
        present = await self.sessions.find(token)
        if present is not None:
            require_own_site(scope)
        return present

    async def need(self, request: Request[Any, Any, Any]) -> Present:
        """Return who asks. Raises `Problem`: 401 where nobody is logged in."""
        present = await self.present(request.scope)
        if present is None:
            raise Problem(401, "log-in", "log in first")
        return present

    async def need_fresh(self, request: Request[Any, Any, Any]) -> Present:
        """Return who asks, who proved a short while ago who that is. Raises `Problem`: 403 otherwise."""
        present = await self.need(request)
        if not self.sessions.is_fresh(present.session):
            raise Problem(403, "confirm", "say once more who you are: POST /api/v1/me/confirm")
        return present

    async def need_operator(self, request: Request[Any, Any, Any]) -> Present:
        """Return who asks, an operator. Raises `Problem`: 403 for others."""
        present = await self.need(request)
        if not present.account.operator:
            raise Problem(
                403,
                "operators-only",
                "this is for operators; one of them is made by: "
                f"postroad account change {present.account.address} --operator",
            )
        return present


def require_own_site(scope: Mapping[str, Any]) -> None:
    """Raise `Problem` for a request that another site may have made (CSRF)."""
    given = {
        name: value.decode("latin-1")
        for name, value in scope["headers"]
        if name in (b"origin", b"host", b"sec-fetch-site", HEADER)
    }
    socket = scope["type"] == "websocket"
    if not socket and scope["method"] in _SAFE:
        return
    origin, host = given.get(b"origin"), given.get(b"host", "")
    if origin is not None and urlsplit(origin).netloc.lower() != host.lower():
        raise Problem(403, "other-site", f"this came from {origin}, which is not this server")
    if given.get(b"sec-fetch-site", "same-origin") not in ("same-origin", "none"):
        raise Problem(403, "other-site", "this came from another site")
    if socket:  # which can carry no header field of ours
        if origin is None:
            raise Problem(403, "other-site", "a browser tells the Origin of a WebSocket")
    elif HEADER not in given:
        raise Problem(
            403, "other-site", "with a cookie, the header field X-Postroad is needed: X-Postroad: 1"
        )


def token_of(scope: Mapping[str, Any]) -> str | None:
    """Return the token in the cookie of a request (RFC 6265 §5.4)."""
    wanted = cookie_name(scope)
    for name, value in scope["headers"]:
        if name != b"cookie" or len(value) > _MAX_COOKIE:
            continue
        for pair in value.decode("latin-1").split(";"):
            key, _, text = pair.strip().partition("=")
            if key == wanted and text:
                return str(text)
    return None


def cookie_name(scope: Mapping[str, Any]) -> str:
    """Return the name of the cookie for a request: that of TLS, unless a browser is on this machine."""
    return PLAIN_COOKIE if is_plain(scope) else COOKIE


def is_plain(scope: Mapping[str, Any]) -> bool:
    """Whether a request came over plain HTTP on loopback, and not by a proxy that adds TLS."""
    if scope["scheme"] in ("https", "wss"):
        return False
    host = next((value for name, value in scope["headers"] if name == b"host"), b"")
    try:
        return urlsplit("//" + host.decode("latin-1")).hostname in _LOOPBACK
    except ValueError:
        return False


def cookie(scope: Mapping[str, Any], token: str, seconds: float) -> str:
    """Return a Set-Cookie that hands out a token, or with ``""`` takes it back."""
    name = cookie_name(scope)
    secure = "" if name == PLAIN_COOKIE else "; Secure"
    age = int(seconds) if token else 0
    return f"{name}={token}; Path=/; Max-Age={age}; HttpOnly; SameSite=Strict{secure}"
